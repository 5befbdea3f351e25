"""`python -m tests.chaos [--seed N] [--seconds S] [--protocol NAME|all]`: chaos on a real broker, with its table."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.run import Outcome, run
from tests.integration.world import PROTOCOLS


def main() -> int:
    """Run what was asked for; 0 where every ledger balances."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long things go wrong, for each protocol")
    parser.add_argument("--protocol", choices=[*PROTOCOLS, "all"], default="all")
    parser.add_argument("--at-most-once", action="store_true", help="AMBIGUOUS_ADD=dead-letter: no $add twice")
    parser.add_argument("--keep", type=Path, help="keep the logs in this folder")
    asked = parser.parse_args()
    outcomes: list[Outcome] = []
    for protocol in PROTOCOLS if asked.protocol == "all" else [asked.protocol]:
        print(f"seed {asked.seed}, {protocol}, {asked.seconds:.0f} s", flush=True)
        with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
            folder = asked.keep / protocol if asked.keep else Path(temporary)
            strict = asked.at_most_once
            outcomes.append(
                run(
                    folder,
                    asked.seed,
                    asked.seconds,
                    protocol,
                    lambda line: print(line, flush=True),
                    at_most_once=strict,
                )
            )
        print(table(outcomes[-1]), flush=True)
    return 0 if all(outcome.well for outcome in outcomes) else 1


def table(outcome: Outcome) -> str:
    """The outcome, for a person."""
    found = outcome.balance
    rows = [
        ("events", found.events),
        ("updates applied", found.applied),
        ("updates applied again", found.again),
        ("dead letters", found.dead),
        ("dead letters again", found.dead_again),
        ("$adds in doubt, dead letters", found.in_doubt),
        ("$adds applied twice, where none may be", len(found.twice)),
        ("lost", len(found.lost)),
        ("out of order", len(found.reordered)),
        ("not owed", len(found.unexpected)),
        ("columns of mapped rows that differ", len(found.wrong)),
        ("commits looked at", outcome.looks),
        ("commits past an open record", len(outcome.commit_faults)),
        ("all settled", "yes" if outcome.settled else "NO"),
        ("group in two requests at once (given up, then sent again)", outcome.overlaps),
        *[(f"exit status {status}", count) for status, count in sorted(outcome.exits.items())],
        *sorted(outcome.faults.items()),
    ]
    lines = [f"  {name:<58} {value!s:>8}" for name, value in rows]
    for word in (found.twice, found.lost, found.reordered, found.unexpected, found.wrong, outcome.commit_faults):
        lines.extend(f"    ! {text}" for text in word[:10])
    lines.append(f"  seed {outcome.seed}, {outcome.protocol}: {'balances' if outcome.well else 'DOES NOT BALANCE'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
