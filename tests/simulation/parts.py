"""The registry and the observer of one instance, simulated."""

from collections.abc import Callable
from dataclasses import dataclass, field

from consumer.core.schemas import Need
from consumer.event.decode import Decoder, resolve
from consumer.event.errors import INCOMPATIBLE_SCHEMA, UNKNOWN_SCHEMA
from consumer.mapping.bodies import ValuePlan
from consumer.registry.facts import SchemaFailing, SchemaKnown, SchemaRefused

from .mixpanel import Results
from .traffic import ALSO_KNOWN, GUID, INCOMPATIBLE, KNOWN, LATE, event_schema
from .world import World

UNKNOWN_AFTER = 5.0
RETRY = (1.0, 10.0)
DECODERS: dict[str, Decoder] = {}


def decoder() -> Decoder:
    """The decoder of version 1, made once."""
    if not DECODERS:
        DECODERS["v1"] = resolve(event_schema(), event_schema())
    return DECODERS["v1"]


@dataclass
class Registries:
    """The registry that all instances ask."""

    late_at: float  # when the late schema is there
    down: bool = False
    without: Need | None = None  # this one cannot be had, all others can
    asked: int = 0
    plans: dict[Need, ValuePlan] = field(default_factory=dict)  # of mapped topics


class Registry:
    """Fetches of one instance: asked again until there is an answer."""

    def __init__(self, world: World, registries: Registries, results: Results) -> None:
        self._world = world
        self._registries = registries
        self._results = results
        self._pending: set[Need] = set()
        self._heard: set[Need] = set()
        self._closed = False

    def fetch(self, ref: Need) -> None:
        """Ask for the schema; nothing more where that is under way."""
        if ref not in self._pending:
            self._pending.add(ref)
            self._later(self._world.between(0.001, 0.5), ref, 0, None)

    def heard(self, ref: Need) -> None:
        """The loop has taken the answer."""
        self._pending.discard(ref)
        self._heard.add(ref)

    def lacks(self, ref: Need) -> bool:
        """Whether the loop has no answer for it; a loop in doubt has not even asked."""
        return ref in self._pending or ref not in self._heard

    def close(self) -> None:
        """Nothing comes any more."""
        self._closed = True

    def _later(self, seconds: float, ref: Need, failures: int, since: float | None) -> None:
        self._world.after(seconds, lambda: self._attempt(ref, failures, since))

    def _attempt(self, ref: Need, failures: int, since: float | None) -> None:
        if self._closed:
            return
        world = self._world
        self._registries.asked += 1
        if self._registries.down or self._registries.without == ref:
            self._results.put(SchemaFailing(ref, "connection"))
            self._later(min(RETRY[0] * 2**failures, RETRY[1]), ref, failures + 1, None)
            return
        plan = self._registries.plans.get(ref)
        if plan is not None:
            self._conclude(SchemaKnown(ref, plan))
        elif ref in (KNOWN, ALSO_KNOWN, GUID) or (ref == LATE and world.now >= self._registries.late_at):
            self._conclude(SchemaKnown(ref, decoder()))
        elif ref == INCOMPATIBLE:
            self._conclude(SchemaRefused(ref, INCOMPATIBLE_SCHEMA, "no record of it can be read"))
        elif since is not None and world.now - since >= UNKNOWN_AFTER:
            self._conclude(SchemaRefused(ref, UNKNOWN_SCHEMA, "no registry knows it"))
        else:
            self._later(1.0, ref, failures, world.now if since is None else since)

    def _conclude(self, fact: SchemaKnown | SchemaRefused) -> None:
        self._results.put(fact)


class Observer:
    """What the loop tells people: lines of the trace."""

    def __init__(self, note: Callable[[str], None] | None) -> None:
        self._note = note
        self.clean = False  # the last drain came to its end

    def drained(self, assignments: object, seconds: float, given_up: int, clean: bool) -> None:
        """A drain is over."""
        self.clean = clean
        if self._note is not None:
            self._note("observer: drained")

    def __getattr__(self, name: str) -> Callable[..., None]:
        def told(*values: object, **named: object) -> None:
            if self._note is not None and name not in ("turned", "observe", "read"):
                self._note(f"observer: {name}")

        return told
