"""The mapping file changes under the service: told once it has settled, with what a restart would make of it."""

import logging
from pathlib import Path

import pytest

from consumer.settings import load
from consumer.settings.mapping_watch import MappingWatch
from tests.settings.test_settings import REQUIRED

TEXT = """version = 1
[[rule]]
name = "usage"
topics = ["usage"]
group = { key = "company", id = "value.id" }
null = "skip"
set = { Users = "value.users" }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file as it is read at the start."""
    path = tmp_path / "mapping.toml"
    path.write_text(TEXT)
    return path


def test_a_change_is_told_once_with_what_a_restart_makes_of_it(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "consumer.settings")
    watch = MappingWatch(load(REQUIRED | {"MAPPING_FILE": str(file), "KAFKA_TOPICS": "usage"}))

    def said() -> list[tuple[str, str]]:
        caplog.clear()
        for _ in range(3):
            watch.look()
        return [(record.levelname, record.getMessage()) for record in caplog.records]

    assert said() == []
    file.write_text(TEXT.replace("Users", "People"))
    [(level, words)] = said()
    assert (level, words.split(":")[0]) == ("WARNING", "the mapping file has changed")
    assert said() == []
    file.write_text(TEXT.replace("skip", "skipp"))
    [(level, words)] = said()
    assert (level, words.split(":")[0]) == ("ERROR", "the mapping file has changed and has faults")
    assert "line 6" in vars(caplog.records[0])["faults"][0]
    file.unlink()
    [(level, words)] = said()
    assert (level, words.split(":")[0]) == ("ERROR", "the mapping file cannot be read any more")
    file.write_text(TEXT)
    assert said() == [("INFO", "the mapping file is again as it was read at the start")]


def test_without_a_file_there_is_nothing_to_look_at() -> None:
    assert not MappingWatch(load(REQUIRED)).files
