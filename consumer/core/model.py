"""The values that flow from a poll to a commit. None of them is changed once it is made, but for `Record.sealed`."""

from typing import Final, TypeAlias, final

from consumer.compiling import mypyc_attr
from consumer.event.model import Headers, SchemaRef

# What a project knows a group by, as all updates of it begin: JSON of its key, its id, and the parent company's id
# where there is one; see `encode.group_part`.
Group: TypeAlias = bytes


@final
class Assignment:
    """One assignment of one partition: the epoch that every record, batch and result of it carries.

    Compared by identity: the same partition assigned again is another epoch. `topic_id` tells a recreated topic
    from the one before; it is empty until it is known. Below the offset `doubtful` any record may have been applied
    and committed before: the log was cut, and nobody says where; 0 as a rule.
    """

    __slots__ = ("doubtful", "partition", "topic", "topic_id")

    def __init__(self, topic: str, partition: int, topic_id: str = "", doubtful: int = 0) -> None:
        self.topic = topic
        self.partition = partition
        self.topic_id = topic_id
        self.doubtful = doubtful

    def __repr__(self) -> str:
        return f"{self.topic}[{self.partition}]"


@final
@mypyc_attr(acyclic=True)
class Record:
    """One Kafka record as it came. `timestamp` is in milliseconds, -1 where the record has none.

    `polled_at` is in seconds of the loop's clock; `size` counts the bytes of key, value and headers. `headers_lost`
    counts the headers that the client could not give. `sealed` says that fields of it came encrypted, and that its
    dead letter tells nothing of them.
    """

    __slots__ = (
        "assignment",
        "headers",
        "headers_lost",
        "key",
        "offset",
        "polled_at",
        "sealed",
        "size",
        "timestamp",
        "value",
    )

    def __init__(
        self,
        assignment: Assignment,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        timestamp: int,
        polled_at: float,
        headers_lost: int = 0,
    ) -> None:
        self.assignment = assignment
        self.offset = offset
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
        self.polled_at = polled_at
        self.headers_lost = headers_lost
        self.sealed = False
        size = 0
        if key is not None:
            size += len(key)
        if value is not None:
            size += len(value)
        if headers:
            for name, header in headers:
                size += len(name) + (len(header) if header is not None else 0)
        self.size = size

    def __repr__(self) -> str:
        return f"{self.assignment}@{self.offset}"


@final
class Answer:
    """What came back for one request: a status with its body, or the failure that took its place.

    `status` is 0 where no answer was read; `failure` then says why: one of `NOT_SENT` or `UNKNOWN`, with
    `cause` as a word for logs and metrics. `retry_after` is in seconds, None where the header was absent.
    `seconds` is how long the request took.
    """

    __slots__ = ("body", "cause", "failure", "retry_after", "seconds", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        retry_after: float | None = None,
        failure: str = "",
        cause: str = "",
        seconds: float = 0.0,
    ) -> None:
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.failure = failure
        self.cause = cause
        self.seconds = seconds


# A request that failed before anything of it was sent (refused, DNS, TLS): known not applied.
NOT_SENT: Final = "not_sent"
# A request that may have arrived (time-out, reset once sent): Mixpanel may have applied it.
UNKNOWN: Final = "unknown"


@final
class DeadLetter:
    """A record that cannot be applied, with all that the dead-letter topic is to say of it.

    `update` is the JSON of this record's own update, without a token, where one was made; `project` (its name, empty
    where it is not known) and `company_id` say whose it was. `detail` and `error` (Mixpanel's words) are text;
    `status` is 0 where Mixpanel was not asked; `schema` None where no frame was read. `rule` is the mapping's, or
    several with commas between; `parts` are the refused ones of a record that made several updates, and `update` is
    then the array of theirs.
    """

    __slots__ = (
        "company_id",
        "detail",
        "error",
        "parts",
        "project",
        "reason",
        "record",
        "rule",
        "schema",
        "stage",
        "status",
        "update",
    )

    def __init__(
        self,
        record: Record,
        reason: str,
        stage: str,
        detail: str,
        schema: SchemaRef | None = None,
        status: int = 0,
        error: str = "",
        update: bytes = b"",
        project: str = "",
        company_id: str | None = None,
        rule: str = "",
    ) -> None:
        self.record = record
        self.reason = reason
        self.stage = stage
        self.detail = detail
        self.schema = schema
        self.status = status
        self.error = error
        self.update = update
        self.project = project
        self.company_id = company_id
        self.rule = rule
        self.parts: list[DeadLetter] = []
