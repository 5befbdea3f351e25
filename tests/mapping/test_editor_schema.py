"""The JSON Schema that editors read: it takes the published files, and knows every word that the reader knows."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from consumer.mapping.reading import DEFAULT_KEYS, FILE_KEYS, TEST_KEYS, TOPIC_KEYS
from consumer.mapping.reading_parts import CONDITION_KEYS
from consumer.mapping.reading_properties import VERB_OF
from consumer.mapping.reading_rule import RULE_KEYS
from consumer.mapping.words import CONVERSIONS, FORMATS, KEY_FORMATS

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "mapping.schema.json").read_text())
RULE = SCHEMA["properties"]["rule"]["items"]["properties"]


@pytest.mark.parametrize("file", sorted((DOCS / "mappings").glob("*.toml")), ids=lambda file: file.stem)
def test_the_published_files_pass(file: Path) -> None:
    jsonschema.validate(tomllib.loads(file.read_text()), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ("deletes", "delets"),
        ('"debezium"', '"debezum"'),
        ('as = "json"', 'as = "jsn"'),
    ],
)
def test_what_the_reader_refuses_is_refused(old: str, new: str) -> None:
    text = (DOCS / "mappings" / "debezium.toml").read_text()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text.replace(old, new)), SCHEMA)


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
