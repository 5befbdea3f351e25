"""When each schema is asked for, and when again, until there is an answer.

An outage is waited for, with 1 to 10 s between attempts. That a schema is unknown is believed once every registry
said so for `Patience.unknown_after` seconds: a registry's follower may lag behind the producer. What holds its
partition is asked for again every `Patience.held_for` seconds.
"""

import logging
import threading
import time
from dataclasses import dataclass

from consumer.core.schemas import Need
from consumer.event.errors import UNKNOWN_SCHEMA
from consumer.registry.advice import advice
from consumer.registry.errors import KeyOutage, Outage
from consumer.registry.facts import (
    SchemaFailing,
    SchemaHeld,
    SchemaKnown,
    SchemaRefused,
    SchemaResults,
    SchemaUnfitting,
)

log = logging.getLogger("consumer.registry")


@dataclass(frozen=True)
class Patience:
    """In seconds: for how long a schema stays unknown before that is believed; how often one that is held is asked
    for again; how long after a failure, the first time, doubled each time up to the second figure."""

    unknown_after: float = 5.0
    held_for: float = 60.0
    backoff: tuple[float, float] = (1.0, 10.0)


PATIENCE = Patience()


class Ask:
    """One schema under way: when it is tried next, and how it went so far."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.failures = 0
        self.unknown_since: float | None = None
        self.held = False


class Asks:
    """The schemas that are asked for. Any thread: the loop adds, the fetcher's threads take what is due."""

    def __init__(self, results: SchemaResults, patience: Patience) -> None:
        self._results = results
        self._patience = patience
        self._asked: dict[Need, Ask] = {}  # under way
        self._waiting: dict[Need, Ask] = {}  # of these, the ones that no thread is at
        self._changed = threading.Condition()
        self._closed = False
        self._failing = ""  # the outage that was logged last; empty while all is well
        self._no_key: dict[Need, str] = {}  # the same, of data keys

    def add(self, ref: Need) -> None:
        """Ask for the schema; nothing more where that is under way."""
        with self._changed:
            if ref not in self._asked and not self._closed:
                self._asked[ref] = self._waiting[ref] = Ask(time.monotonic())
                self._changed.notify()

    def close(self) -> None:
        """Nothing is due any more, and nothing is put into the queue."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def next_due(self) -> Need | None:
        """Waits for the schema whose time comes next; None once it is closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                ref = min(self._waiting, key=lambda waiting: self._waiting[waiting].due, default=None)
                if ref is not None and self._waiting[ref].due <= now:
                    del self._waiting[ref]
                    return ref
                self._changed.wait(None if ref is None else self._waiting[ref].due - now)
            return None

    def hold(self, ref: Need, fact: SchemaHeld | SchemaUnfitting) -> bool:
        """Say that its records must wait, and look again later; whether that is said for the first time."""
        with self._changed:
            ask = self._asked.get(ref)
            if self._closed or ask is None:
                return False
            first, ask.held = not ask.held, True
            ask.due = time.monotonic() + self._patience.held_for
            self._waiting[ref] = ask
            self._results.put(fact)
            self._changed.notify()
        return first

    def conclude(self, ref: Need, result: SchemaKnown | SchemaRefused) -> None:
        """Say the result; what waits for a registry that is back need not wait longer."""
        with self._changed:
            if self._closed:
                return
            self._asked.pop(ref, None)
            if self._no_key.pop(ref, ""):
                log.info("the data keys of the schema are had again", extra={"schema": ref})
            if not self._failing:
                now = time.monotonic()
                for ask in self._waiting.values():
                    if ask.failures:
                        ask.due = now
                self._changed.notify_all()
            self._results.put(result)

    def unknown(self, ref: Need) -> None:
        """Ask again, until it was unknown for long enough."""
        with self._changed:
            ask = self._asked[ref]
            now = time.monotonic()
            if ask.unknown_since is None:
                ask.unknown_since = now
            left = ask.unknown_since + self._patience.unknown_after - now
            if left > 0:
                ask.due = now + min(self._patience.backoff[0], left)
                self._waiting[ref] = ask
                self._changed.notify()
                return
        detail = f"no registry knows the schema {ref}"
        self.conclude(ref, SchemaRefused(ref, UNKNOWN_SCHEMA, detail))

    def failed(self, ref: Need, outage: Outage) -> None:
        """Say that the attempt failed, and try again later."""
        self.note_failing(ref, outage)
        with self._changed:
            ask = self._asked.get(ref)
            if self._closed or ask is None:
                return
            shortest, longest = self._patience.backoff
            ask.unknown_since = None
            ask.due = time.monotonic() + min(shortest * 2**ask.failures, longest)
            ask.failures = min(ask.failures + 1, 16)
            self._waiting[ref] = ask
            self._results.put(SchemaFailing(ref, outage.cause))
            self._changed.notify()

    def note_failing(self, ref: Need, outage: Outage) -> None:
        """Tell the log of an outage, where it is another than before."""
        if isinstance(outage, KeyOutage):
            self._note_no_key(ref, outage)
            return
        with self._changed:
            if self._closed or self._failing == str(outage):
                return
            self._failing = str(outage)
        extra = {"schema": ref, "cause": outage.cause, "url": outage.url}
        log.warning("schema registry failing: %s", advice(outage.cause), extra=extra)

    def _note_no_key(self, ref: Need, outage: KeyOutage) -> None:
        with self._changed:
            if self._closed or self._no_key.get(ref) == outage.words:
                return
            self._no_key[ref] = outage.words
        extra = {"schema": ref, "cause": outage.cause, "why": outage.words}
        log.warning("a data key cannot be had, and records wait for it: %s", advice(outage.cause), extra=extra)

    def note_back(self) -> None:
        """Tell the log that an outage is over, where there was one."""
        with self._changed:
            was, self._failing = self._failing, ""
        if was:
            log.info("schema registry back", extra={"was": was})
