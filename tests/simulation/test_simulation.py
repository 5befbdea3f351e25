"""Histories of the real loop in a simulated world, each from its seed: every promise is kept in all of them."""

import pytest

from .run import run

CHUNKS = 50
CHUNK = 20


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_promise_is_kept_in_every_history(chunk: int):
    """Whatever broker, registry, Mixpanel, dead-letter topic and clock do, no promise is broken."""
    broken = []
    for seed in range(1 + chunk * CHUNK, 1 + (chunk + 1) * CHUNK):
        outcome = run(seed)
        if outcome.broken:
            broken.append(f"{outcome.broken}\n    python -m tests.simulation {seed}")
    assert not broken, "\n".join(broken)


def test_a_seed_is_one_history():
    """The same seed gives the same history, line by line."""
    first, second = run(4, tracing=True), run(4, tracing=True)
    assert first.trace == second.trace
    assert len(first.trace) > 20
