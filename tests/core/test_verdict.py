"""Every answer of Mixpanel that is known or suspected, and what it means: the table of docs/mixpanel.md as code."""

import pytest

from consumer.core.answers import read
from consumer.core.model import NOT_SENT, UNKNOWN, Answer
from consumer.core.retry import CAPACITY, OVERLOAD
from consumer.core.verdict import Accepted, Again, Halted, Opaque, Refused, TooLarge, Verdict

SENT = 3
ENVOY = "upstream connect error or disconnect/reset before headers. reset reason: connection failure"
FAILED = "some data points in the request failed validation"


def said(verdict: Verdict) -> str:
    """The verdict in words."""
    if isinstance(verdict, Accepted):
        return "accepted"
    if isinstance(verdict, Refused):
        return "refused " + " ".join(map(str, sorted(verdict.messages)))
    if isinstance(verdict, Opaque):
        named = f", names {' '.join(map(str, sorted(verdict.named)))}" if verdict.named else ""
        return ("opaque, none applied" if verdict.none_applied else "opaque") + named
    if isinstance(verdict, TooLarge):
        return "too large"
    if isinstance(verdict, Halted):
        return f"halt {verdict.cause}"
    known = "unknown" if verdict.unknown else "not applied"
    if verdict.kind != CAPACITY:
        return f"again, {known}" + (", patiently" if verdict.kind == OVERLOAD else "")
    return f"again, {known}, slower" + ("" if verdict.wait is None else f" after {verdict.wait:g}")


