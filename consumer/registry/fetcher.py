"""Schemas by reference: fetched on two threads of its own, so that the loop never waits for a registry.

    fetch(ref) -> SchemaKnown | SchemaRefused, at last; until then for each attempt SchemaFailing, or SchemaHeld, or
                  SchemaUnfitting

A schema that is asked for is asked for until there is an answer. An outage is waited for, with 1 to 10 s between
attempts; what the cache folder has is used meanwhile. That a schema is unknown is believed once every registry said
so for `UNKNOWN_AFTER` seconds: a registry's follower may lag behind the producer. A schema with rules for reading,
which are not run here, is held: asked for again every `HELD_FOR` seconds. So is one that its topic's mapping does
not fit: a later version may explain what is missing.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from consumer.avro.errors import IncompatibleSchema
from consumer.core.schemas import MappedSchema, Need, Reader, Unfitting, schema_of_need
from consumer.event.decode import Decoder, resolve
from consumer.event.errors import INCOMPATIBLE_SCHEMA, UNKNOWN_SCHEMA
from consumer.event.model import SchemaRef
from consumer.mapping.changes import Changes, changes_of
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import TopicMap
from consumer.registry.access import Access
from consumer.registry.advice import advice
from consumer.registry.cache import SchemaCache
from consumer.registry.client import Client, Fetched
from consumer.registry.errors import Outage, Unknown, Unusable
from consumer.registry.rules import named
from consumer.registry.versions import standing, type_of

log = logging.getLogger("consumer.registry")

THREADS = 2
HELD = (
    "the schema has rules for reading that are not run here: its records hold their partition, since what the rules "
    "encrypted or changed would be sent as it is; SCHEMA_RULES=ignore allows that"
)
UNFITTING = (
    "the mapping does not fit the schema: its records hold their partition, and no other; correct MAPPING_FILE "
    "('group-consumer map check' says more), or have the schema registered that the file is about"
)
# Versions of a subject that a new schema is compared with the last of: each is a request, and a record waits.
LOOKED_AT = 10
UNKNOWN_AFTER = 5.0
HELD_FOR = 60.0
# Between two attempts, in seconds: the first, doubled each time up to the second.
BACKOFF = (1.0, 10.0)


@dataclass(frozen=True)
class SchemaKnown:
    """Records of this schema can be read."""

    ref: Need
    reader: Reader
    changes: Changes | None = None  # what a mapped topic's schema means to its rules, where that is known

    @property
    def decoder(self) -> Decoder:
        """How to read the built-in event by a schema that was asked for by itself."""
        assert isinstance(self.reader, Decoder)
        return self.reader


@dataclass(frozen=True)
class SchemaRefused:
    """Records of this schema are rejects: `reason` is unknown_schema or incompatible_schema."""

    ref: Need
    reason: str
    detail: str


@dataclass(frozen=True)
class SchemaFailing:
    """An attempt failed, and the next will come by itself.

    `cause` is one word: connection, dns, tls, proxy, timeout, unreadable, request, internal, or status_NNN.
    """

    ref: Need
    cause: str


@dataclass(frozen=True)
class SchemaHeld:
    """Records of this schema must wait: `rules` for reading them are not run here. It is asked for again."""

    ref: Need
    rules: tuple[str, ...]


@dataclass(frozen=True)
class SchemaUnfitting:
    """Records of this schema must wait: their topic's mapping does not fit it. It is asked for again."""

    ref: Need
    unfitting: Unfitting
    subject: str


SchemaFact: TypeAlias = SchemaKnown | SchemaRefused | SchemaFailing | SchemaHeld | SchemaUnfitting


