"""The values that flow from a poll to a commit. None of them is changed once it is made.

The verbs are small integers, since the compiled core compares them without a call; `VERB_NAMES` has the
names that Mixpanel reads.
"""

from typing import Final, TypeAlias, final

SET: Final = 0
SET_ONCE: Final = 1
ADD: Final = 2
UNION: Final = 3
REMOVE: Final = 4
UNSET: Final = 5
DELETE: Final = 6

VERB_NAMES: Final = ("$set", "$set_once", "$add", "$union", "$remove", "$unset", "$delete")
VERBS: Final = {
    "SET": SET,
    "SET_ONCE": SET_ONCE,
    "ADD": ADD,
    "UNION": UNION,
    "REMOVE": REMOVE,
    "UNSET": UNSET,
    "DELETE": DELETE,
}

# A registry names a schema by an integer id (Confluent's frame) or a GUID (the `__value_schema_id` header).
SchemaRef: TypeAlias = int | str
Headers: TypeAlias = list[tuple[str, bytes | None]]


@final
class Assignment:
    """One assignment of one partition: the epoch that every record, batch and result of it carries.

    Compared by identity: the same partition assigned again is another epoch.
    """

    __slots__ = ("partition", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition

    def __repr__(self) -> str:
        return f"{self.topic}[{self.partition}]"


@final
class Record:
    """One Kafka record as it came. `timestamp` is in milliseconds, -1 where the record has none.

    `polled_at` is in seconds of the loop's clock; `size` counts the bytes of key, value and headers.
    """

    __slots__ = ("assignment", "headers", "key", "offset", "polled_at", "size", "timestamp", "value")

    def __init__(
        self,
        assignment: Assignment,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        timestamp: int,
        polled_at: float,
    ) -> None:
        self.assignment = assignment
        self.offset = offset
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
        self.polled_at = polled_at
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
class Change:
    """A decoded event: the eight fields of `group_change.avsc`, version 1."""

    __slots__ = (
        "event_id",
        "group_id",
        "group_key",
        "occurred_at",
        "operation",
        "project",
        "properties",
        "property_names",
    )

    def __init__(
        self,
        event_id: str,
        occurred_at: int,
        project: str | None,
        group_key: str,
        group_id: str,
        operation: str,
        properties: dict[str, object],
        property_names: list[str],
    ) -> None:
        self.event_id = event_id
        self.occurred_at = occurred_at
        self.project = project
        self.group_key = group_key
        self.group_id = group_id
        self.operation = operation
        self.properties = properties
        self.property_names = property_names


@final
class Operation:
    """One verb on one group. `values` maps a property to its value: to None for UNSET; empty for DELETE."""

    __slots__ = ("group_id", "group_key", "values", "verb")

    def __init__(self, group_key: str, group_id: str, verb: int, values: dict[str, object]) -> None:
        self.group_key = group_key
        self.group_id = group_id
        self.verb = verb
        self.values = values


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

    `update` is the JSON of this record's own update, where one was made. `detail` and `error` (Mixpanel's
    words) are text; `status` is 0 where Mixpanel was not asked; `schema` None where no frame was read.
    """

    __slots__ = ("detail", "error", "reason", "record", "schema", "stage", "status", "update")

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
    ) -> None:
        self.record = record
        self.reason = reason
        self.stage = stage
        self.detail = detail
        self.schema = schema
        self.status = status
        self.error = error
        self.update = update
