"""docs/mapping-file.md names every key, way and conversion that the reader knows, and every annotation."""

import tomllib

import pytest

from consumer.mapping.meanings import CLOCKS, DATES, STAMPS, TEXTS
from consumer.mapping.reading import DEFAULT_KEYS, FILE_KEYS, TEST_KEYS, TOPIC_KEYS, read
from consumer.mapping.reading_parts import CONDITION_KEYS
from consumer.mapping.reading_properties import SOURCE_KEYS
from consumer.mapping.reading_rule import ENDINGS, RULE_KEYS
from consumer.mapping.words import ACTIONS, CONVERSIONS, FORMATS, KEY_FORMATS
from tests.mapping.published import FILES

PAGE = (FILES.parent / "mapping-file.md").read_text()
KEYS = {*FILE_KEYS, *DEFAULT_KEYS, *TOPIC_KEYS, *TEST_KEYS, *CONDITION_KEYS, *SOURCE_KEYS, *ENDINGS, *RULE_KEYS}
WORDS = KEYS | {*ACTIONS, *FORMATS, *KEY_FORMATS, *CONVERSIONS} - {""}
ANNOTATIONS = {*STAMPS, *CLOCKS, *DATES, *TEXTS}


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_of_the_file_is_there(word: str) -> None:
    assert word in PAGE


@pytest.mark.parametrize("name", sorted(ANNOTATIONS))
def test_every_annotation_is_there(name: str) -> None:
    short = name.rsplit(".", 1)[-1]
    family = f"`{short.rsplit('-', 1)[0]}-*`"
    assert f"`{short}`" in PAGE or family in PAGE


def test_the_file_on_the_page_is_one() -> None:
    text = PAGE.split("```")[1]
    tomllib.loads(text)
    assert [rule.name for rule in read(text, ["crm.public.companies"], [], False).rules] == ["companies"]
