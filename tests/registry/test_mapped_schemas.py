"""Schemas of mapped topics: planned for by the topic's rules, held where they do not fit, looked at beside others."""

import json
import logging
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from consumer.mapping.mapper import Mapper
from consumer.mapping.reading import read
from consumer.registry.access import Access, Endpoint
from consumer.registry.asks import Patience
from consumer.registry.facts import SchemaFact, SchemaFailing, SchemaKnown, SchemaUnfitting
from consumer.registry.fetcher import RegistryFetcher
from consumer.registry.login import nobody
from consumer.registry.tls import Tls
from consumer.sandbox.registry.server import RegistrySandbox
from tests.core.machine import SCHEMA

TOPIC = "rows"
FILE = """
version = 1
[[rule]]
name = "r"
topics = ["rows"]
group = { key = "company", id = "value.id" }
[rule.set]
Name = "value.name"
"""
Ask = Callable[[int], SchemaFact]
QUICK = Patience(held_for=0.2, backoff=(0.05, 0.2))


def row(*names: str) -> str:
    """A record of texts, each of them to be left out."""
    fields = [{"name": name, "type": "string", "default": ""} for name in names]
    return json.dumps({"type": "record", "name": "Row", "fields": fields})


@pytest.fixture
def registry() -> Iterator[RegistrySandbox]:
    """A registry of its own."""
    with RegistrySandbox() as found:
        yield found


@pytest.fixture
def ask(registry: RegistrySandbox) -> Iterator[Ask]:
    """Asks for a schema of the topic's values; the next word on it."""
    found = Mapper(read(FILE, [TOPIC], [], False), b"", ()).topic(TOPIC)
    assert found is not None
    results: SimpleQueue[Any] = SimpleQueue()
    more: dict[str, Any] = {"cache_dir": None, "reader": SCHEMA, "results": results}
    access = Access((Endpoint(registry.url, nobody()),), Tls(""))
    fetcher = RegistryFetcher(access, mapped={TOPIC: found}, patience=QUICK, **more)

    def asked(schema: int) -> SchemaFact:
        fetcher.fetch((TOPIC, schema, False))
        fact: SchemaFact = results.get(timeout=20)
        return fact

    yield asked
    fetcher.close()


def test_a_schema_that_fits_says_what_is_new_in_it(registry: RegistrySandbox, ask: Ask) -> None:
    """Beside the version before it: a field that no rule reads."""
    registry.register(f"{TOPIC}-value", row("id", "name"))
    fact = ask(registry.register(f"{TOPIC}-value", row("id", "name", "plan")))
    assert isinstance(fact, SchemaKnown)
    assert fact.changes is not None
    assert fact.changes.as_fields() == {"unmapped": ["plan"]}


def test_a_path_that_only_a_later_version_has_is_left_out(registry: RegistrySandbox, ask: Ask) -> None:
    """The record is older than the column. Found by the record's own subject, too."""
    first = registry.register("Row", row("id"))
    registry.register("Row", row("id", "name"))
    fact = ask(first)
    assert isinstance(fact, SchemaKnown)
    assert fact.changes is not None
    assert fact.changes.as_fields() == {"gone": ["value.name"]}


def test_a_path_that_is_missing_holds_until_a_later_version_has_it(
    registry: RegistrySandbox, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked again by itself; one line says rule, path, schema and subject."""
    first = registry.register(f"{TOPIC}-value", row("id"))
    with caplog.at_level(logging.ERROR):
        fact = ask(first)
    assert isinstance(fact, SchemaUnfitting)
    assert (fact.unfitting.rule, fact.unfitting.path, fact.subject) == ("r", "value.name", f"{TOPIC}-value")
    assert isinstance(ask(first), SchemaUnfitting)  # by then the line is written
    [line] = [record for record in caplog.records if "does not fit" in record.message]
    assert (vars(line)["schema"], vars(line)["rule"], vars(line)["subject"]) == (first, "r", f"{TOPIC}-value")
    registry.register(f"{TOPIC}-value", row("id", "name"))
    while isinstance(fact, SchemaUnfitting):
        fact = ask(first)
    assert isinstance(fact, SchemaKnown)


def test_versions_that_cannot_be_asked_for_hold_nothing_for_good(registry: RegistrySandbox, ask: Ask) -> None:
    """Whether the path is missing for good is not known: the question is asked again."""
    first = registry.register(f"{TOPIC}-value", row("id"))
    registry.faults.on("status", status=503, times=2)
    fact = ask(first)
    while isinstance(fact, SchemaFailing):
        fact = ask(first)
    assert isinstance(fact, SchemaUnfitting)