# What was recorded of Mixpanel, or promised by its pages. A request of three updates; (status, body, verdict).
SEEN = [
    # Without flags.
    (200, "1", "accepted"),
    (200, "0", "opaque"),
    (200, " 1\n", "accepted"),
    # verbose=1.
    (200, '{"error":null,"status":1}', "accepted"),
    (200, '{"error":"","status":1}', "accepted"),
    (200, '{"error":"$group_id, missing or empty","status":0}', "opaque"),
    (200, '{"error":"$token, missing or empty","status":0}', "opaque"),
    (200, '{"error":"data, missing or empty","status":0}', "opaque"),
    (200, '{"error":"event, missing","status":0}', "opaque"),
    # strict=1, all valid.
    (200, '{"error":null,"errors":{},"num_good_events":3,"status":1}', "accepted"),
    (200, '{"error":null,"errors":null,"num_good_events":3,"status":1}', "accepted"),
    (200, '{"error":null,"errors":[],"failed_records":[],"num_good_events":3,"status":1}', "accepted"),
    (200, '{"code":200,"num_records_imported":3,"status":"OK"}', "accepted"),
    (200, '{"code":200,"error":null,"num_records_imported":3,"status":1}', "accepted"),
    # strict=1, some invalid: the candidates for the profile endpoints, with 200 and with 400.
    (200, '{"error":"x","errors":{"1":"bad"},"num_good_events":2,"status":0}', "refused 1"),
    (200, '{"error":null,"errors":{"0":"bad","2":"bad"},"num_good_events":1,"status":1}', "refused 0 2"),
    (400, '{"error":"x","errors":{"1":["bad",{"field":"$set"}]},"num_good_events":2,"status":0}', "refused 1"),
    (400, '{"error":"x","errors":{"0":"a","1":"b","2":"c"},"num_good_events":0,"status":0}', "refused 0 1 2"),
    (200, '{"error":"x","errors":{"1":"bad"},"status":0}', "opaque, names 1"),
    (200, '{"errors":{"1":"bad"}}', "opaque, names 1"),
    (200, '{"error":"x","errors":{"1":"bad"},"status":1}', "refused 1"),
    (400, '{"error":"x","errors":{"1":"bad"},"status":1}', "opaque, names 1"),
    (200, '{"error":"x","errors":{"0":"a","1":"b","2":"c"},"status":0}', "refused 0 1 2"),
    # ... keyed by something else than an index.
    (200, '{"error":"x","errors":{"bad words":["acme"]},"num_good_events":2,"status":0}', "opaque"),
    (200, '{"error":"x","errors":{"bad words":["acme"]},"num_good_events":0,"status":0}', "opaque, none applied"),
    (200, '{"error":null,"errors":["bad words"],"num_good_events":2,"status":1}', "opaque"),
    # strict=1 of /import: objects with an index, and the strings that were seen in 2026.
    (
        400,
        '{"code":400,"error":"' + FAILED + '","failed_records":[{"index":0,"$insert_id":"","field":"properties.time",'
        '"message":"bad"}],"num_records_imported":2,"status":"Bad Request"}',
        "refused 0",
    ),
    (400, '{"failed_records":[{"index":2,"insert_id":"","message":"bad"}],"num_records_imported":2}', "refused 2"),
    (
        400,
        '{"code":400,"error":"' + FAILED + '","failed_records":["bad"],"num_records_imported":0,'
        '"status":"Bad Request"}',
        "opaque, none applied",
    ),
    # A count that does not agree.
    (200, '{"error":null,"errors":{},"num_good_events":2,"status":1}', "opaque"),
    (200, '{"error":null,"errors":{},"num_good_events":0,"status":1}', "opaque, none applied"),
    (200, '{"error":null,"errors":{},"num_good_events":4,"status":1}', "opaque"),
    (200, '{"error":"x","errors":{"1":"bad"},"num_good_events":3,"status":0}', "opaque, names 1"),
    (200, '{"error":"x","errors":{"1":"bad"},"num_good_events":0,"status":0}', "opaque, none applied, names 1"),
    (200, '{"code":200,"num_records_imported":1,"status":"OK"}', "opaque"),
    # One word for the whole request.
    (200, '{"error":"bad","status":1}', "opaque"),
    (200, '{"error":"bad","num_good_events":0,"status":0}', "opaque, none applied"),
    (400, '{"error":"bad","status":"error"}', "opaque"),
    (400, '{"code":400,"error":"bad"}', "opaque"),
    (400, "0", "opaque"),
    (200, '{"num_good_events":0}', "opaque, none applied"),
    (400, '{"error":null,"status":1}', "opaque"),
    # A fault that passes, inside a 200.
    (200, '{"status":0,"error":"a temporary failure occurred"}', "again, unknown"),
    (200, '{"status":0,"error":"a temporary failure occurred","num_good_events":0}', "again, not applied"),
    (200, '{"status":0,"error":"temporary_seats is not allowed"}', "opaque"),
    (200, '{"status":0,"error":"a temporary failure","num_good_events":2}', "opaque"),
    (200, '{"status":0,"error":"a temporary failure","errors":{"1":"bad"}}', "opaque, names 1"),
    (200, '{"status":1,"error":"a temporary failure"}', "opaque"),
    # Credentials and networks.
    (401, '{"error":"Unauthorized","status":"error"}', "halt 401"),
    (401, '{"code":401,"error":"Not a valid service account username"}', "halt 401"),
    (403, '{"error":"Forbidden","status":"error"}', "halt 403"),
    (403, "<html>Google</html>", "halt 403"),
    # Sizes.
    (413, '{"code":413,"error":"request exceeds max limit of 2097152 bytes","status":"..."}', "too large"),
    (413, "<html><title>Error 413 (Request Entity Too Large)!!1</title></html>", "too large"),
    (413, "", "too large"),
    (414, "<html></html>", "halt 414"),
    # Capacity.
    (429, '{"code":429,"error":"Project exceeded rate limits.","status":"Too Many"}', "again, not applied, slower"),
    (429, '{"error":"Project exceeded rate limits.","status":0}', "again, not applied, slower"),
    # Servers.
    (408, "<html></html>", "again, unknown"),
    (500, "Internal server error", "again, unknown"),
    (500, '{"error":null,"status":1}', "again, unknown"),
    (502, "<html>nginx</html>", "again, unknown, patiently"),
    (503, ENVOY, "again, unknown, patiently"),
    (504, "", "again, unknown"),
    (524, "", "again, unknown"),
    (599, "", "again, unknown"),
    # A 2xx that cannot be read.
    (200, "", "again, unknown"),
    (204, "", "again, unknown"),
    (200, "<html>captive portal</html>", "again, unknown"),
    (200, ENVOY, "again, unknown"),
    (200, '{"error":null,"status":1', "again, unknown"),
    (200, "[]", "again, unknown"),
    (200, '"1"', "again, unknown"),
    (200, "true", "again, unknown"),
    (200, "2", "again, unknown"),
    (200, "null", "again, unknown"),
    (200, '{"hello":"world"}', "again, unknown"),
    (201, '{"error":null,"status":1}', "accepted"),
    # A 400 that is not Mixpanel's, and every other status.
    (400, "<html><title>400 Bad Request</title></html>", "halt 400"),
    (400, "", "halt 400"),
    (400, "1", "halt 400"),
    (400, "[]", "halt 400"),
    (400, '{"message":"bad gateway configuration"}', "halt 400"),
    (400, '{"error":"bad"}', "halt 400"),
    (400, '{"code":400,"message":"bad"}', "halt 400"),
    (400, '{"error":{"code":400,"message":"Google\'s, not Mixpanel\'s"}}', "halt 400"),
    (100, "", "halt 100"),
    (301, "", "halt 301"),
    (302, '{"error":null,"status":1}', "halt 302"),
    (307, "", "halt 307"),
    (404, "<html></html>", "halt 404"),
    (405, "", "halt 405"),
    (407, "", "halt 407"),
    (422, '{"error":null,"status":1}', "halt 422"),
    (600, "", "halt 600"),
]


