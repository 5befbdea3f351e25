"""The writers' schemas as far as they are known: with a way to read by them, of no use, or to be fetched."""

from typing import Final, TypeAlias, final

from consumer.core.clock import NEVER
from consumer.core.sealed import Seal
from consumer.event.decode import Decoder
from consumer.event.errors import UNKNOWN_SCHEMA, VALUE_CONVERTER, Reject
from consumer.event.model import SchemaRef
from consumer.mapping.bodies import KeyPlan, ValuePlan

# How many may be asked for ahead of the records that need them, and how many more wait for their turn.
MOST_AHEAD: Final = 256
MOST_LATER: Final = 16_384
# How long an id that the registry does not know is remembered as unknown, in seconds.
UNKNOWN_FOR: Final = 60.0

# A schema as a topic's mapping reads it: the topic, the schema, and whether it is the key's.
MappedSchema: TypeAlias = tuple[str, SchemaRef, bool]
# What a record needs before it can be taken in: a schema of the built-in event, or of a mapped topic.
Need: TypeAlias = SchemaRef | MappedSchema
Plan: TypeAlias = ValuePlan | KeyPlan
Reader: TypeAlias = Decoder | Plan


def schema_of_need(need: Need) -> SchemaRef:
    """The schema that is needed."""
    return need[1] if isinstance(need, tuple) else need


@final
class Unfitting:
    """A schema that the mapping does not fit: which rule, which of its paths, and why."""

    __slots__ = ("path", "rule", "why")

    def __init__(self, rule: str, path: str, why: str) -> None:
        self.rule = rule
        self.path = path
        self.why = why

    def words(self) -> str:
        """For a person."""
        return f"rule {self.rule}, {self.path}: {self.why}"

    def detail(self, need: Need) -> dict[str, object]:
        """For /status."""
        return {"id": schema_of_need(need), "rule": self.rule, "path": self.path}


@final
class Schemas:
    """What is known of each schema that a record named. `wanted` are those to fetch, each once."""

    __slots__ = ("_asked", "_decoders", "_later", "_plans", "_refused", "ruled", "seals", "unfitting", "wanted")

    def __init__(self) -> None:
        self._decoders: dict[SchemaRef, Decoder] = {}
        self._plans: dict[MappedSchema, Plan] = {}
        self._refused: dict[Need, tuple[str, str, float]] = {}
        self._asked: set[Need] = set()  # wanted, or being fetched
        self._later: dict[Need, None] = {}  # to be asked for ahead, as soon as fewer are
        self.ruled: set[Need] = set()  # those with rules that are not run here
        self.seals: dict[object, Seal] = {}  # by need, of those with encrypted fields
        self.unfitting: dict[Need, Unfitting] = {}
        self.wanted: list[Need] = []

    def decoder(self, ref: SchemaRef, now: float) -> Decoder | None:
        """How to read records of this schema; None where it must be fetched first.

        Raises `Reject` where the schema is known to be of no use. One that no registry knew is asked for again
        after a minute.
        """
        decoder = self._decoders.get(ref)
        if decoder is None:
            self._check(ref, now)
        return decoder

    def plan(self, need: MappedSchema, now: float) -> Plan | None:
        """The same, of a mapped topic."""
        plan = self._plans.get(need)
        if plan is None:
            self._check(need, now)
        return plan

    def want(self, need: Need) -> None:
        """A record waits for this schema."""
        if need not in self._asked:
            self._asked.add(need)
            self.wanted.append(need)

    def want_ahead(self, need: Need, now: float) -> None:
        """A record behind one that waits will need this schema: ask at once, or once fewer are asked for."""
        if need in self._asked or self._is_known(need):
            return
        refused = self._refused.get(need)
        if refused is not None:
            if now < refused[2]:
                return
            del self._refused[need]
        if len(self._asked) < MOST_AHEAD:
            self.want(need)
        elif len(self._later) < MOST_LATER:
            self._later[need] = None

    def _is_known(self, need: Need) -> bool:
        return need in self._plans if isinstance(need, tuple) else need in self._decoders

    def __len__(self) -> int:
        """How many can be read with."""
        return len(self._decoders) + len(self._plans)

    def take_wanted(self) -> list[Need]:
        """What is to be fetched now; it counts as asked for."""
        wanted, self.wanted = self.wanted, []
        return wanted

    def known(self, need: Need, reader: Reader, seal: Seal | None = None) -> None:
        """Records of this schema can be read; those with encrypted fields once their `seal` opened them."""
        if seal is not None:
            self.seals[need] = seal
        else:
            self.seals.pop(need, None)
        if isinstance(need, tuple):
            assert not isinstance(reader, Decoder)
            self._plans[need] = reader
        else:
            assert isinstance(reader, Decoder)
            self._decoders[need] = reader
        self._refused.pop(need, None)
        self._answered(need)

    def refused(self, need: Need, reason: str, detail: str, now: float) -> None:
        """Records of this schema are rejects: for a minute where it is unknown, else for good."""
        until = now + UNKNOWN_FOR if reason == UNKNOWN_SCHEMA else NEVER
        self._refused[need] = (reason, detail, until)
        self._answered(need)

    def _answered(self, need: Need) -> None:
        self._asked.discard(need)
        self.ruled.discard(need)
        self.unfitting.pop(need, None)
        while self._later and len(self._asked) < MOST_AHEAD:
            later = next(iter(self._later))
            del self._later[later]
            if later not in self._refused and not self._is_known(later):
                self.want(later)

    def _check(self, need: Need, now: float) -> None:
        """Raises `Reject` where the schema is known to be of no use."""
        refused = self._refused.get(need)
        if refused is not None:
            reason, detail, until = refused
            if now < until:
                raise Reject(reason, VALUE_CONVERTER, detail)
            del self._refused[need]
