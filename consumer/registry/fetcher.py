"""Schemas by reference: fetched on two threads of its own, so that the loop never waits for a registry.

    fetch(ref) -> SchemaKnown | SchemaRefused, at last; until then for each attempt SchemaFailing, or SchemaHeld

A schema that is asked for is asked for until there is an answer. An outage is waited for, with 1 to 10 s between
attempts; what the cache folder has is used meanwhile. That a schema is unknown is believed once every registry said
so for `UNKNOWN_AFTER` seconds: a registry's follower may lag behind the producer. A schema with rules for reading,
which are not run here, is held: asked for again every `HELD_FOR` seconds.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from consumer.avro.errors import IncompatibleSchema
from consumer.event.decode import Decoder, resolve
from consumer.event.errors import INCOMPATIBLE_SCHEMA, UNKNOWN_SCHEMA
from consumer.event.model import SchemaRef
from consumer.registry.access import Access
from consumer.registry.advice import advice
from consumer.registry.cache import SchemaCache
from consumer.registry.client import Client, Fetched
from consumer.registry.errors import Outage, Unknown, Unusable
from consumer.registry.rules import named

log = logging.getLogger("consumer.registry")

THREADS = 2
HELD = (
    "the schema has rules for reading that are not run here: its records hold their partition, since what the rules "
    "encrypted or changed would be sent as it is; SCHEMA_RULES=ignore allows that"
)
UNKNOWN_AFTER = 5.0
HELD_FOR = 60.0
# Between two attempts, in seconds: the first, doubled each time up to the second.
BACKOFF = (1.0, 10.0)


@dataclass(frozen=True)
class SchemaKnown:
    """Records of this schema can be decoded."""

    ref: SchemaRef
    decoder: Decoder


@dataclass(frozen=True)
class SchemaRefused:
    """Records of this schema are rejects: `reason` is unknown_schema or incompatible_schema."""

    ref: SchemaRef
    reason: str
    detail: str


@dataclass(frozen=True)
class SchemaFailing:
    """An attempt failed, and the next will come by itself.

    `cause` is one word: connection, dns, tls, proxy, timeout, unreadable, request, internal, or status_NNN.
    """

    ref: SchemaRef
    cause: str


@dataclass(frozen=True)
class SchemaHeld:
    """Records of this schema must wait: `rules` for reading them are not run here. It is asked for again."""

    ref: SchemaRef
    rules: tuple[str, ...]


SchemaFact: TypeAlias = SchemaKnown | SchemaRefused | SchemaFailing | SchemaHeld


class Ask:
    """One schema under way: when it is tried next, and how it went so far."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.failures = 0
        self.unknown_since: float | None = None
        self.held = False