@pytest.mark.parametrize(("status", "body", "expected"), SEEN)
def test_the_table(status: int, body: str, expected: str):
    """Each answer has one meaning, and a 200 alone means nothing."""
    assert said(read(Answer(status, body.encode()), SENT)) == expected


# Indexes that name no update of the request, or name one twice, place nothing.
@pytest.mark.parametrize("key", ["3", "-1", "1.0", "one", "", "²", "1 ", "9999999999999999999999", "0000000001"])
def test_an_index_that_the_request_does_not_have_places_nothing(key: str):
    """Blame by a wrong index would lose one record and hide another: the answer is opaque instead."""
    body = '{"error":"x","errors":{"' + key + '":"bad"},"status":0}'
    assert said(read(Answer(200, body.encode()), SENT)) == "opaque"


@pytest.mark.parametrize("index", ["3", "-1", "1.0", '"1"', "true", "null", "[1]"])
def test_a_failed_record_without_an_index_of_the_request_places_nothing(index: str):
    """The same for `failed_records`; so does one index twice, and a mixture of objects and strings."""
    for records in (f'[{{"index":{index},"message":"x"}}]', f'[{{"index":0}},{{"index":{index}}}]'):
        body = '{"failed_records":' + records + ',"status":0}'
        assert said(read(Answer(400, body.encode()), SENT)) == "opaque"


@pytest.mark.parametrize(
    "body",
    [
        '{"failed_records":[{"index":1},{"index":1}],"status":0}',
        '{"failed_records":[{"index":1},"bad"],"status":0}',
        '{"failed_records":{"1":"bad"},"status":0}',
        '{"failed_records":"bad","status":0}',
        '{"errors":{"1":"bad","01":"bad"},"status":0}',
        '{"errors":{"1":"bad","words":"bad"},"status":0}',
        '{"errors":"bad","status":0}',
        '{"failed_records":[{"index":1}],"errors":{"2":"bad"},"status":0}',
    ],
)
def test_what_contradicts_itself_places_nothing(body: str):
    """Two lists that disagree, one index twice, other shapes: opaque."""
    assert said(read(Answer(200, body.encode()), SENT)) == "opaque"


def test_two_lists_that_agree_are_one():
    """`errors` and `failed_records` of the same indexes are read as one."""
    body = b'{"failed_records":[{"index":1,"message":"no"}],"errors":{"1":"bad"},"num_good_events":2,"status":0}'
    verdict = read(Answer(200, body), SENT)
    assert isinstance(verdict, Refused)
    assert verdict.messages == {1: "bad"}


def test_the_last_index_of_a_full_request_is_readable():
    """Index 1999 of 2,000 is placed; 2000 is not."""
    assert said(read(Answer(200, b'{"errors":{"1999":"bad"},"status":1}'), 2000)) == "refused 1999"
    assert said(read(Answer(200, b'{"errors":{"2000":"bad"},"status":0}'), 2000)) == "opaque"


