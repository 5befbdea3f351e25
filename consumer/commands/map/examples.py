"""The `[[test]]` tables of a mapping file, each run as one record, and the mapped lines that none of them reached."""

import difflib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from consumer.avro.errors import IncompatibleSchema
from consumer.avro.parsing import parse
from consumer.avro.schema import Type
from consumer.commands.map.datum import NoDatum
from consumer.commands.map.registered import RegisteredSchemas, TopicSchemas
from consumer.commands.map.trial import Written, content_of, tried, updates_of
from consumer.event.errors import Reject
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import Mapper
from consumer.mapping.outcome import Mapped
from consumer.mapping.rules import Example, Mapping, Rule


class Unrunnable(Exception):
    """The test cannot be run; the message says why."""


@dataclass(frozen=True)
class ExampleResult:
    """One test: where it is, and why it failed, empty where it passed."""

    number: int
    line: int
    rule: str
    why: str


class Examples:
    """Runs the tests of a mapping. `schemas` is None where there is no registry: then each test names a file."""

    def __init__(
        self,
        mapping: Mapping,
        secret: bytes,
        compacted: Collection[str],
        folder: Path,
        schemas: RegisteredSchemas | None,
    ) -> None:
        """`folder` is where files of schemas are looked for."""
        self._mapping = mapping
        self._mapper = Mapper(mapping, secret, compacted)
        self._folder = folder
        self._schemas = schemas
        self._written: set[tuple[str, str]] = set()  # rule and property
        self._acted: set[str] = set()

    def run(self) -> list[ExampleResult]:
        """Every test, in the file's order. Raises `RegistryError`."""
        return [
            ExampleResult(number, example.line, example.rule, self._why(example))
            for number, example in enumerate(self._mapping.examples, 1)
        ]

    def unreached(self) -> list[tuple[int, str, str]]:
        """Line, rule and what it is of all that no test came to."""
        missed: list[tuple[int, str, str]] = []
        for rule in self._mapping.rules:
            if rule.name not in self._acted:
                missed.append((rule.line, rule.name, "the rule"))
                continue
            missed += [
                (item.line, rule.name, item.name)
                for item in rule.properties
                if (rule.name, item.name) not in self._written
            ]
        return sorted(missed)

    def _why(self, example: Example) -> str:
        """Why the test fails; empty where it does not."""
        try:
            mapped = self._mapped(example)
        except (Unrunnable, NoDatum, Reject, Hold) as fault:
            return fault.detail if isinstance(fault, Reject) else str(fault)
        self._note(mapped)
        came = came_of(mapped, example.rule)
        expected = [content_of(item) for item in example.expect]
        return "" if same(came, expected) else difference(expected, came)

    def _mapped(self, example: Example) -> Mapped:
        rules = [rule for rule in self._mapping.rules if example.rule in ("", rule.name)]
        topics = list(dict.fromkeys(topic for rule in rules for topic in rule.topics))
        if len(topics) != 1 and not example.rule:
            raise Unrunnable("the file has several topics, so the test says which rule it is of")
        topic = topics[0]
        rules_of_topic = self._mapper.topic(topic)
        assert rules_of_topic is not None
        registered = self._schemas.of(topic, rules) if self._schemas is not None else TopicSchemas([])
        written = Written(example.key, example.value, example.headers)
        writer = None if content_of(example.value) is None else self._writer(example, rules, registered)
        return tried(topic, rules_of_topic, written, record_of(example, rules), writer, registered.key)

    def _writer(self, example: Example, rules: Sequence[Rule], registered: TopicSchemas) -> Type:
        """The schema of the test's value."""
        if example.schema:
            try:
                return parse(json.loads((self._folder / example.schema).read_text("utf-8")))
            except (OSError, ValueError, IncompatibleSchema) as fault:
                raise Unrunnable(f"the schema {example.schema} cannot be read: {fault}") from None
        record = record_of(example, rules)
        if not record and len(registered.values) > 1:
            names = ", ".join(str(versions[-1]) for versions in registered.values)
            raise Unrunnable(f"several records are registered, so the test says which record it is: {names}")
        schema = registered.newest(record)
        if schema is None:
            where = ", ".join(registered.asked) if registered.asked else "SCHEMA_REGISTRY_URL is not set"
            raise Unrunnable(f"no schema of {record or 'its record'} is registered ({where}): name a file in schema")
        return schema

    def _note(self, mapped: Mapped) -> None:
        """What this record reached."""
        for part in mapped.parts:
            self._acted.add(part.rule)
            for operation in part.operations:
                self._written.update((part.rule, name) for name in operation.values)


def record_of(example: Example, rules: Sequence[Rule]) -> str:
    """The record's full name: the test's, else the only one that the rule takes; else empty."""
    records = {record for rule in rules for record in rule.records}
    return example.record or (next(iter(records)) if len(records) == 1 else "")


def came_of(mapped: Mapped, rule: str) -> list[dict[str, Any]]:
    """The updates, and what was refused; of one rule alone where the test names it."""
    came = [update for part in mapped.parts if rule in ("", part.rule) for update in updates_of(part)]
    return came + [{"refused": refusal.reason} for refusal in mapped.refusals if rule in ("", refusal.rule)]


def same(left: Any, right: Any) -> bool:
    """Whether two pieces of JSON say the same: 5 is 5.0, and true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def difference(expected: Any, came: Any) -> str:
    """What was expected (-) beside what came (+)."""
    return "\n".join(difflib.unified_diff(lines(expected), lines(came), "expected", "came", n=1000, lineterm=""))


def lines(content: Any) -> list[str]:
    """JSON, line by line."""
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, default=str).splitlines()


def junit(outcomes: Sequence[ExampleResult], file: Path) -> bytes:
    """The outcomes as CI systems read them."""
    failures = sum(bool(result.why) for result in outcomes)
    suite = ElementTree.Element("testsuite", name="map test", tests=str(len(outcomes)), failures=str(failures))
    for result in outcomes:
        name = f"test {result.number}" + (f": {result.rule}" if result.rule else "")
        case = ElementTree.SubElement(
            suite, "testcase", classname=file.name, name=name, file=str(file), line=str(result.line)
        )
        if result.why:
            ElementTree.SubElement(case, "failure", message=result.why.splitlines()[0]).text = result.why
    text: bytes = ElementTree.tostring(suite, "utf-8", xml_declaration=True)
    return text
