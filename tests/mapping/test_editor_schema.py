"""The JSON Schema that editors read: it takes the published files, and knows every word that the reader knows."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from consumer.mapping.reading import DEFAULT_KEYS, FILE_KEYS, TEST_KEYS, TOPIC_KEYS, InvalidMapping, read
from consumer.mapping.reading_parts import CONDITION_KEYS
from consumer.mapping.reading_properties import VERB_OF
from consumer.mapping.reading_rule import RULE_KEYS
from consumer.mapping.words import CONVERSIONS, FORMATS, KEY_FORMATS
from consumer.sandbox.traffic.companies import mapping_file
from tests.mapping.published import EVERYTHING

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "mapping.schema.json").read_text())
RULE = SCHEMA["properties"]["rule"]["items"]["properties"]


FILES = [*sorted((DOCS / "mappings").glob("*.toml")), mapping_file()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_published_files_pass(file: Path) -> None:
    jsonschema.validate(tomllib.loads(file.read_text()), SCHEMA)


def test_what_the_reader_takes_passes() -> None:
    read(EVERYTHING, ["T"], [], True)
    jsonschema.validate(tomllib.loads(EVERYTHING), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ("version = 1", 'versions = "1"'),
        ("[[rule]]", "[[rules]]"),
        ("deletes", "delets"),
        ('"debezium"', '"debezum"'),
        ('as = "json"', 'as = "jsn"'),
        ('null = "unset"', 'null = "unsets"'),
        ('topics = ["crm.public.companies"]', "topics = [5]"),
        ('topics = ["crm.public.companies"]', ""),
        ('id = "key.id"', 'ids = "key.id"'),
        ('key = "company"', "key = 5"),
        ('in = ["customer", "trial"]', 'within = ["customer"]'),
        ("where = [", "where = [5, "),
        ("[rule.set]", "[rule.sett]"),
        ('"row.name"', "5"),
        ('from = "row.labels"', 'form = "row.labels"'),
    ],
)
def test_what_the_schema_refuses_the_reader_refuses(old: str, new: str) -> None:
    """What an editor marks is a fault of the file, too."""
    text = (DOCS / "mappings" / "debezium.toml").read_text()
    assert old in text
    broken = text.replace(old, new, 1)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(broken), SCHEMA)
    with pytest.raises(InvalidMapping):
        read(broken, ["crm.public.companies"], [], True)


def test_it_knows_the_words_of_the_reader() -> None:
    assert set(SCHEMA["properties"]) == set(FILE_KEYS)
    assert set(SCHEMA["properties"]["defaults"]["properties"]) == set(DEFAULT_KEYS)
    assert set(SCHEMA["properties"]["topic"]["additionalProperties"]["properties"]) == set(TOPIC_KEYS)
    assert set(SCHEMA["properties"]["test"]["items"]["properties"]) == set(TEST_KEYS)
    assert set(RULE) == set(RULE_KEYS)
    assert set(VERB_OF) <= set(RULE)
    assert tuple(RULE["format"]["enum"]) == FORMATS
    assert tuple(RULE["key"]["enum"]) == KEY_FORMATS
    assert set(SCHEMA["$defs"]["condition"]["properties"]) == set(CONDITION_KEYS)
    assert ("", *SCHEMA["$defs"]["property"]["oneOf"][2]["properties"]["as"]["enum"]) == CONVERSIONS