class Results(Protocol):
    """Where what comes back waits: the loop's queue."""

    def put(self, item: SchemaFact, /) -> None: ...


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
        results: Results,
        mapped: Mapping[str, TopicMap] | None = None,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        hold_rules: bool = True,
        unknown_after: float = UNKNOWN_AFTER,
        held_for: float = HELD_FOR,
        backoff: tuple[float, float] = BACKOFF,
    ) -> None:
        """`reader` is the parsed schema that records are read as; ValueError where it is none.

        `mapped` are the topics of a mapping file, whose schemas are planned for. `timeout` is that of one request as
        a whole, in seconds. `hold_rules` is off where a schema with rules for
        reading is read as it is.
        """
        resolve(reader, reader)
        self._reader = reader
        self._mapped = mapped or {}
        self._results = results
        self._clock = clock
        self._hold_rules = hold_rules
        self._unknown_after = unknown_after
        self._held_for = held_for
        self._backoff = backoff
        self._cache = SchemaCache(cache_dir, [endpoint.url for endpoint in access.endpoints])
        self._asked: dict[Need, Ask] = {}  # under way
        self._waiting: dict[Need, Ask] = {}  # of these, the ones that no thread is at
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

    def fetch(self, ref: Need) -> None:
        """Ask for the schema; nothing more where that is under way. Returns at once."""
        with self._changed:
            if ref not in self._asked and not self._closed:
                self._asked[ref] = self._waiting[ref] = Ask(self._clock())
                self._changed.notify()

    def cache_bytes(self) -> int:
        """What the schema cache holds. Any thread."""
        return self._cache.bytes

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

    def _next(self) -> Need | None:
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

    def _attempt(self, client: Client, ref: Need) -> None:
        schema = schema_of_need(ref)
        try:
            fetched = client.fetch(schema)
        except Outage as outage:
            cached = self._cache.read(schema)
            if cached is None:
                self._outage(ref, outage)
            else:
                self._note_failing(ref, outage)
                self._judge(client, ref, cached, keep=False)
        except Unknown:
            self._note_back()
            self._unknown(ref)
        except Unusable as other:
            self._note_back()
            self._conclude(ref, SchemaRefused(ref, INCOMPATIBLE_SCHEMA, str(other)))
        else:
            self._note_back()
            self._judge(client, ref, fetched, keep=True)

    def _judge(self, client: Client, ref: Need, fetched: Fetched, *, keep: bool) -> None:
        """Say what the schema is good for; `keep` it where records can be decoded with it."""
        if fetched.rules and self._hold_rules:
            if self._hold(ref, SchemaHeld(ref, fetched.rules)):
                log.error("%s", HELD, extra={"schema": schema_of_need(ref), "rules": named(fetched.rules)})
            return
        try:
            result = self._resolved(client, ref, fetched)
        except Outage as outage:
            self._outage(ref, outage)
            return
        if isinstance(result, SchemaUnfitting):
            self._hold_unfitting(result)
            return
        if keep and isinstance(result, SchemaKnown):
            self._cache.write(schema_of_need(ref), fetched)
        self._conclude(ref, result)

    def _hold_unfitting(self, fact: SchemaUnfitting) -> None:
        if self._hold(fact.ref, fact):
            unfitting = fact.unfitting
            fields = {"rule": unfitting.rule, "path": unfitting.path, "why": unfitting.why, "subject": fact.subject}
            log.error("%s", UNFITTING, extra=fields | {"schema": schema_of_need(fact.ref)})

    def _hold(self, ref: Need, fact: SchemaHeld | SchemaUnfitting) -> bool:
        """Say that its records must wait, and look again later; whether that is said for the first time."""
        with self._changed:
            ask = self._asked.get(ref)
            if self._closed or ask is None:
                return False
            first, ask.held = not ask.held, True
            ask.due = self._clock() + self._held_for
            self._waiting[ref] = ask
            self._results.put(fact)
            self._changed.notify()
        return first

    def _resolved(self, client: Client, ref: Need, fetched: Fetched) -> SchemaKnown | SchemaRefused | SchemaUnfitting:
        """The decoder or plan for what was fetched, or why there is none. Raises `Outage`."""
        try:
            if isinstance(ref, tuple):
                return self._planned(client, ref, fetched)
            references = [json.loads(text) for text in fetched.references]
            return SchemaKnown(ref, resolve(json.loads(fetched.schema), self._reader, references))
        except IncompatibleSchema as incompatible:
            return SchemaRefused(ref, INCOMPATIBLE_SCHEMA, str(incompatible))
        except (ValueError, RecursionError):
            return SchemaRefused(ref, INCOMPATIBLE_SCHEMA, "not an Avro schema: its text is not JSON")

    def _planned(self, client: Client, need: MappedSchema, fetched: Fetched) -> SchemaKnown | SchemaUnfitting:
        """How the topic's mapping reads it; where a path is missing its other versions may say why."""
        topic, schema, of_key = need
        rules = self._mapped[topic]
        writer = type_of(fetched)
        try:
            if of_key:
                return SchemaKnown(need, rules.key_plan(writer))
            return SchemaKnown(need, rules.value_plan(writer), self._changes(client, topic, schema, fetched))
        except Hold as hold:
            found = standing(client, topic, schema, fetched, of_key=of_key)
            if hold.missing and not of_key:
                try:
                    plan = rules.value_plan(writer, found.earlier, found.later)
                    before = found.earlier[-1] if found.earlier else None
                    return SchemaKnown(need, plan, changes_of(rules.rules, writer, before))
                except Hold as still:
                    hold = still
            return SchemaUnfitting(need, Unfitting(hold.rule, hold.path, hold.why), found.subject)

    def _changes(self, client: Client, topic: str, schema: SchemaRef, fetched: Fetched) -> Changes | None:
        """What the schema means to the rules; None where the registry does not say what was before it."""
        try:
            found = standing(client, topic, schema, fetched, of_key=False, newest=LOOKED_AT)
        except Outage:
            return None
        before = found.earlier[-1] if found.earlier else None
        return changes_of(self._mapped[topic].rules, type_of(fetched), before)

    def _conclude(self, ref: Need, result: SchemaKnown | SchemaRefused) -> None:
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

    def _unknown(self, ref: Need) -> None:
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

    def _outage(self, ref: Need, outage: Outage) -> None:
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

    def _note_failing(self, ref: Need, outage: Outage) -> None:
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
