"""Histories of the real loop in a simulated world, each from its seed: every promise is kept in all of them."""

import pytest

from .beside import PROJECT
from .isolated import AGAIN, ASLEEP, CRASHES, FENCED, FLOOD, FULL, LARGE, LETTERS, REFUSED, REGISTRY, STUCK
from .mutants import MUTANTS, hunt, text_of
from .run import names_of, run
from .several import PARTS

CHUNK = 25
# One of each promise: all of them take longer, and are run by `python -m tests.simulation.mutants`.
BROKEN = (
    "commit-highest",
    "lane-not-held",
    "unfolded-together",
    "revoked-goes-again",
    "revoked-frees-its-group",
    "no-limit",
    "retry-at-once",
    "letter-unconfirmed",
    "flood-through",
    "projects-fill-all",
    "window-stays",
    "body-never-forgets",
    "replay-keeps-parsed",
    "add-resent",
    "add-announced-late",
    "settled-with-first-part",
    "accepted-part-named",
)


def check(seeds: str) -> None:
    """Run the histories; what is broken is told with the command that shows it."""
    broken = [str(outcome) for outcome in map(run, names_of(seeds)) if outcome.broken]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("first", range(1, 1_001, CHUNK))
def test_every_promise_is_kept_in_every_history(first: int):
    """Whatever broker, registry, Mixpanel, dead-letter topic and clock do, no promise is broken."""
    check(f"{first}..{first + CHUNK - 1}")


@pytest.mark.parametrize(
    "kind", [LETTERS, REGISTRY, STUCK, FLOOD, FENCED, ASLEEP, REFUSED, FULL, LARGE, PROJECT, CRASHES, AGAIN, PARTS]
)
def test_what_one_fault_does_not_concern_goes_on(kind: str):
    """What a topic, a schema or a group holds is only its own; a flood is stopped; a partition adopted is whole."""
    check(f"{kind}/1..12")


def test_a_seed_is_one_history():
    """The same seed gives the same history, line by line."""
    first, second = run("4", tracing=True), run("4", tracing=True)
    assert first.trace == second.trace
    assert len(first.trace) > 20


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_seen(name: str):
    """With one line of the core or the loop broken on purpose some seed says so."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert hunt(mutant, "1..60", first=True).broken


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_has_its_line(mutant):
    """The line that a mutant breaks stands in the source exactly once."""
    assert text_of(mutant).count(mutant.old) == 1
