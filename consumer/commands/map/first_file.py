"""The first mapping file of a topic, from its schemas and last records: a guess, to be read and corrected."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from consumer.avro.schema import BYTES, FIXED, INT, LONG, NULL, RECORD, STRING, UNION, Field, Type, unqualified
from consumer.commands.map.samples import SampleFacts
from consumer.mapping.errors import Misfit
from consumer.mapping.fits import parts_of
from consumer.mapping.layout import ENVELOPE, branches
from consumer.mapping.meanings import INTEGER, meaning_of, name_of
from consumer.mapping.readers import reader_of
from consumer.mapping.words import AS_IS, ID, KEY_FORMATS, KEY_SCHEMA
from consumer.terminal.table import counted

PERSONAL: Final = re.compile(
    r"mail|phone|mobile|fax|birth|dob$|ssn|passport|street|first_?name|last_?name|full_?name|surname|contact|iban|"
    r"passw|secret|token|(^|_)ip(_|$)|ip_?addr|tax_?id",
    re.IGNORECASE,
)
JSON: Final = "io.debezium.data.Json"
HEAD: Final = """# A first guess from the schemas and {}: read every line, and then check it with 'map check'.
version = 1
"""


def first_file(
    topic: str, values: Sequence[Sequence[Type]], key: Type | None, compacted: bool, seen: SampleFacts
) -> str:
    """The file's text. `values` are the versions of each record; `key` is None where none is registered."""
    kinds = [kind for versions in values for kind in branches(versions[-1]) if kind.kind == RECORD]
    rules = [rule_of(topic, kind, key, compacted or seen.deletes, len(kinds) > 1, seen) for kind in kinds]
    return HEAD.format(counted(seen.records, "record")) + "".join(f"\n{rule}" for rule in rules)


def rule_of(topic: str, kind: Type, key: Type | None, deletes: bool, several: bool, seen: SampleFacts) -> str:
    """One rule for one record."""
    form, row = format_of(kind, deletes)
    key = key if seen.key in ("", KEY_FORMATS[KEY_SCHEMA]) else None
    root = "row" if form == "debezium" else "value"
    lines = [
        "[[rule]]",
        f"name = {quoted(unqualified(kind.name) if several else topic)}",
        f"topics = [{quoted(topic)}]",
    ]
    lines += [f"format = {quoted(form)}"] if form != "event" else []
    lines += [f"record = [{quoted(kind.name)}]"] if several else []
    if key is None:
        guessed = "no key schema is registered: text, int or long?"
        lines.append(f"key = {quoted(seen.key)}" if seen.key else f'key = "text"  # {guessed}')
    field = None if form != "event" else id_field(row, {name for record, name in seen.same if record == kind.name})
    if field is not None:
        path = quoted(f"value.{part(field.name)}")
        lines.append(f'group = {{ key = "company", id = {path} }}  # is this the company?')
        if nullable(field):
            lines.append(f"where = [{{ path = {path}, exists = true }}]")
    else:
        lines.append(f'group = {{ key = "company", id = {id_of_key(key)} }}  # is this the company?')
    lines.append(f"null = {quoted('skip' if form == 'event' else 'unset')}")
    hidden = {name for record, name in seen.personal if record == kind.name}
    return "\n".join([*lines, "", "[rule.set]", *properties(row, root, hidden)]) + "\n"


def format_of(kind: Type, deletes: bool) -> tuple[str, Type]:
    """The format, and the record that has the columns. `deletes`: values are null where a row is gone."""
    fields = {field.name: field.type for field in kind.fields}
    if all(name in fields for name in ENVELOPE):
        rows = [branch for branch in parts_of(fields["after"]) if branch.kind == RECORD]
        if rows:
            return "debezium", rows[0]
    return ("row" if deletes or "__deleted" in fields else "event"), kind


def id_field(row: Type, same: Collection[str]) -> Field | None:
    """The first field that always is what the key is, else whose name is that of an id; one that can be an id."""
    for field in row.fields:
        if field.name in same and all(can_be_id(branch) for branch in parts_of(field.type)):
            return field
    for field in row.fields:
        if re.search(r"(^|_)id$|[a-z]Id$", field.name) and all(can_be_id(branch) for branch in parts_of(field.type)):
            return field
    return None


def can_be_id(kind: Type) -> bool:
    """Whether a group can be named by it."""
    try:
        reader_of(kind, ID, b"")
    except Misfit:
        return False
    return kind.kind in (STRING, INT, LONG)


def id_of_key(key: Type | None) -> str:
    """The id that the record's key gives."""
    if key is None or key.kind != RECORD:
        return quoted("key")
    paths = [quoted(f"key.{part(field.name)}") for field in key.fields]
    return paths[0] if len(paths) == 1 else f'{{ join = [{", ".join(paths)}], with = "/" }}'


def properties(row: Type, root: str, hidden: Collection[str]) -> Iterator[str]:
    """A line for every field; those that look like personal data, or have no form in Mixpanel, are comments.

    `hidden` are fields whose values look so, whatever their names.
    """
    taken: set[str] = set()
    for field in row.fields:
        if field.name.startswith("__"):
            continue
        name = "$name" if field.name == "name" else title(field.name)
        name = field.name if name in taken else name
        taken.add(name)
        path = quoted(f"{root}.{part(field.name)}")
        how = "text" if long_id(field) else "json" if is_json(field) else ""
        path = f'{{ from = {path}, as = "{how}" }}' if how else path
        line = f"{quoted(name)} = {path}"
        if PERSONAL.search(field.name) or field.name in hidden:
            yield f"# {line}  # personal data?"
        elif not sendable(field.type):
            how = "base64" if any(branch.kind in (BYTES, FIXED) for branch in parts_of(field.type)) else "text"
            yield f"# {quoted(name)} = {{ from = {path}, as = {quoted(how)} }}  # no form in Mixpanel as it is"
        else:
            yield line


def long_id(field: Field) -> bool:
    """Whether it is a long that looks like an id: above 2^53 a number would lose digits."""
    longs = any(branch.kind == LONG and meaning_of(branch) == INTEGER for branch in parts_of(field.type))
    return longs and field.name.lower().endswith("id")


def is_json(field: Field) -> bool:
    """Whether it is text that holds JSON."""
    return any(branch.kind == STRING and name_of(branch) == JSON for branch in parts_of(field.type))


def sendable(kind: Type) -> bool:
    """Whether it can be sent as it is."""
    try:
        reader_of(kind, AS_IS, b"")
    except Misfit:
        return False
    return True


def nullable(field: Field) -> bool:
    """Whether null may be there."""
    return field.type.kind == UNION and any(branch.kind == NULL for branch in field.type.items)


def title(name: str) -> str:
    """A property's name: plan_code and planCode become Plan code."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).replace("_", " ").strip().lower()
    return spaced[:1].upper() + spaced[1:] or name


def part(name: str) -> str:
    """One part of a path; quoted where it has a dot."""
    return f'"{name}"' if "." in name else name


def quoted(text: str) -> str:
    """A TOML text."""
    return json.dumps(text, ensure_ascii=False)
