"""What `make bench` says: which ratio is worse than another, and the tables of docs/performance.md."""

import re

import pytest

from bench import goals, page, tables
from bench.__main__ import PARTS
from bench.goals import Held


@pytest.mark.parametrize(
    ("name", "value", "missed", "worse"),
    [
        ("CPU, mixed / tuned loop", 0.36, False, False),
        ("CPU, mixed / tuned loop", 0.41, True, False),
        ("CPU, mixed / tuned loop", 0.42, True, True),
        ("events/s, mixed / tuned loop", 0.36, False, False),
        ("events/s, mixed / tuned loop", 0.35, True, False),
        ("events/s, mixed / tuned loop", 0.31, True, True),
    ],
)
def test_what_is_worse(name, value, missed, worse):
    """Lower is better, but for events a second; what the noise explains is not worse."""
    held = Held(name, value, goal=0.36, before=0.36)
    assert (held.missed, held.worse) == (missed, worse)


def test_nothing_is_worse_than_nothing():
    """What was never kept, and has no goal, is told alone."""
    held = Held("CPU, mixed / tuned loop", 9.0, goal=None, before=None)
    assert not held.missed
    assert not held.worse


def test_every_part_has_ratios_and_a_table_on_the_page():
    """And nothing else has; so a run of everything fills the page."""
    assert set(goals.RATIOS) == set(tables.OF_PARTS) == set(PARTS)
    marked = re.findall(r"^<!-- bench: (\w+) -->\n\|", page.PAGE.read_text(), re.MULTILINE)
    assert sorted(marked) == sorted(["ratios", *PARTS])


def test_tables_of_the_page_are_replaced():
    """Those of the parts that were measured, and what stands around them stays."""
    text = "a\n\n<!-- bench: one -->\n| old | b |\n| - | - |\n| x | 1 |\n\nb\n\n<!-- bench: two -->\n| old |\n"
    new = tables.table(("", "c"), [("y", ""), ("z", 2)])
    assert page.filled(text, {"one": new}) == (
        "a\n\n<!-- bench: one -->\n| | c |\n| --- | --- |\n| y | |\n| z | 2 |\n\nb\n\n<!-- bench: two -->\n| old |\n"
    )
