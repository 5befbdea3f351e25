"""What becomes of one record of a topic that a mapping file names: its rules' updates, each decided on its own."""

from collections.abc import Collection, Mapping
from typing import Final, final

from consumer.core.model import DeadLetter, Record
from consumer.core.partitions import MAPPING, RULES, SCHEMA
from consumer.core.quarantine import Quarantine
from consumer.core.schemas import MappedSchema, Schemas
from consumer.core.taken import IGNORED, PARTED, REJECTED, TAKEN, Taken, held
from consumer.core.whole import joined
from consumer.event.decode import frame
from consumer.event.encode import bounded_tail
from consumer.event.errors import TRANSFORMATION, UNKNOWN_PROJECT, UNMAPPED, Reject
from consumer.event.model import DEFAULT, Operation, SchemaRef
from consumer.mapping.bodies import KeyPlan, ValuePlan
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import Mapped, Part, Refusal
from consumer.mapping.seen import Incoming

NO_RULE: Final = "no rule of the mapping has this topic and record name"
NO_PROJECT: Final = "no such project is in MIXPANEL_PROJECTS_FILE (MIXPANEL_TOKEN for the default one)"


@final
class Counts:
    """What records came to: `mapped` by rule, `ignored` by rule and why; `left_out` are paths that only a later
    version of a schema has."""

    __slots__ = ("ignored", "left_out", "mapped")

    def __init__(self) -> None:
        self.mapped: dict[str, int] = {}
        self.ignored: dict[tuple[str, str], int] = {}
        self.left_out = 0

    def add(self, mapped: Mapped) -> None:
        """One record more."""
        for part in mapped.parts:
            self.mapped[part.rule] = self.mapped.get(part.rule, 0) + 1
        for one in mapped.ignored:
            why = (one.rule, one.why)
            self.ignored[why] = self.ignored.get(why, 0) + 1
        self.left_out += mapped.left_out


@final
class MappedTopic:
    """Maps the records of one topic."""

    __slots__ = (
        "_counts",
        "_name",
        "_only",
        "_openings",
        "_places",
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
        self._places = {rule.name: place for place, rule in enumerate(rules.rules)}
        self._openings = openings
        self._quarantine = quarantine
        self._schemas = schemas
        self._only = only
        self._counts = Counts()

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
            except Reject as reject:
                key_fault = f"the key's schema: {reject.detail}"
        mapped = self._rules.apply(incoming, plan, start, key_plan, key_start, key_fault)
        if mapped.unmapped:
            raise Reject(UNMAPPED, TRANSFORMATION, NO_RULE)
        if self._only is not None:
            keep(mapped, self._only.get(record))
        parts = mapped.parts
        if len(parts) == 1 and not mapped.refusals and len(parts[0].operations) == 1:
            taken = self._part(record, schema, parts[0], parts[0].operations[0])
        else:
            taken = several(self._all(record, schema, mapped))
        taken.mapped = mapped
        return taken

    def _all(self, record: Record, schema: SchemaRef | None, mapped: Mapped) -> list[Taken]:
        """Every part of the record, in the file's order."""
        found: list[Taken] = []
        refusals = mapped.refusals
        after = 0
        for part in mapped.parts:
            while after < len(refusals) and self._places[refusals[after].rule] < self._places[part.rule]:
                found.append(refused(record, schema, refusals[after]))
                after += 1
            for operation in part.operations:
                found.append(self._part(record, schema, part, operation))  # noqa: PERF401  # compiled, the fastest
        for refusal in refusals[after:]:
            found.append(refused(record, schema, refusal))  # noqa: PERF401
        return found

    def _part(self, record: Record, schema: SchemaRef | None, part: Part, operation: Operation) -> Taken:
        """One update, within all limits, or its dead letter."""
        project = DEFAULT if part.project is None else part.project
        opening = self._openings.get(project, -1)
        try:
            if self._quarantine is not None:
                self._quarantine.change(project, operation)
            if opening < 0:
                raise Reject(UNKNOWN_PROJECT, TRANSFORMATION, NO_PROJECT)
            tail = bounded_tail(operation, opening)
        except Reject as reject:
            detail = f"rule {part.rule}: {reject.detail}"
            named = project if opening >= 0 else ""
            return rejected(
                DeadLetter(
                    record,
                    reject.reason,
                    reject.stage,
                    detail,
                    schema,
                    project=named,
                    company_id=operation.company_id,
                    rule=part.rule,
                )
            )
        taken = Taken(TAKEN)
        taken.project = project
        taken.operation = operation
        taken.tail = tail
        taken.rule = part.rule
        return taken

    def count(self, mapped: Mapped) -> None:
        """The record that came to this is taken in."""
        self._counts.add(mapped)

    def take_counts(self) -> Counts:
        """What was counted since the last call."""
        counts, self._counts = self._counts, Counts()
        return counts


def keep(mapped: Mapped, rules: Collection[str] | None) -> None:
    """Leave out what other rules made of the record; None keeps all."""
    if rules is not None:
        mapped.parts = [part for part in mapped.parts if part.rule in rules]
        mapped.refusals = [refusal for refusal in mapped.refusals if refusal.rule in rules]
        mapped.ignored = [one for one in mapped.ignored if one.rule in rules]


def several(parts: list[Taken]) -> Taken:
    """The record, from its parts: ignored without any, one dead letter where all of them are refused."""
    if not parts:
        return Taken(IGNORED)
    letters = [part.dead_letter for part in parts if part.dead_letter is not None]
    if len(letters) == len(parts):
        return rejected(letters[0] if len(letters) == 1 else joined(letters))
    taken = Taken(PARTED)
    taken.parts = parts
    return taken


def refused(record: Record, schema: SchemaRef | None, refusal: Refusal) -> Taken:
    """What one rule could not take."""
    return rejected(DeadLetter(record, refusal.reason, TRANSFORMATION, refusal.detail, schema, rule=refusal.rule))


def rejected(letter: DeadLetter) -> Taken:
    """The dead letter of a record, or of one of its parts."""
    taken = Taken(REJECTED)
    taken.dead_letter = letter
    return taken
