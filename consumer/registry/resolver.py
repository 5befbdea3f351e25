"""How records of a fetched schema are read, or why they cannot be."""

import json
from collections.abc import Mapping

from consumer.avro.errors import IncompatibleSchema
from consumer.core.schemas import MappedSchema, Need, Unfitting
from consumer.event.decode import resolve
from consumer.event.errors import INCOMPATIBLE_SCHEMA
from consumer.event.model import SchemaRef
from consumer.mapping.changes import Changes, changes_of
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import TopicMap
from consumer.registry.client import Fetched, RegistryClient
from consumer.registry.errors import Outage
from consumer.registry.facts import SchemaKnown, SchemaRefused, SchemaUnfitting
from consumer.registry.versions import standing, type_of

# Versions of a subject that a new schema is compared with the last of: each is a request, and a record waits.
LOOKED_AT = 10


class Resolver:
    """Decoders for the built-in event's schemas, plans for those of mapped topics. Any thread."""

    def __init__(self, reader: object, mapped: Mapping[str, TopicMap]) -> None:
        """`reader` is the parsed schema that the built-in event is read as; ValueError where it is none."""
        resolve(reader, reader)
        self._reader = reader
        self._mapped = mapped

    def of(
        self, client: RegistryClient, ref: Need, fetched: Fetched
    ) -> SchemaKnown | SchemaRefused | SchemaUnfitting:
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

    def _planned(self, client: RegistryClient, need: MappedSchema, fetched: Fetched) -> SchemaKnown | SchemaUnfitting:
        """How the topic's mapping reads it; where a path is missing its other versions may say why."""
        topic, schema, of_key = need
        rules = self._mapped[topic]
        writer = type_of(fetched)
        try:
            if of_key:
                return SchemaKnown(need, rules.key_plan(writer))
            return SchemaKnown(need, rules.value_plan(writer), changes=self._changes(client, topic, schema, fetched))
        except Hold as hold:
            place = standing(client, topic, schema, fetched, of_key=of_key)
            if hold.missing and not of_key:
                try:
                    plan = rules.value_plan(writer, place.earlier, place.later)
                    before = place.earlier[-1] if place.earlier else None
                    return SchemaKnown(need, plan, changes=changes_of(rules.rules, writer, before))
                except Hold as still:
                    hold = still
            return SchemaUnfitting(need, Unfitting(hold.rule, hold.path, hold.why), place.subject)

    def _changes(self, client: RegistryClient, topic: str, schema: SchemaRef, fetched: Fetched) -> Changes | None:
        """What the schema means to the rules; None where the registry does not say what was before it."""
        try:
            place = standing(client, topic, schema, fetched, of_key=False, newest=LOOKED_AT)
        except Outage:
            return None
        before = place.earlier[-1] if place.earlier else None
        return changes_of(self._mapped[topic].rules, type_of(fetched), before)