class Registry:
    """Turns schema references into decoders. `fetch` and `close` are for one thread; results go to the queue."""

    def __init__(
        self,
        access: Access,
        *,
        cache_dir: Path | None,
        reader: object,
        results: "SimpleQueue[object]",
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        hold_rules: bool = True,
        unknown_after: float = UNKNOWN_AFTER,
        held_for: float = HELD_FOR,
        backoff: tuple[float, float] = BACKOFF,
    ) -> None:
        """`reader` is the parsed schema that records are read as; ValueError where it is none.

        `timeout` is that of one request as a whole, in seconds. `hold_rules` is off where a schema with rules for
        reading is read as it is.
        """
        resolve(reader, reader)
        self._reader = reader
        self._results = results
        self._clock = clock
        self._hold_rules = hold_rules
        self._unknown_after = unknown_after
        self._held_for = held_for
        self._backoff = backoff
        self._cache = SchemaCache(cache_dir, [endpoint.url for endpoint in access.endpoints])
        self._asked: dict[SchemaRef, Ask] = {}  # under way
        self._waiting: dict[SchemaRef, Ask] = {}  # of these, the ones that no thread is at
        self._changed = threading.Condition()
        self._closed = False
        self._failing = ""  # the outage that was logged last; empty while all is well
        self._clients = [Client(access, timeout) for _ in range(THREADS)]
        self._threads = [
            threading.Thread(target=self._work, args=(client,), name=f"registry-{number}", daemon=True)
            for number, client in enumerate(self._clients)
        ]
        for thread in self._threads:
            thread.start()

    def fetch(self, ref: SchemaRef) -> None:
        """Ask for the schema; nothing more where that is under way. Returns at once."""
        with self._changed:
            if ref not in self._asked and not self._closed:
                self._asked[ref] = self._waiting[ref] = Ask(self._clock())
                self._changed.notify()

    def close(self) -> None:
        """Give up what is under way, and end the threads; nothing is put into the queue after."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for client in self._clients:
            client.close()
        for thread in self._threads:
            thread.join(1.0)

    # On the threads.

    def _work(self, client: Client) -> None:
        while True:
            ref = self._next()
            if ref is None:
                return
            try:
                self._attempt(client, ref)
            except Exception as failure:
                log.exception("a schema could not be handled", extra={"schema": ref})
                self._outage(ref, Outage("internal", type(failure).__name__))

    def _next(self) -> SchemaRef | None:
        """The schema whose time has come; None at the end."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                ref = min(self._waiting, key=lambda waiting: self._waiting[waiting].due, default=None)
                if ref is not None and self._waiting[ref].due <= now:
                    del self._waiting[ref]
                    return ref
                self._changed.wait(None if ref is None else self._waiting[ref].due - now)
            return None

    def _attempt(self, client: Client, ref: SchemaRef) -> None:
        try:
            fetched = client.fetch(ref)
        except Outage as outage:
            cached = self._cache.read(ref)
            if cached is None:
                self._outage(ref, outage)
            else:
                self._note_failing(ref, outage)
                self._judge(ref, cached, keep=False)
        except Unknown:
            self._note_back()
            self._unknown(ref)
        except Unusable as other:
            self._note_back()
            self._conclude(ref, SchemaRefused(ref, INCOMPATIBLE_SCHEMA, str(other)))
        else:
            self._note_back()
            self._judge(ref, fetched, keep=True)

    def _judge(self, ref: SchemaRef, fetched: Fetched, *, keep: bool) -> None:
        """Say what the schema is good for; `keep` it where records can be decoded with it."""
        if fetched.rules and self._hold_rules:
            self._hold(ref, fetched.rules)
            return
        result = self._resolved(ref, fetched)
        if keep and isinstance(result, SchemaKnown):
            self._cache.write(ref, fetched)
        self._conclude(ref, result)

    def _hold(self, ref: SchemaRef, rules: tuple[str, ...]) -> None:
        """Say that its records must wait, and look again later whether the rules are gone."""
        with self._changed:
            ask = self._asked.get(ref)
            if self._closed or ask is None:
                return
            first, ask.held = not ask.held, True
            ask.due = self._clock() + self._held_for
            self._waiting[ref] = ask
            self._results.put(SchemaHeld(ref, rules))
            self._changed.notify()
        if first:
            log.error("%s", HELD, extra={"schema": ref, "rules": named(rules)})

    def _resolved(self, ref: SchemaRef, fetched: Fetched) -> SchemaKnown | SchemaRefused:
        """The decoder for what was fetched, or why there is none."""
        try:
            references = [json.loads(text) for text in fetched.references]
            return SchemaKnown(ref, resolve(json.loads(fetched.schema), self._reader, references))
        except IncompatibleSchema as incompatible:
            return SchemaRefused(ref, INCOMPATIBLE_SCHEMA, str(incompatible))
        except (ValueError, RecursionError):
            return SchemaRefused(ref, INCOMPATIBLE_SCHEMA, "not an Avro schema: its text is not JSON")

    def _conclude(self, ref: SchemaRef, result: SchemaKnown | SchemaRefused) -> None:
        """Say the result; what waits for a registry that is back need not wait longer."""
        with self._changed:
            if self._closed:
                return
            self._asked.pop(ref, None)
            if not self._failing:
                now = self._clock()
                for ask in self._waiting.values():
                    if ask.failures:
                        ask.due = now
                self._changed.notify_all()
            self._results.put(result)

    def _unknown(self, ref: SchemaRef) -> None:
        """Ask again, until it was unknown for long enough."""
        with self._changed:
            ask = self._asked[ref]
            now = self._clock()
            if ask.unknown_since is None:
                ask.unknown_since = now
            left = ask.unknown_since + self._unknown_after - now
            if left > 0:
                ask.due = now + min(self._backoff[0], left)
                self._waiting[ref] = ask
                self._changed.notify()
                return
        detail = f"no registry knows the schema {ref}"
        self._conclude(ref, SchemaRefused(ref, UNKNOWN_SCHEMA, detail))

    def _outage(self, ref: SchemaRef, outage: Outage) -> None:
        """Say that the attempt failed, and try again later."""
        self._note_failing(ref, outage)
        with self._changed:
            ask = self._asked.get(ref)
            if self._closed or ask is None:
                return
            ask.unknown_since = None
            ask.due = self._clock() + min(self._backoff[0] * 2**ask.failures, self._backoff[1])
            ask.failures = min(ask.failures + 1, 16)
            self._waiting[ref] = ask
            self._results.put(SchemaFailing(ref, outage.cause))
            self._changed.notify()

    def _note_failing(self, ref: SchemaRef, outage: Outage) -> None:
        with self._changed:
            if self._closed or self._failing == str(outage):
                return
            self._failing = str(outage)
        extra = {"schema": ref, "cause": outage.cause, "url": outage.url}
        log.warning("schema registry failing: %s", advice(outage.cause), extra=extra)

    def _note_back(self) -> None:
        with self._changed:
            was, self._failing = self._failing, ""
        if was:
            log.info("schema registry back", extra={"was": was})
