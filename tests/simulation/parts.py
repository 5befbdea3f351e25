"""The registry, the dead-letter producer and the watch of one instance, simulated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumer.core.decode import Decoder, resolve
from consumer.core.errors import INCOMPATIBLE_SCHEMA, UNKNOWN_SCHEMA
from consumer.core.model import Assignment, DeadLetter, SchemaRef
from consumer.shell.registry import SchemaFailing, SchemaKnown, SchemaRefused

from .mixpanel import Results
from .traffic import ALSO_KNOWN, GUID, INCOMPATIBLE, KNOWN, LATE, event_schema
from .world import Process, World

UNKNOWN_AFTER = 5.0
RETRY = (1.0, 10.0)
LETTER_RETRY = 1.0
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
    without: SchemaRef | None = None  # this one cannot be had, all others can
    asked: int = 0


class Registry:
    """Fetches of one instance: asked again until there is an answer."""

    def __init__(self, world: World, registries: Registries, results: Results) -> None:
        self._world = world
        self._registries = registries
        self._results = results
        self._pending: set[SchemaRef] = set()
        self._closed = False

    def fetch(self, ref: SchemaRef) -> None:
        """Ask for the schema; nothing more where that is under way."""
        if ref not in self._pending:
            self._pending.add(ref)
            self._later(self._world.between(0.001, 0.5), ref, 0, None)

    def pending(self) -> set[SchemaRef]:
        """What the loop does not know yet."""
        return self._pending

    def heard(self, ref: SchemaRef) -> None:
        """The loop has taken the answer."""
        self._pending.discard(ref)

    def close(self) -> None:
        """Nothing comes any more."""
        self._closed = True

    def _later(self, seconds: float, ref: SchemaRef, failures: int, since: float | None) -> None:
        self._world.after(seconds, lambda: self._attempt(ref, failures, since))

    def _attempt(self, ref: SchemaRef, failures: int, since: float | None) -> None:
        if self._closed:
            return
        world = self._world
        self._registries.asked += 1
        if self._registries.down or self._registries.without == ref:
            self._results.put(SchemaFailing(ref, "connection"))
            self._later(min(RETRY[0] * 2**failures, RETRY[1]), ref, failures + 1, None)
            return
        if ref in (KNOWN, ALSO_KNOWN, GUID) or (ref == LATE and world.now >= self._registries.late_at):
            self._conclude(SchemaKnown(ref, decoder()))
        elif ref == INCOMPATIBLE:
            self._conclude(SchemaRefused(ref, INCOMPATIBLE_SCHEMA, "no record of it can be read"))
        elif since is not None and world.now - since >= UNKNOWN_AFTER:
            self._conclude(SchemaRefused(ref, UNKNOWN_SCHEMA, "no registry knows it"))
        else:
            self._later(1.0, ref, failures, world.now if since is None else since)

    def _conclude(self, fact: SchemaKnown | SchemaRefused) -> None:
        self._results.put(fact)


@dataclass
class LetterTopic:
    """The dead-letter topic that all instances write to."""

    missing: bool = False
    faults: float = 0.0
    slow: float = 0.05
    written: list[tuple[Any, DeadLetter]] = field(default_factory=list)


class DeadLetters:
    """The dead-letter producer of one instance: tries again until a letter is confirmed."""

    def __init__(
        self,
        world: World,
        topic: LetterTopic,
        process: Process,
        produced: Callable[[DeadLetter], None],
        confirmed: Callable[[list[DeadLetter]], None],
    ) -> None:
        self._world = world
        self._topic = topic
        self._process = process
        self._produced = produced
        self._told = confirmed
        self._waiting: list[DeadLetter] = []  # the topic would not take them
        self._sent: set[DeadLetter] = set()
        self._confirmed: list[DeadLetter] = []
        self._failed: list[DeadLetter] = []
        self._failing: set[DeadLetter] = set()
        self._asking = False

    def produce(self, letter: DeadLetter) -> None:
        """Take the letter."""
        self._produced(letter)
        self._give(letter)

    def poll(self) -> tuple[list[DeadLetter], list[DeadLetter]]:
        """What was confirmed and what failed since the last call."""
        confirmed, self._confirmed = self._confirmed, []
        failed, self._failed = self._failed, []
        if confirmed:
            self._told(confirmed)
        return confirmed, failed

    def pending(self) -> int:
        """How many letters are on their way, those that are failing aside."""
        return len(self._sent - self._failing) if self._failing else len(self._sent)

    def failing(self) -> set[DeadLetter]:
        """What could not be written so far."""
        return self._failing

    def forget(self, assignments: Sequence[Assignment]) -> None:
        """What the producer does not have yet is the next owner's to write."""
        gone = set(assignments)
        self._waiting = [letter for letter in self._waiting if letter.record.assignment not in gone]
        self._failing = {letter for letter in self._failing if letter.record.assignment not in gone}

    def flush(self, timeout: float) -> bool:
        """Wait for what is with the producer."""
        end = self._world.now + timeout
        while self._sent and self._world.now < end:
            self._process.wait(min(0.1, end - self._world.now), "letters")
        return not self._sent

    def close(self) -> None:
        """Give up the rest."""
        self._waiting = []

    def _give(self, letter: DeadLetter) -> None:
        if self._topic.missing:
            self._refuse(letter)
            return
        self._sent.add(letter)
        fails = self._world.chance(self._topic.faults)
        self._world.after(self._world.between(0.0, self._topic.slow), lambda: self._reported(letter, fails))

    def _reported(self, letter: DeadLetter, fails: bool) -> None:
        if self._process.dead:
            return
        self._sent.discard(letter)
        if fails or self._topic.missing:
            self._refuse(letter)
            return
        self._topic.written.append((self, letter))
        self._failing.discard(letter)
        self._confirmed.append(letter)
        self._process.poke("letters")

    def _refuse(self, letter: DeadLetter) -> None:
        self._waiting.append(letter)
        self._failing.add(letter)
        self._failed.append(letter)
        if not self._asking:
            self._asking = True
            self._world.after(LETTER_RETRY, self._again)

    def _again(self) -> None:
        self._asking = False
        waiting, self._waiting = self._waiting, []
        for letter in waiting:
            self._give(letter)


class Watch:
    """What the loop tells people: lines of the trace."""

    def __init__(self, note: Callable[[str], None] | None) -> None:
        self._note = note

    def __getattr__(self, name: str) -> Callable[..., None]:
        def told(*values: object, **named: object) -> None:
            if self._note is not None and name not in ("turned", "look", "read"):
                self._note(f"watch: {name}")

        return told
