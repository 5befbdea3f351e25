"""Histories of the loop in a simulated world: one, line by line, or many.

SEED is a number, or one behind a kind of isolated fault: letters/1, registry/1, stuck/1, parts/1, projects/1.
"""

import argparse
import logging
import sys
import time
import traceback

from .run import names_of, run

RAW = argparse.RawDescriptionHelpFormatter


def main() -> int:
    """Runs one seed with its trace, or many."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__, formatter_class=RAW)
    parser.add_argument("seed", nargs="?", help="show this history, line by line")
    parser.add_argument("--seeds", help="run these, as 1..20000 or stuck/1..50")
    parser.add_argument("--first", action="store_true", help="end at the first broken promise")
    given = parser.parse_args()
    logging.getLogger("consumer").setLevel(logging.CRITICAL)  # a history has many bad days, and its own trace
    if given.seeds is None:
        outcome = run(given.seed or "1", tracing=True)
        print("\n".join(outcome.trace))
        return 1 if outcome.broken else 0
    began = time.process_time()
    names = names_of(given.seeds)
    broken = 0
    for name in names:
        outcome = run(name)
        if outcome.broken:
            broken += 1
            print(outcome, flush=True)
            if given.first:
                break
    took = time.process_time() - began
    rate = f"{took:.0f} s of CPU, {len(names) / took:.1f} a second"
    print(f"{len(names)} histories, {broken} with a broken promise, {rate}")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        traceback.print_exc(limit=1)
        sys.exit(130)
