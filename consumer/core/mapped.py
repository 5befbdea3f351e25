"""What becomes of one record of a topic that a mapping file names: decided by its rules, or held for a schema."""

from collections.abc import Collection, Mapping
from typing import Final, final

from consumer.core.causes import MAPPING, RULES, SCHEMA
from consumer.core.errors import KeyWanted
from consumer.core.mapped_counts import MappedCounts
from consumer.core.mapped_parts import MappedParts
from consumer.core.model import DeadLetter, Record
from consumer.core.quarantine import Quarantine
from consumer.core.schemas import MappedSchema, Schemas
from consumer.core.sealed import opened
from consumer.core.taken import Taken, held, rejected
from consumer.event.decode import frame
from consumer.event.errors import TRANSFORMATION, UNMAPPED, Reject
from consumer.event.model import SchemaRef
from consumer.mapping.bodies import KeyPlan, ValuePlan
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import Mapped
from consumer.mapping.seen import Incoming

NO_RULE: Final = "no rule of the mapping has this topic and record name"


@final
class MappedTopic:
    """Maps the records of one topic."""

    __slots__ = (
        "_counts",
        "_name",
        "_parts",
        "_quarantine",
        "_rules",
        "_schemas",
    )

    def __init__(
        self,
        name: str,
        rules: TopicMap,
        openings: Mapping[str, int],
        quarantine: Quarantine | None,
        schemas: Schemas,
        only: Mapping[Record, Collection[str]] | None = None,
    ) -> None:
        """`only` has records of which some rules alone apply: those that refused them before."""
        self._name = name
        self._rules = rules
        self._parts = MappedParts(rules, openings, quarantine, only)
        self._quarantine = quarantine
        self._schemas = schemas
        self._counts = MappedCounts()

    @property
    def name(self) -> str:
        """The topic."""
        return self._name

    def compaction_known(self, compacted: bool) -> None:
        """Whether Kafka compacts the topic."""
        self._rules.compacted = compacted

    def take(self, record: Record, now: float) -> Taken:
        """What becomes of the record."""
        schema: SchemaRef | None = None
        quarantine = self._quarantine
        place = record.assignment
        incoming = Incoming(
            place.topic, place.partition, record.offset, record.timestamp, record.key, record.value, record.headers
        )
        plan: ValuePlan | None = None
        start = 0
        try:
            if quarantine is not None:
                quarantine.place(record)
            if record.value is not None:
                schema, start = frame(record.value, record.headers)
                if quarantine is not None:
                    quarantine.schema(schema)
                need = (self._name, schema, False)
                found = self._schemas.plan(need, now)
                if found is None:
                    return self._held(record, need, now)
                assert isinstance(found, ValuePlan)
                plan = found
                if self._schemas.seals:
                    try:
                        incoming.value = opened(self._schemas.seals, need, record, record.value, start)
                    except KeyWanted as wanted:
                        return self._held_for_key(need, wanted)
            return self._applied(record, incoming, schema, plan, start, now)
        except Reject as reject:
            return rejected(DeadLetter(record, reject.reason, reject.stage, reject.detail, schema))
        except Hold as hold:
            detail: dict[str, object] = {"id": schema, "rule": hold.rule, "path": hold.path}
            return held(MAPPING, str(hold), None, detail)

    def look_ahead(self, record: Record, now: float) -> None:
        """The record waits behind another: ask for its schemas at once."""
        try:
            if record.value is not None:
                schema, _ = frame(record.value, record.headers)
                self._schemas.want_ahead((self._name, schema, False), now)
        except Reject:
            return
        self._key_ahead(record, now)

    # The schemas.

    def _key_ahead(self, record: Record, now: float) -> None:
        incoming = Incoming(self._name, 0, 0, 0, record.key, None, record.headers)
        framed = self._rules.key_frame(incoming)
        if framed is not None:
            self._schemas.want_ahead((self._name, framed[0], True), now)

    def _held(self, record: Record, need: MappedSchema, now: float) -> Taken:
        """The partition waits for this schema."""
        schemas = self._schemas
        schemas.want(need)
        if not need[2]:
            self._key_ahead(record, now)
        unfitting = schemas.unfitting.get(need)
        if unfitting is not None:
            return held(MAPPING, unfitting.words(), need, unfitting.detail(need))
        cause = RULES if need in schemas.ruled else SCHEMA
        return held(cause, f"schema {need[1]} is not known yet", need, {"id": need[1]})

    def _held_for_key(self, need: MappedSchema, wanted: KeyWanted) -> Taken:
        """The partition waits for a data key."""
        self._schemas.want(need)
        return held(RULES, str(wanted), need, {"id": need[1]})

    # The rules.

    def _applied(
        self,
        record: Record,
        incoming: Incoming,
        schema: SchemaRef | None,
        plan: ValuePlan | None,
        start: int,
        now: float,
    ) -> Taken:
        """The record is decided, or held for its key's schema."""
        key_plan: KeyPlan | None = None
        key_start = 0
        key_fault = ""
        framed = self._rules.key_frame(incoming) if self._rules.schema_key else None
        if framed is not None:
            key_schema, key_start = framed
            if self._quarantine is not None:
                self._quarantine.schema(key_schema)
            need = (self._name, key_schema, True)
            try:
                found = self._schemas.plan(need, now)
                if found is None:
                    return self._held(record, need, now)
                assert isinstance(found, KeyPlan)
                key_plan = found
                if self._schemas.seals and record.key is not None:
                    incoming.key = opened(self._schemas.seals, need, record, record.key, key_start)
            except KeyWanted as wanted:
                return self._held_for_key(need, wanted)
            except Reject as reject:
                key_fault = f"the key's schema: {reject.detail}"
        mapped = self._rules.apply(incoming, plan, start, key_plan, key_start, key_fault)
        if mapped.unmapped:
            raise Reject(UNMAPPED, TRANSFORMATION, NO_RULE)
        return self._parts.taken(record, schema, mapped)

    def count(self, mapped: Mapped) -> None:
        """The record that came to this is taken in."""
        self._counts.add(mapped)

    def take_counts(self) -> MappedCounts:
        """What was counted since the last call."""
        counts, self._counts = self._counts, MappedCounts()
        return counts
