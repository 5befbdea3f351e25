"""The bounded chaos run of CI: every group protocol, one seed each, and the ledger balances.

Without the one fault whose limit no service can lift: a request that was half sent when its process was frozen for
longer than its session goes on when it wakes, and Kafka cannot fence it. `make chaos` has that, too.
"""

from pathlib import Path

import pytest

from tests.chaos.__main__ import table
from tests.chaos.run import run

SECONDS = 60.0

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("protocol", "seed"), [("cooperative", 11), ("range", 12), ("consumer", 13)])
def test_the_ledger_balances(protocol: str, seed: int, tmp_path: Path) -> None:
    """Nothing is lost or reordered, whatever goes wrong, and no commit passes an open record."""
    outcome = run(tmp_path, seed, SECONDS, protocol, print, without=("instance frozen, longer than its session",))
    print(table(outcome))
    assert outcome.well, table(outcome)