def test_retry_after_makes_a_503_a_matter_of_capacity():
    """Retry-After is honoured with 429 and 503, and slows everything; after a 503 the outcome stays unknown."""
    assert said(read(Answer(429, retry_after=7.0), SENT)) == "again, not applied, slower after 7"
    assert said(read(Answer(503, retry_after=0.0), SENT)) == "again, unknown, slower after 0"
    assert said(read(Answer(500, retry_after=7.0), SENT)) == "again, unknown"


@pytest.mark.parametrize(
    ("failure", "cause", "expected"), [(NOT_SENT, "refused", "not applied"), (UNKNOWN, "timeout", "unknown")]
)
def test_no_answer_at_all(failure: str, cause: str, expected: str):
    """What was never sent is known not to be applied; what may have arrived is unknown. The cause is kept."""
    verdict = read(Answer(0, failure=failure, cause=cause), SENT)
    assert isinstance(verdict, Again)
    assert said(verdict) == f"again, {expected}"
    assert verdict.cause == cause
    assert read(Answer(0, failure=failure), SENT).cause == failure


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (200, "", "unreadable"),
        (200, '{"status":0,"error":"a temporary failure occurred"}', "temporary"),
        (408, "", "408"),
        (502, "", "502"),
        (503, "", "503"),
        (429, "", "429"),
    ],
)
def test_the_cause_of_a_retry_is_one_word(status: int, body: str, cause: str):
    """Logs and metrics name the status, or what was wrong with the body."""
    verdict = read(Answer(status, body.encode()), SENT)
    assert isinstance(verdict, Again)
    assert verdict.cause == cause


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"errors":{"0":"plain words"}}', "plain words"),
        ('{"errors":{"0":""}}', "refused without a reason"),
        ('{"errors":{"0":{"field":"$set"}}}', '{"field":"$set"}'),
        ('{"errors":{"0":' + "[" * 300 + "]" * 300 + "}}", "refused, in words that nest too deep to repeat"),
        ('{"errors":{"0":"' + "x" * 5000 + '"}}', "x" * 2048),
        ('{"failed_records":[{"index":0,"field":"$set","message":"too many"}]}', "$set: too many"),
        ('{"failed_records":[{"index":0,"error":"too many"}]}', "too many"),
        ('{"failed_records":[{"index":0,"field":7}]}', "refused"),
    ],
)
def test_mixpanels_words_are_kept(body: str, words: str):
    """A refused update has Mixpanel's own words, never empty and never long, whatever their shape."""
    verdict = read(Answer(200, body.encode()), 1)
    assert isinstance(verdict, Refused)
    assert verdict.messages == {0: words}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error":"bad","status":0}', "bad"),
        ('{"error":{"code":1},"status":0}', '{"code":1}'),
        ('{"failed_records":["one","two"],"status":0}', '["one","two"]'),
        ('{"errors":{"words":1},"status":0}', '{"words":1}'),
        ('{"status":0}', "refused without a reason"),
        ("0", "0"),
    ],
)
def test_an_opaque_answer_keeps_its_words(body: str, words: str):
    """What is bisected down to one update is refused in the words of its answer."""
    verdict = read(Answer(200, body.encode()), SENT)
    assert isinstance(verdict, Opaque)
    assert verdict.message == words


def test_the_words_of_a_413():
    """Its body may be a page: the start of it is kept, else the status."""
    long = read(Answer(413, b"\xff" + b"x" * 1000), SENT)
    assert isinstance(long, TooLarge)
    assert len(long.message) == 200
    empty = read(Answer(413, b" \n"), SENT)
    assert isinstance(empty, TooLarge)
    assert empty.message == "413"


def test_deep_and_huge_bodies_are_unreadable_not_fatal():
    """A hostile body is a 2xx that cannot be read."""
    for body in (b"[" * 100_000, b'{"status":' * 2000 + b"1" + b"}" * 2000, b"\xff\xfe", b'"\\ud800"'):
        assert said(read(Answer(200, body), SENT)) == "again, unknown"
