"""What becomes of one record that was read: an operation with its JSON, a dead letter, or its partition is held."""

from collections.abc import Collection, Mapping
from typing import final

from consumer.core.causes import FAULT, RULES, SCHEMA
from consumer.core.errors import KeyWanted
from consumer.core.mapped import MappedTopic
from consumer.core.model import DeadLetter, Record
from consumer.core.past import Past
from consumer.core.quarantine import Quarantine
from consumer.core.redelivery import judged
from consumer.core.schemas import Schemas
from consumer.core.sealed import opened
from consumer.core.taken import TAKEN, Taken, held, rejected
from consumer.event.convert import convert
from consumer.event.decode import frame
from consumer.event.encode import bounded_tail
from consumer.event.errors import TRANSFORMATION, UNKNOWN_PROJECT, Reject
from consumer.event.model import DEFAULT, SchemaRef
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import Mapped


@final
class Intake:
    """Decodes, converts and encodes, but for what is quarantined. `schemas` are those known so far."""

    __slots__ = ("_mapped", "_openings", "_past", "_quarantine", "schemas")

    def __init__(
        self,
        openings: Mapping[str, int],
        quarantine: Quarantine | None = None,
        mapped: Mapping[str, TopicMap] | None = None,
        only: Mapping[Record, Collection[str]] | None = None,
        past: Past | None = None,
    ) -> None:
        """`mapped` are the topics that a mapping file names; `only` has records that some rules alone apply to.

        `past` is what earlier owners did with `$add`s.
        """
        self._past = past
        self._openings = dict(openings)
        self._quarantine = quarantine
        self.schemas = Schemas()
        self._mapped: dict[str, MappedTopic] = {}
        for topic, rules in (mapped or {}).items():
            self._mapped[topic] = MappedTopic(topic, rules, self._openings, quarantine, self.schemas, only)

    def take(self, record: Record, now: float) -> Taken:
        """What becomes of the record. No fault of our own gets past here: it holds the record's partition."""
        mapped = self._mapped
        try:
            if mapped:
                topic = mapped.get(record.assignment.topic)
                if topic is not None:
                    return self._judged(record, topic.take(record, now))
            return self._judged(record, self._take(record, now))
        except Exception as fault:  # noqa: BLE001  # whatever it is, it is one record's
            return held(FAULT, f"a fault of the service itself: {type(fault).__name__}", None, {})

    def _judged(self, record: Record, taken: Taken) -> Taken:
        past = self._past
        return taken if past is None else judged(past, record, taken)

    def _take(self, record: Record, now: float) -> Taken:
        """A record of the built-in event."""
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
                return self._held(schema)
            change = decoder.decode(self._opened(record, schema, start), start)
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
            return rejected(
                DeadLetter(
                    record, reject.reason, reject.stage, reject.detail, schema, project=project, company_id=company
                )
            )

        except KeyWanted as wanted:
            return self._held_for_key(schema, wanted)

    def _opened(self, record: Record, schema: SchemaRef, start: int) -> bytes:
        """The value, with encrypted fields in the clear. Raises `Reject`, `KeyWanted`."""
        value = record.value
        assert value is not None
        seals = self.schemas.seals
        return opened(seals, schema, record, value, start) if seals else value

    def _held(self, schema: SchemaRef) -> Taken:
        """The partition waits for this schema."""
        self.schemas.want(schema)
        cause = RULES if schema in self.schemas.ruled else SCHEMA
        return held(cause, f"schema {schema} is not known yet", schema, {"id": schema})

    def _held_for_key(self, schema: SchemaRef | None, wanted: KeyWanted) -> Taken:
        """The partition waits for a data key of this schema."""
        assert schema is not None
        self.schemas.want(schema)
        return held(RULES, str(wanted), schema, {"id": schema})

    def token_changed(self, project: str, opening: int) -> None:
        """Each update of the project begins with so many bytes from now on."""
        self._openings[project] = opening

    def look_ahead(self, record: Record, now: float) -> None:
        """The record waits behind another: ask for its schema at once."""
        topic = self._mapped.get(record.assignment.topic)
        if topic is not None:
            topic.look_ahead(record, now)
            return
        try:
            schema, _ = frame(record.value, record.headers)
        except Reject:
            return
        self.schemas.want_ahead(schema, now)

    def count(self, record: Record, mapped: Mapped) -> None:
        """The mapped record is taken in."""
        self._mapped[record.assignment.topic].count(mapped)

    def mapped_topics(self) -> list[MappedTopic]:
        """The mapped topics, with what was counted of each."""
        return list(self._mapped.values())


def no_project(name: str | None) -> str:
    """Why there is no project for the change."""
    if name is None:
        return "the change names no project, and there is no default one (MIXPANEL_TOKEN)"
    return "the change names a project that MIXPANEL_PROJECTS_FILE does not have"
