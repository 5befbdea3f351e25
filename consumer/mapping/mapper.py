"""The rules at work: for each topic of the file what its records come to."""

import json
from collections.abc import Collection, Sequence
from typing import Final, final

from consumer.avro.errors import InvalidDatum
from consumer.avro.schema import UNION, Type
from consumer.event.errors import TOMBSTONE, VALUE_CONVERTER, Reject
from consumer.event.model import SchemaRef
from consumer.mapping.bodies import KeyPlan, ValuePlan, found, passed
from consumer.mapping.decide import (
    BURIED,
    CREATED,
    DELETED,
    NEITHER,
    READ,
    UPDATED,
    WRITTEN,
    Case,
    decide,
    refusal,
)
from consumer.mapping.errors import Hold, Unfit
from consumer.mapping.keys import WINDOWED, key_frame, plain_key, windowed
from consumer.mapping.layout import Planner, branches
from consumer.mapping.outcome import UNMATCHED, Ignored, Mapped, Part, RuleRefusal
from consumer.mapping.placeholders import Placeholder
from consumer.mapping.rules import Mapping, Rule, TopicSettings
from consumer.mapping.seen import Body, Incoming, Seen, at
from consumer.mapping.words import DEBEZIUM, EVENT, KEY_SCHEMA, ROW

PLACEHOLDER: Final = b"__debezium_unavailable_value"
NEW_KEY: Final = "__debezium.newkey"
OPS: Final = {"c": CREATED, "r": READ, "u": UPDATED, "d": DELETED, "t": NEITHER, "m": NEITHER}
TEXT_AT_FAULT: Final = "text that is not UTF-8"


@final
class Mapper:
    """The file at work. `compacted` are the topics that Kafka compacts, `secret` is `MAPPING_HASH_KEY`."""

    __slots__ = ("_topics",)

    def __init__(self, mapping: Mapping, secret: bytes, compacted: Collection[str]) -> None:
        self._topics: dict[str, TopicMap] = {}
        for rule in mapping.rules:
            for topic in rule.topics:
                if topic not in self._topics:
                    rules = [other for other in mapping.rules if topic in other.topics]
                    settings = mapping.topics.get(topic, TopicSettings(False, PLACEHOLDER, 0))
                    self._topics[topic] = TopicMap(rules, settings, mapping.takes, secret, topic in compacted)

    def topic(self, name: str) -> "TopicMap | None":
        """The rules of this topic; None where it carries the built-in event."""
        return self._topics.get(name)


