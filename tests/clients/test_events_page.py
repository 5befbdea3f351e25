"""What docs/events.md says of itself: its code is the programs', its links lead somewhere, its tables are true."""

import json
import re
from pathlib import Path

import pytest

from consumer.event import errors
from consumer.sandbox.mixpanel.profiles import Profiles

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "events.md").read_text()
QUOTES = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("file", "code"), QUOTES)
def test_quotes(file, code):
    """Code in the page is a piece of the program that the tests run."""
    assert code in (DOCS / file).read_text()


def test_every_program_is_quoted():
    """No program is left out."""
    assert {file for file, _ in QUOTES} == {
        f"examples/{folder.name}/{next(folder.glob('[Pp]roduce.*')).name}" for folder in (DOCS / "examples").iterdir()
    }


def test_links():
    """A link to a file or to a heading of the page leads somewhere."""
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert link[1:] in anchors if link.startswith("#") else (DOCS / link).exists(), link


OPERATIONS = re.findall(r"^\| `([A-Z_]+)` \|[^|]*\| (\S[^|]*) \|([^|]*)\| ([^|]*) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("operation", "before", "event", "after"), OPERATIONS)
def test_operations(operation, before, event, after):
    """The table of operations shows what each does to a profile."""
    group = {"$token": "token", "$group_key": "company", "$group_id": "acme"}
    profiles = Profiles()
    properties = {"x": 1} if before == "any" else json.loads(before.strip("`"))
    assert profiles.apply(group | {"$set": properties}) is None

    assert profiles.apply(group | {f"${operation.lower()}": json.loads(event.strip("` ") or "null")}) is None

    expected = None if after == "no profile" else json.loads(after.strip("`"))
    assert profiles.get("token", "company", "acme") == expected


def test_every_operation_and_reason_is_there():
    """The page has each operation of the schema, and each reason but those that are not the producer's."""
    schema = json.loads((DOCS.parent / "schemas" / "group_change.avsc").read_text())
    (operation,) = [field["type"] for field in schema["fields"] if field["name"] == "operation"]
    assert [row[0] for row in OPERATIONS] == operation["symbols"]
    for reason in set(errors.REASONS) - {errors.AMBIGUOUS_ADD, errors.QUARANTINED, errors.UNMAPPED}:
        assert f"\n| `{reason}` |" in PAGE, reason
