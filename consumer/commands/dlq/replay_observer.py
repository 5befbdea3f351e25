"""What people see of a replay: how far it is, what was refused again, and what it waits for."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from consumer.commands.dlq.receipts import Receipts
from consumer.commands.dlq.recorder import Recorder
from consumer.core.batch import Batch
from consumer.core.causes import MAPPING, RULES
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.core.pipeline import Pipeline
from consumer.core.schemas import Need
from consumer.core.settlement import Delivered
from consumer.kafka.dead_letter_format import words_of
from consumer.mixpanel.pool import Response
from consumer.registry.advice import advice
from consumer.registry.facts import SchemaFact, SchemaFailing, SchemaHeld
from consumer.registry.rules import named
from consumer.terminal.progress import say

SAMPLES: Final = 10
SAY_AFTER: Final = 5.0  # of a standstill


class ReplayObserver:
    """The loop's observer. `stuck` says what it waits for, once that has lasted for `patience` seconds."""

    def __init__(
        self,
        pipeline: Pipeline,
        recorder: Recorder,
        receipts: Receipts,
        moved: Callable[[int], object],
        patience: float,
        scrub: Callable[[str], str] = str,
    ) -> None:
        """`scrub` takes the secrets out of what others said."""
        self._pipeline = pipeline
        self._recorder = recorder
        self._receipts = receipts
        self._moved = moved
        self._patience = patience
        self._scrub = scrub
        self._done = 0
        self._done_at = time.monotonic()
        self._failing: dict[Need, str] = {}  # the causes of outages, by what is asked for
        self._rules: dict[Need, str] = {}  # that are not run here, of schemas
        self._again = ""  # why the last request has to be repeated
        self._said = ""
        self.stuck = ""
        self.refused: dict[str, int] = {}  # again, by reason
        self.samples: list[tuple[str, str, str]] = []  # source, reason and message of some of these

    def delivered(self, batch: Batch, response: Response, delivered: Delivered) -> None:  # noqa: ARG002
        """A request came back: note what it settled."""
        self._recorder.settled(delivered.records)
        self._again = delivered.cause if delivered.outcome in ("retry", "split") else ""

    def dead_lettered(self, dead_letter: DeadLetter) -> None:
        """A record was refused again, and has its receipt."""
        self.refused[dead_letter.reason] = self.refused.get(dead_letter.reason, 0) + 1
        if len(self.samples) < SAMPLES:
            place = dead_letter.record.assignment
            name = f"{place.topic}:{place.partition}:{dead_letter.record.offset}"
            words = words_of(dead_letter, self._scrub) or self._scrub(dead_letter.detail)
            self.samples.append((name, dead_letter.reason, words))

    def schema(self, fact: SchemaFact) -> None:
        """A word of the schema registry."""
        self._failing.pop(fact.ref, None)
        self._rules.pop(fact.ref, None)
        if isinstance(fact, SchemaFailing):
            self._failing[fact.ref] = fact.cause
        elif isinstance(fact, SchemaHeld):
            self._rules[fact.ref] = named(fact.rules)

    def turned(self, now: float) -> None:
        """The loop went on."""
        self._recorder.settled(self._pipeline.take_ignored())  # by the mapping of today nothing comes of them
        done = self._recorder.accepted + self._recorder.refused
        if done != self._done:
            self._moved(done - self._done)
            self._done, self._done_at, self._said = done, now, ""

    def observe(self, now: float, paused: Mapping[Assignment, str]) -> None:  # noqa: ARG002  # the loop's protocol
        """Once a second: say what is waited for, and when that is enough."""
        waited = now - self._done_at
        waiting_for = self.waits_for() if waited > min(SAY_AFTER, self._patience) else ""
        if waiting_for and waiting_for != self._said:
            self._said = waiting_for
            say(f"Waiting: {waiting_for}")
        if waited > self._patience:
            self.stuck = waiting_for or "nothing was heard"

    def waits_for(self) -> str:
        """What holds the replay now; empty where nothing is known to."""
        if self._receipts.failing():
            return "what was replayed cannot be noted in Kafka"
        held = [
            partition
            for partition in self._pipeline.partitions.by_assignment.values()
            if partition.held_for == MAPPING
        ]
        if held:
            return f"the mapping file does not fit {held[0].assignment}: {held[0].why_held}"
        if RULES in self._pipeline.paused().values():
            return self._waits_for_rules()
        for cause in self._pipeline.destinations.halted().values():
            return f"Mixpanel answers {cause}: check MIXPANEL_TOKEN, MIXPANEL_REGION and MIXPANEL_URL"
        if self._pipeline.partitions.held_schemas() and self._failing:
            (cause, *_) = self._failing.values()
            return f"the schema registry cannot be asked ({cause}): check SCHEMA_REGISTRY_URL"
        return f"Mixpanel gives no clear answer ({self._again})" if self._again else ""

    def _waits_for_rules(self) -> str:
        """For which rules that are not run here, or else why a data key is not had."""
        if self._rules:
            rules = ", ".join(dict.fromkeys(self._rules.values()))
            return f"a schema has rules that are not run here ({rules}): SCHEMA_RULES=ignore reads it as it is"
        for cause in self._failing.values():
            return f"a data key cannot be had ({cause}): {advice(cause)}"
        return "a data key is asked for"

    # What says nothing here.

    def read(self, records: list[Record]) -> None:
        """Records were read."""

    def rebalanced(self, kind: str, assignments: Sequence[Assignment]) -> None:
        """Partitions came or went."""

    def gap(self, topic: str, partition: int, records: int) -> None:
        """Nothing: a replay reads by what it has found."""

    def truncated(self, topic: str, partition: int) -> None:
        """Nothing either."""

    def drained(self, assignments: Sequence[Assignment], seconds: float, given_up: int, clean: bool) -> None:
        """A drain came to its end."""