@final
class TopicMap:
    """The rules of one topic. `needs_key` says that a path of theirs is of the key, `schema_key` that it is Avro.

    `compacted` may be set when it is known.
    """

    __slots__ = ("_planner", "_secret", "_settings", "compacted", "format", "needs_key", "rules", "schema_key")

    def __init__(
        self, rules: list[Rule], settings: TopicSettings, takes: int, secret: bytes, compacted: bool
    ) -> None:
        self.rules = rules
        self.format = rules[0].format
        self.needs_key = any(take.path.of_key for rule in rules for take in rule.takes())
        self.schema_key = self.needs_key and rules[0].key == KEY_SCHEMA
        self._settings = settings
        self._secret = secret
        self.compacted = compacted
        placeholder = None if self.format == EVENT else Placeholder(settings.unavailable)
        self._planner = Planner(takes, secret, placeholder)

    def value_plan(self, writer: Type, earlier: Sequence[Type] = (), later: Sequence[Type] = ()) -> ValuePlan:
        """How values of the writer's schema are read. `earlier` and `later` are the versions that its subject has
        before and after it: they are looked at only where a path is missing.

        Raises `Hold` where a rule does not fit; with `missing` other versions may explain it.
        """
        layouts = [self._planner.value(self.rules, branch, earlier, later) for branch in branches(writer)]
        return ValuePlan(layouts, writer.kind == UNION)

    def key_plan(self, writer: Type) -> KeyPlan:
        """How keys of the writer's schema are read. Raises `Hold` where a rule does not fit."""
        return KeyPlan(self._planner.key(self.rules, writer))

    def key_frame(self, record: Incoming) -> tuple[SchemaRef, int] | None:
        """The key's schema and where its data starts; None where no schema is needed, or the key names none."""
        if not self.schema_key or record.key is None:
            return None
        return key_frame(record.key, record.headers)

    def apply(
        self,
        record: Incoming,
        plan: ValuePlan | None,
        start: int,
        key_plan: KeyPlan | None,
        key_start: int,
        key_fault: str = "",
    ) -> Mapped:
        """What the record comes to. `plan` is None for a tombstone; `start` is where the value's data starts.

        `key_plan` is that of the key's schema, None where `key_frame` names none; `key_fault` says why its schema
        cannot be had: rules that need the key refuse the record.

        Raises `Reject` for a value that is no datum of its schema, and a tombstone of events; `Hold`.
        """
        mapped = Mapped()
        body: Body | None = None
        rules = self.rules
        if record.value is None or plan is None:
            if self.format == EVENT:
                raise Reject(TOMBSTONE, VALUE_CONVERTER, "the value is null, which is no change")
        else:
            body = found(record.value, start, plan.layouts, plan.union)
            if body is None:
                return self._unmatched()
            rules = body.layout.rules
            mapped.left_out = len(body.layout.left_out)
        seen = Seen(record, body, self._secret)
        if self.needs_key and record.key is not None:
            self._read_key(seen, record.key, key_plan, key_start, key_fault)
        for rule in rules:
            mapped.add(self._decided(rule, seen))
        return mapped

    def _unmatched(self) -> Mapped:
        """A value of a type that no rule has."""
        mapped = Mapped()
        if self._settings.unmatched_ignored:
            mapped.ignored.append(Ignored("", UNMATCHED))
        else:
            mapped.unmapped = True
        return mapped

    def _decided(self, rule: Rule, seen: Seen) -> Part | RuleRefusal | Ignored:
        """One rule, apart from all others."""
        seen.asked = None
        try:
            return decide(rule, seen, self._case(rule, seen))
        except Unfit as unfit:
            return refusal(rule, seen, unfit.detail, unfit.reason)
        except InvalidDatum as fault:
            return refusal(rule, seen, fault.detail)
        except UnicodeDecodeError:
            return refusal(rule, seen, TEXT_AT_FAULT)

    def _case(self, rule: Rule, seen: Seen) -> Case:
        """What the format says of the record."""
        body = seen.data
        if body is None:
            return Case(BURIED, False, self.compacted, renamed(seen))
        layout = body.layout
        if self.format == ROW:
            kind = WRITTEN
            if layout.deleted is not None and at(body, layout.deleted, False) in ("true", True):
                kind = DELETED
            return Case(kind, False, self.compacted, None)
        if self.format != DEBEZIUM:
            return Case(WRITTEN, False, self.compacted, None)
        assert layout.op is not None
        assert layout.before is not None
        assert layout.after is not None
        kind = OPS.get(str(at(body, layout.op, False)), -1)
        if kind < 0:
            raise Unfit("op is none of c, r, u, d, t, m")
        if kind in (CREATED, READ, UPDATED) and at(body, layout.after, False) is None:
            raise Unfit("after is null, and op says that there is a row")
        before = rule.before_whole and at(body, layout.before, False) is not None
        return Case(kind, before, self.compacted, renamed(seen) if kind == DELETED else None)

    def _read_key(self, seen: Seen, key: bytes, plan: KeyPlan | None, start: int, fault: str) -> None:
        """Find the key's places, or what it is."""
        how = self.rules[0].key
        if fault:
            seen.key_fault = fault
        elif how != KEY_SCHEMA:
            if windowed(key, how):
                raise Hold(self.rules[0].name, "key", WINDOWED)
            try:
                seen.plain_key = plain_key(key, how)
            except ValueError as problem:
                seen.key_fault = str(problem)
        elif plan is None:
            seen.key_fault = "the key starts with no schema id (byte 0 and 4 bytes)"
        else:
            try:
                body = passed(key, start, plan.layout)
            except Reject as problem:
                seen.key_fault = f"the key is corrupt: {problem.detail}"
                return
            if body.cursor.pos != body.cursor.end:
                raise Hold(self.rules[0].name, "key", WINDOWED)
            seen.key = body


def renamed(seen: Seen) -> frozenset[str] | None:
    """The columns of a key that was changed, as far as they can be known; None where it was not."""
    try:
        text = seen.header(NEW_KEY)
    except UnicodeDecodeError:
        return frozenset()
    if text is None:
        return None
    try:
        key = json.loads(text)
    except ValueError:
        return frozenset()
    if isinstance(key, dict) and isinstance(key.get("payload"), dict):
        key = key["payload"]
    return frozenset(key) if isinstance(key, dict) else frozenset()
