"""Schemas by reference: fetched on two threads of its own, so that the loop never waits for a registry.

    fetch(ref) -> SchemaKnown | SchemaRefused, at last; until then for each attempt SchemaFailing, or SchemaHeld, or
                  SchemaUnfitting

A schema that is asked for is asked for until there is an answer (`registry/asks.py`: when). What the cache folder has
is used while the registries are out. A schema with rules for reading, which are not run here, is held. So is one that
its topic's mapping does not fit: a later version may explain what is missing.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from consumer.core.schemas import Need, schema_of_need
from consumer.event.errors import INCOMPATIBLE_SCHEMA
from consumer.mapping.mapper import TopicMap
from consumer.registry.access import Access
from consumer.registry.asks import PATIENCE, Asks, Patience
from consumer.registry.cache import SchemaCache
from consumer.registry.client import Fetched, RegistryClient
from consumer.registry.errors import KeyOutage, NotRegistered, Outage, Unusable
from consumer.registry.facts import SchemaHeld, SchemaKnown, SchemaRefused, SchemaResults, SchemaUnfitting
from consumer.registry.keys import Keys, installed, would_be_run
from consumer.registry.resolver import Resolver
from consumer.registry.rules import named

log = logging.getLogger("consumer.registry")

THREADS = 2
INSTALL = "install the extra that decrypts fields, mixpanel-group-consumer[rules], or set SCHEMA_RULES=ignore"
HELD = (
    "the schema has rules for reading that are not run here: its records hold their partition, since what the rules "
    "encrypted or changed would be sent as it is: %s"
)
UNFITTING = (
    "the mapping does not fit the schema: its records hold their partition, and no other; correct MAPPING_FILE "
    "('group-consumer map check' says more), or have the schema registered that the file is about"
)


class RegistryFetcher:
    """Turns schema references into readers. `fetch` and `close` are for one thread; results go to the queue."""

    def __init__(
        self,
        access: Access,
        *,
        cache_dir: Path | None,
        reader: object,
        results: SchemaResults,
        mapped: Mapping[str, TopicMap] | None = None,
        timeout: float = 5.0,
        hold_rules: bool = True,
        patience: Patience = PATIENCE,
        keys: Keys | None = None,
    ) -> None:
        """`reader` is the parsed schema that records are read as; ValueError where it is none.

        `mapped` are the topics of a mapping file, whose schemas are planned for. `timeout` is that of one request as
        a whole, in seconds. `hold_rules` is off where a schema with rules for reading is read as it is. `keys` open
        encrypted fields.
        """
        self._resolver = Resolver(reader, mapped or {})
        self._hold_rules = hold_rules
        self._keys = keys or Keys()
        self._cache = SchemaCache(cache_dir, [endpoint.url for endpoint in access.endpoints])
        self._asks = Asks(results, patience)
        self._clients = [RegistryClient(access, timeout) for _ in range(THREADS)]
        self._threads = [
            threading.Thread(target=self._work, args=(client,), name=f"registry-{number}", daemon=True)
            for number, client in enumerate(self._clients)
        ]
        for thread in self._threads:
            thread.start()

    def fetch(self, ref: Need) -> None:
        """Ask for the schema; nothing more where that is under way. Returns at once."""
        self._asks.add(ref)

    def cache_bytes(self) -> int:
        """What the schema cache holds. Any thread."""
        return self._cache.bytes

    def close(self) -> None:
        """Give up what is under way, and end the threads; nothing is put into the queue after."""
        self._asks.close()
        for client in self._clients:
            client.close()
        for thread in self._threads:
            thread.join(1.0)

    # On the threads.

    def _work(self, client: RegistryClient) -> None:
        while True:
            ref = self._asks.next_due()
            if ref is None:
                return
            try:
                self._attempt(client, ref)
            except Exception as failure:
                log.exception("a schema could not be handled", extra={"schema": ref})
                self._asks.failed(ref, Outage("internal", type(failure).__name__))

    def _attempt(self, client: RegistryClient, ref: Need) -> None:
        schema = schema_of_need(ref)
        try:
            fetched = client.fetch(schema)
        except Outage as outage:
            cached = self._cache.read(schema)
            if cached is None:
                self._asks.failed(ref, outage)
            else:
                self._asks.note_failing(ref, outage)
                self._judge(client, ref, cached, fresh=False)
        except NotRegistered:
            self._asks.note_back()
            self._asks.unknown(ref)
        except Unusable as unusable:
            self._asks.note_back()
            self._asks.conclude(ref, SchemaRefused(ref, INCOMPATIBLE_SCHEMA, str(unusable)))
        else:
            self._judge(client, ref, fetched, fresh=True)

    def _judge(self, client: RegistryClient, ref: Need, fetched: Fetched, *, fresh: bool) -> None:
        """Say what the schema is good for; a `fresh` one is the registry's, and kept where records can be read by it.

        The registry is back once all that was asked of it has an answer.
        """
        outage: Outage | None = None
        try:
            result = self._judged(client, ref, fetched)
        except Outage as failed:
            outage = failed
        if fresh and (outage is None or isinstance(outage, KeyOutage)):
            self._asks.note_back()
        if outage is not None:
            self._asks.failed(ref, outage)
        elif isinstance(result, SchemaHeld):
            self._hold_ruled(result, fetched)
        elif isinstance(result, SchemaUnfitting):
            self._hold_unfitting(result)
        else:
            # Without the registry there are no keys: what needs them is not kept in the folder.
            if fresh and isinstance(result, SchemaKnown) and result.seal is None:
                self._cache.write(schema_of_need(ref), fetched)
            self._asks.conclude(ref, result)

    def _judged(
        self, client: RegistryClient, ref: Need, fetched: Fetched
    ) -> SchemaKnown | SchemaRefused | SchemaUnfitting | SchemaHeld:
        """What the schema is good for, with the keys of its encrypted fields. Raises `Outage`."""
        if not fetched.rules or not self._hold_rules:
            return self._resolver.of(client, ref, fetched)
        seal = self._keys.seal(client, ref, fetched)
        if seal is None:
            return SchemaHeld(ref, fetched.rules)
        self._keys.load(client, ref)
        result = self._resolver.of(client, ref, fetched)
        return replace(result, seal=seal) if isinstance(result, SchemaKnown) else result

    def _hold_ruled(self, fact: SchemaHeld, fetched: Fetched) -> None:
        ref = fact.ref
        if self._asks.hold(ref, fact):
            words = HELD % (
                INSTALL if would_be_run(fetched) and not installed() else "SCHEMA_RULES=ignore allows that"
            )
            log.error("%s", words, extra={"schema": schema_of_need(ref), "rules": named(fetched.rules)})

    def _hold_unfitting(self, fact: SchemaUnfitting) -> None:
        if self._asks.hold(fact.ref, fact):
            unfitting = fact.unfitting
            fields = {"rule": unfitting.rule, "path": unfitting.path, "why": unfitting.why, "subject": fact.subject}
            log.error("%s", UNFITTING, extra=fields | {"schema": schema_of_need(fact.ref)})
