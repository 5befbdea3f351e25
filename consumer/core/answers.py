"""What Mixpanel's answer to one request means. A 200 is not acceptance: the body decides.

    answer                                                               verdict
    2xx, status 1 or body 1, no errors, count absent or as sent          Accepted
    2xx or 400 with readable indexes, and a count that agrees            Refused: those; the others accepted
    the same, all of the request named, or without a count but status 1  Refused
    2xx or 400 in Mixpanel's JSON that refuses in any other way          Opaque, with the indexes that it names
    status 0 with the error "a temporary failure occurred"               Again
    408, 500, 504, other 5xx, no answer, unreadable 2xx                  Again, TRANSIENT
    502, 503                                                             Again, OVERLOAD
    429, 503 with Retry-After                                            Again, CAPACITY
    413                                                                  TooLarge
    anything else: 401, 403, 404, redirects, a 400 that is not theirs    Halted

The shapes are those of the service's known answers (docs/mixpanel.md): `errors` keyed by index,
`failed_records` of objects or strings, one `error` string, with or without a count.
"""

from typing import Final

import orjson

from consumer.core.model import NOT_SENT, Answer
from consumer.core.retry import CAPACITY, OVERLOAD
from consumer.core.verdict import Accepted, Again, Halted, Opaque, Refused, TooLarge, Verdict

MAX_MESSAGE: Final = 2048
NO_MESSAGE: Final = "refused without a reason"
# The one refusal that passes, word for word (LIVE: seen at /engage).
TEMPORARY: Final = "a temporary failure occurred"


def read(answer: Answer, sent: int) -> Verdict:
    """The verdict on a request of `sent` updates."""
    if answer.failure:
        return Again(answer.cause or answer.failure, answer.failure != NOT_SENT)
    status = answer.status
    if 200 <= status < 300:
        return _body(answer, sent) or Again("unreadable", True)
    if status == 400:
        return _body(answer, sent) or Halted("400")
    if status == 413:
        return TooLarge(_text(answer.body) or "413")
    if status == 429:
        return Again("429", False, CAPACITY, answer.retry_after)
    if status == 502 or status == 503:
        # A proxy says these too when the connection behind it broke: only 429 is known to have stopped the request.
        asked = answer.retry_after if status == 503 else None
        return Again(str(status), True, OVERLOAD if asked is None else CAPACITY, asked)
    if status == 408 or 500 <= status < 600:
        return Again(str(status), True)
    return Halted(str(status))


def _body(answer: Answer, sent: int) -> Verdict | None:
    """The verdict of a body that is Mixpanel's own; None for any other."""
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(body, bool):
        return None
    if isinstance(body, int):
        return _plain(body, answer.status)
    if not isinstance(body, dict) or not _theirs(body):
        return None
    message = _message(body)
    refused = _indexes(body, sent)
    count = _count(body)
    if refused is None:
        return Opaque(message, count == 0)
    if refused:
        agrees = count == sent - len(refused) or (count is None and len(refused) == sent)
        if agrees or (count is None and _good(body) and answer.status != 400):
            return Refused(refused)
        return Opaque(message, count == 0, refused)
    if _good(body) and answer.status != 400 and not body.get("error") and (count is None or count == sent):
        return Accepted()
    if body.get("error") == TEMPORARY and not count and body.get("status") == 0:
        return Again("temporary", count is None)
    return Opaque(message, count == 0)


def _plain(body: int, status: int) -> Verdict | None:
    """A body of `1` or `0`, as without verbose."""
    if body == 1 and status != 400:
        return Accepted()
    return Opaque("0", False) if body == 0 else None


def _theirs(body: dict[str, object]) -> bool:
    """Whether the object has the keys of a Mixpanel answer."""
    if isinstance(body.get("code"), int) and isinstance(body.get("error"), str):
        return True
    return "status" in body or "failed_records" in body or "num_good_events" in body or bool(body.get("errors"))


def _good(body: dict[str, object]) -> bool:
    """Whether the object says that it took what was sent, or what it does not name."""
    word = body.get("status")
    return (isinstance(word, int) and word == 1) or word == "OK" or word == "ok"


def _count(body: dict[str, object]) -> int | None:
    """How many updates Mixpanel says it took."""
    for name in ("num_good_events", "num_records_imported"):
        count = body.get(name)
        if isinstance(count, int) and not isinstance(count, bool):
            return count
    return None


def _indexes(body: dict[str, object], sent: int) -> dict[int, str] | None:
    """Refused indexes with their messages; None where something is refused and cannot be placed."""
    refused: dict[int, str] = {}
    records = body.get("failed_records")
    if records:
        if not isinstance(records, list):
            return None
        for record in records:
            if not isinstance(record, dict):
                return None
            if not _place(refused, record.get("index"), _record_message(record), sent):
                return None
    errors = body.get("errors")
    if not errors:
        return refused
    if not isinstance(errors, dict):
        return None
    also: dict[int, str] = {}
    for key, value in errors.items():
        index = int(key) if key.isascii() and key.isdigit() and len(key) < 7 else -1
        if not _place(also, index, _as_text(value), sent):
            return None
    if refused and also.keys() != refused.keys():
        return None
    return also


def _place(refused: dict[int, str], index: object, message: str, sent: int) -> bool:
    """Note one refused index; False where it is no index of the request, or was named before."""
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < sent or index in refused:
        return False
    refused[index] = message
    return True


def _record_message(record: dict[str, object]) -> str:
    """What a failed record says: the field and the message."""
    message = _as_text(record.get("message") or record.get("error") or "refused")
    field = record.get("field")
    return f"{field}: {message}" if isinstance(field, str) and field else message


def _message(body: dict[str, object]) -> str:
    """Mixpanel's own message for the whole request."""
    error = body.get("error")
    if error:
        return _as_text(error)
    detail = body.get("failed_records") or body.get("errors")
    return _as_text(detail) if detail else NO_MESSAGE


def _as_text(value: object) -> str:
    """Words of any shape as text that is not empty: the dead letter repeats them."""
    if isinstance(value, str):
        return value[:MAX_MESSAGE] or NO_MESSAGE
    try:
        return orjson.dumps(value).decode()[:MAX_MESSAGE]
    except orjson.JSONEncodeError:
        return "refused, in words that nest too deep to repeat"


def _text(body: bytes) -> str:
    """The start of a body, for a person to read."""
    return body[:200].decode("utf-8", "replace").strip()
