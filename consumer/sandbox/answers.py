"""What the sandbox's Mixpanel answers: every shape that is known or suspected of `/groups`.

Without `strict` the answer says whether anything was valid: `1` or `0`, with `verbose` as JSON. With `strict` it
tells refusals in one of these dialects, since nobody has published what Mixpanel does:

    by-index      {"errors": {"3": "words"}}                             the sandbox's default
    lists         {"errors": {"3": ["words"]}}
    by-message    {"errors": {"words": ["group id", ...]}}
    records       {"failed_records": [{"index": 3, "field": "$set", "message": "words"}]}   as of /import: a request
                  without a refusal is answered in its words too
    strings       {"failed_records": ["words"]}                          likewise
    error         {"error": "words", "status": 0}
    plain         0
    out-of-range  by-index, with one index that the request does not have
    duplicate     records, with one index twice

`status` beside them is 0, or on demand 1, as if all were well.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

DIALECTS: Final = (
    "by-index",
    "lists",
    "by-message",
    "records",
    "strings",
    "error",
    "plain",
    "out-of-range",
    "duplicate",
)
OF_IMPORT: Final = ("records", "strings", "duplicate")
TAKEN: Final = ("valid", "none")

FAILED: Final = "some data points in the request failed validation"
TEMPORARY: Final = {"status": 0, "error": "a temporary failure occurred"}
RATE_LIMITED: Final = "Project exceeded rate limits. Please retry the request with exponential backoff."
_UPSTREAM: Final = "upstream connect error or disconnect/reset before headers. reset reason: connection failure"
_PHRASES: Final = {413: "Request Entity Too Large", 429: "Too Many Requests"}
JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True)
class HttpAnswer:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Dialect:
    """How refusals are told under strict: the shape, both statuses, and what is said of how many were taken."""

    name: str = "by-index"
    http_status: int = 200
    count: str = "honest"
    status: int = 0


def of_json(status: int, body: object) -> HttpAnswer:
    """An answer in JSON."""
    return HttpAnswer(status, orjson.dumps(body))


def lax(refused: dict[int, str], sent: int, verbose: bool) -> HttpAnswer:
    """The answer without strict: only whether at least one update was valid."""
    status = 1 if sent > len(refused) else 0
    if not verbose:
        return of_json(200, status)
    error = None if status else next(iter(refused.values()), "data, missing or empty")
    return of_json(200, {"error": error, "status": status})


def strict(
    refused: dict[int, str], updates: list[dict[str, Any]], applied: int, dialect: Dialect, verbose: bool = True
) -> HttpAnswer:
    """The answer with strict to a request of which `applied` updates were applied and `refused` refused."""
    count = None if dialect.count == "absent" else applied if dialect.count == "honest" else applied + 1
    if not refused:
        return of_json(200, _all_taken(count, dialect, verbose))
    if dialect.name == "plain":
        return of_json(dialect.http_status, dialect.status)
    shape = _import_like if dialect.name in OF_IMPORT else _profile_like
    return of_json(dialect.http_status, shape(refused, updates, count, dialect))


def _all_taken(count: int | None, dialect: Dialect, verbose: bool) -> dict[str, Any]:
    """The strict answer where nothing was refused."""
    if dialect.name in OF_IMPORT:
        body: dict[str, Any] = {"code": 200, "error": None, "num_records_imported": count, "status": 1}
        if not verbose:
            body = {"code": 200, "num_records_imported": count, "status": "OK"}
    else:
        body = {"error": None, "errors": {}, "num_good_events": count, "status": 1}
    return {name: value for name, value in body.items() if value is not None or name == "error"}


def malformed(problem: str, told: bool) -> HttpAnswer:
    """The answer to a request without a single readable update. `told`: strict or verbose."""
    return of_json(200, {"error": problem, "status": 0} if told else 0)


def too_large(limit: str) -> HttpAnswer:
    """The answer to a request over a limit."""
    return of_json(413, {"code": 413, "error": f"request exceeds max limit of {limit}", "status": _PHRASES[413]})


def of_status(status: int, body: str, retry_after: str, strict: bool) -> HttpAnswer:
    """The answer with this status; without a body, what is known of Mixpanel's for it."""
    headers = (("Retry-After", retry_after),) if retry_after else ()
    if body:
        kind = HTML if body[0] == "<" else JSON if body[0] in "{[01" else TEXT
        return HttpAnswer(status, body.encode(), kind, headers)
    known = _known(status, strict)
    return HttpAnswer(known.status, known.body, known.content_type, headers)


def _known(status: int, strict: bool) -> HttpAnswer:
    """A body as seen with this status."""
    if status in (401, 403):
        return of_json(status, {"error": "Unauthorized" if status == 401 else "Forbidden", "status": "error"})
    if status == 429 and not strict:
        return of_json(status, {"error": RATE_LIMITED, "status": 0})
    if status == 429:
        return of_json(status, {"code": 429, "error": RATE_LIMITED, "status": _PHRASES[429]})
    if status == 413:
        page = "<html><title>Error 413 (Request Entity Too Large)!!1</title></html>"
        return HttpAnswer(status, page.encode(), HTML)
    if status == 400:
        return HttpAnswer(status, b"<html><title>400 Bad Request</title></html>", HTML)
    if status >= 500:
        return HttpAnswer(status, _UPSTREAM.encode(), TEXT)
    return HttpAnswer(status, f"<html><title>{status}</title></html>".encode() if status != 204 else b"", HTML)


def _profile_like(
    refused: dict[int, str], updates: list[dict[str, Any]], count: int | None, dialect: Dialect
) -> dict[str, Any]:
    """The keys of a strict answer of the profile endpoints."""
    if dialect.name == "error":
        body: dict[str, Any] = {"error": next(iter(refused.values())), "status": dialect.status}
    else:
        errors: dict[str, Any] = {str(index): message for index, message in refused.items()}
        if dialect.name == "by-message":
            errors = {}
            for index, message in refused.items():
                errors.setdefault(message, []).append(updates[index].get("$group_id"))
        elif dialect.name == "lists":
            errors = {index: [message] for index, message in errors.items()}
        elif dialect.name == "out-of-range":
            errors[str(len(updates))] = FAILED
        body = {"error": None if dialect.status else FAILED, "errors": errors, "status": dialect.status}
    return body if count is None else body | {"num_good_events": count}


def _import_like(
    refused: dict[int, str], _updates: list[dict[str, Any]], count: int | None, dialect: Dialect
) -> dict[str, Any]:
    """The keys of a strict answer of /import."""
    records: list[Any] = list(refused.values())
    if dialect.name != "strings":
        records = [
            {"index": index, "$insert_id": "", "field": message.partition(",")[0], "message": message}
            for index, message in refused.items()
        ]
    if dialect.name == "duplicate":
        records.append(records[0])
    status: object = "Bad Request" if dialect.http_status == 400 else dialect.status
    body = {"code": dialect.http_status, "error": FAILED, "failed_records": records, "status": status}
    return body if count is None else body | {"num_records_imported": count}
