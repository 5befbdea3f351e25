"""Mixpanel's tokens change in their files: told once they have settled; what is wrong leaves the one before."""

import logging
from pathlib import Path

import pytest

from consumer.settings import load
from consumer.settings.tokens import ProjectTokens
from tests.settings.test_settings import REQUIRED

OLD = "old-secret-token"
NEW = "new-secret-token"


class Told:
    """A watch that is moved by hand, with what it told and learnt."""

    def __init__(self, **settings: str) -> None:
        self.told: list[tuple[str, str]] = []
        self.learnt: list[str] = []
        environ = {name: value for name, value in REQUIRED.items() if name != "MIXPANEL_TOKEN"}
        self.watch = ProjectTokens(load(environ | settings), self._tell, self.learnt.append)

    def _tell(self, project: str, token: str) -> None:
        assert token in self.learnt, "what scrubs the log knows it before it is used"
        self.told.append((project, token))

    def look(self, times: int = 2) -> list[tuple[str, str]]:
        """What was told so far."""
        for _ in range(times):
            self.watch.look()
        return self.told


@pytest.fixture
def lines(caplog):
    """What the log says; no token is in it."""
    caplog.set_level(logging.INFO, "consumer.settings")

    def said() -> list[str]:
        assert not [secret for secret in (OLD, NEW) if secret in caplog.text]
        return [record.getMessage() for record in caplog.records]

    return said


@pytest.fixture
def token(tmp_path):
    """The file of MIXPANEL_TOKEN_FILE."""
    file = tmp_path / "token"
    file.write_text(f"{OLD}\n")
    return file


@pytest.fixture
def projects(tmp_path):
    """Writes the file of projects: one for each token or file given."""
    file = tmp_path / "projects.toml"

    def write(**tables: str) -> str:
        file.write_text("".join(f"[{name}]\n{table}\n" for name, table in tables.items()))
        return str(file)

    return write


def test_a_token_is_told_once_it_has_settled(token, lines):
    """Not at the look that sees it first: it may be half written."""
    told = Told(MIXPANEL_TOKEN_FILE=str(token))
    assert not told.look()
    token.write_text(NEW[:5])
    assert not told.look(1)
    token.write_text(f"{NEW}\n")
    assert not told.look(1)
    assert told.look(1) == [("default", NEW)]
    assert told.look(3) == [("default", NEW)]
    assert lines() == ["MIXPANEL_TOKEN_FILE has changed, and is used from now on"]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"two words", b"'quoted'", None])
def test_a_bad_file_leaves_the_token_before(token, lines, content):
    """Said once, with the setting and without the content; the next good one is used."""
    told = Told(MIXPANEL_TOKEN_FILE=str(token))
    if content is None:
        token.unlink()
    else:
        token.write_bytes(content)
    assert not told.look(5)
    (line,) = lines()
    assert line.startswith("MIXPANEL_TOKEN")
    assert line.endswith("; the token before stays in force")
    assert "words" not in line.removeprefix("MIXPANEL_TOKEN has a wrong value (not shown)")
    token.write_text(NEW)
    assert told.look() == [("default", NEW)]
    token.unlink()
    told.look()
    assert len(lines()) == 3


def test_the_same_fault_is_told_again_when_it_comes_again(token, lines):
    """After a good one it is news."""
    told = Told(MIXPANEL_TOKEN_FILE=str(token))
    for content in ("", OLD, ""):
        token.write_text(content)
        told.look()
    assert len(lines()) == 2


def test_each_project_has_its_own_file(tmp_path, token, projects, lines):
    """What is wrong with one holds up no other."""
    (tmp_path / "a").write_text("a-1")
    (tmp_path / "b").write_text("b-1")
    file = projects(a=f'token_file = "{tmp_path}/a"', b=f'token_file = "{tmp_path}/b"', c=f'token = "{OLD}-c"')
    told = Told(MIXPANEL_TOKEN_FILE=str(token), MIXPANEL_PROJECTS_FILE=file)
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("b-2")
    assert told.look() == [("b", "b-2")]
    fault, change = lines()
    assert fault == (
        f'MIXPANEL_PROJECTS_FILE line 2, [a] token_file: it is "{tmp_path}/a": the file is empty;'
        " the token before stays in force"
    )
    assert change == "MIXPANEL_PROJECTS_FILE [b] token has changed, and is used from now on"
    (tmp_path / "a").write_text("a-2")
    token.write_text(NEW)
    assert told.look() == [("b", "b-2"), ("default", NEW), ("a", "a-2")]


