"""What becomes of one record that was read: an operation with its JSON, a dead letter, or its partition is held."""

from collections.abc import Mapping
from typing import Final, final

from consumer.core.model import DeadLetter, Record
from consumer.core.partitions import FAULT, RULES, SCHEMA
from consumer.core.quarantine import Quarantine
from consumer.core.schemas import Schemas
from consumer.event.convert import convert
from consumer.event.decode import frame
from consumer.event.encode import bounded_tail
from consumer.event.errors import TRANSFORMATION, UNKNOWN_PROJECT, Reject
from consumer.event.model import DEFAULT, Operation, SchemaRef

TAKEN: Final = 0
REJECTED: Final = 1
HELD: Final = 2


@final
class Taken:
    """One record, taken in: `operation` of `project` with its `tail` as JSON, or `dead_letter`, or why it is held."""

    __slots__ = ("cause", "dead_letter", "operation", "outcome", "project", "schema", "tail", "words")

    def __init__(self, outcome: int) -> None:
        self.outcome = outcome
        self.project = DEFAULT
        self.operation: Operation | None = None
        self.tail = b""
        self.dead_letter: DeadLetter | None = None
        self.cause = ""
        self.words = ""
        self.schema: SchemaRef | None = None


@final
class Intake:
    """Decodes, converts and encodes, but for what is quarantined. `schemas` are those known so far."""

    __slots__ = ("_openings", "_quarantine", "schemas")

    def __init__(self, openings: Mapping[str, int], quarantine: Quarantine | None = None) -> None:
        self._openings = dict(openings)
        self._quarantine = quarantine
        self.schemas = Schemas()

    def take(self, record: Record, now: float) -> Taken:
        """What becomes of the record. No fault of our own gets past here: it holds the record's partition."""
        schema: SchemaRef | None = None
        quarantine = self._quarantine
        project = ""
        company: str | None = None
        try:
            if quarantine is not None:
                quarantine.place(record)
            schema, start = frame(record.value, record.headers)
            if quarantine is not None:
                quarantine.schema(schema)
            decoder = self.schemas.decoder(schema, now)
            if decoder is None:
                self.schemas.want(schema)
                cause = RULES if schema in self.schemas.ruled else SCHEMA
                return held(cause, f"schema {schema} is not known yet", schema)
            assert record.value is not None
            change = decoder.decode(record.value, start)
            taken = Taken(TAKEN)
            taken.project = DEFAULT if change.project is None else change.project
            opening = self._openings.get(taken.project, -1)
            project = taken.project if opening >= 0 else ""
            operation = convert(change)
            taken.operation = operation
            company = operation.company_id
            if quarantine is not None:
                quarantine.change(taken.project, operation)
            if opening < 0:
                raise Reject(UNKNOWN_PROJECT, TRANSFORMATION, no_project(change.project))
            taken.tail = bounded_tail(operation, opening)
            return taken
        except Reject as reject:
            taken = Taken(REJECTED)
            taken.dead_letter = DeadLetter(
                record, reject.reason, reject.stage, reject.detail, schema, project=project, company_id=company
            )
            return taken
        except Exception as fault:  # noqa: BLE001  # whatever it is, it is one record's
            return held(FAULT, f"a fault of the service itself: {type(fault).__name__}", None)

    def token_changed(self, project: str, opening: int) -> None:
        """Each update of the project begins with so many bytes from now on."""
        self._openings[project] = opening

    def look_ahead(self, record: Record, now: float) -> None:
        """The record waits behind another: ask for its schema at once."""
        try:
            schema, _ = frame(record.value, record.headers)
        except Reject:
            return
        self.schemas.want_ahead(schema, now)


def held(cause: str, words: str, schema: SchemaRef | None) -> Taken:
    """The record's partition is held at it."""
    taken = Taken(HELD)
    taken.cause = cause
    taken.words = words
    taken.schema = schema
    return taken


def no_project(name: str | None) -> str:
    """Why there is no project for the change."""
    if name is None:
        return "the change names no project, and there is no default one (MIXPANEL_TOKEN)"
    return "the change names a project that MIXPANEL_PROJECTS_FILE does not have"