def test_a_token_in_the_file_of_projects(projects, lines):
    """It is read again too, and so is the name of a file in its place."""
    told = Told(MIXPANEL_PROJECTS_FILE=projects(a=f'token = "{OLD}"'))
    file = projects(a=f'token = "{NEW}"')
    assert told.look() == [("a", NEW)]
    elsewhere = Path(file).with_name("a")
    elsewhere.write_text("a-3")
    projects(a=f'token_file = "{elsewhere}"')
    assert told.look()[1:] == [("a", "a-3")]
    elsewhere.write_text("a-4")
    assert told.look()[2:] == [("a", "a-4")]
    assert lines() == ["MIXPANEL_PROJECTS_FILE [a] token has changed, and is used from now on"] * 3


def test_other_projects_need_a_restart(projects, lines):
    """One line says which; tokens of those that stay are used, one for another place is not."""
    told = Told(MIXPANEL_PROJECTS_FILE=projects(a='token = "a"', b='token = "b"', c='token = "c"'))
    projects(b='token = "b2"\nregion = "eu"', c='token = "c2"', d='token = "d"')
    assert told.look(4) == [("c", "c2")]
    assert lines()[0] == (
        "MIXPANEL_PROJECTS_FILE has changed: [a] is gone, [b] has another url, [d] is new."
        " A restart brings that into force"
    )
    assert len(lines()) == 2


@pytest.mark.parametrize("content", ["[a\n", "", '[a]\ntoken = "x y"\n', '[a]\ntoken = "b"\n[b]\ntoken = "b"\n'])
def test_a_file_of_projects_that_is_wrong(tmp_path, projects, lines, content):
    """All stays as it is, and the line says why."""
    told = Told(MIXPANEL_PROJECTS_FILE=projects(a='token = "a"', b='token = "b"'))
    (tmp_path / "projects.toml").write_text(content)
    assert not told.look(4)
    (line,) = lines()
    assert line.startswith("MIXPANEL_PROJECTS_FILE ")
    assert line.endswith("; the token before stays in force")


def test_two_projects_may_exchange_their_tokens(projects):
    """They are never the same at any time."""
    told = Told(MIXPANEL_PROJECTS_FILE=projects(a='token = "x"', b='token = "y"'))
    projects(a='token = "y"', b='token = "x"')
    assert told.look() == [("a", "y"), ("b", "x")]


def test_two_projects_with_one_token_hold_up_no_other(projects, lines):
    """Neither has it, nor is another's token freed for a third by what is not used; all others are."""
    told = Told(MIXPANEL_PROJECTS_FILE=projects(a='token = "1"', b='token = "2"', c='token = "3"', d='token = "4"'))
    projects(a='token = "x"', b='token = "x"', c='token = "2"', d='token = "5"')
    assert told.look(4) == [("d", "5")]
    assert [line.partition(": ")[0] for line in lines()] == [
        "MIXPANEL_PROJECTS_FILE line 3, [b]",
        "MIXPANEL_PROJECTS_FILE line 5, [c]",
        "MIXPANEL_PROJECTS_FILE [d] token has changed, and is used from now on",
    ]
    projects(a='token = "x"', b='token = "y"', c='token = "2"', d='token = "5"')
    assert told.look()[1:] == [("a", "x"), ("b", "y"), ("c", "2")]


def test_what_else_is_wrong_with_a_project_holds_up_no_token(projects, lines):
    """A number that is none is told, and its token is used."""
    told = Told(MIXPANEL_PROJECTS_FILE=projects(a='token = "1"'))
    projects(a='token = "2"\nproject_id = "abc"')
    assert told.look() == [("a", "2")]
    assert lines()[0].startswith('MIXPANEL_PROJECTS_FILE line 3, [a] project_id: is "abc"')


def test_without_files_there_is_nothing_to_look_at():
    """A token of the environment stays as it is."""
    told = Told(MIXPANEL_TOKEN=OLD)
    assert not told.watch.files
    assert not told.look()
