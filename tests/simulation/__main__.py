"""python -m tests.simulation SEED | --seeds 1..20000 [--first]"""

import argparse
import sys
import time
import traceback

from .run import run, seeds_of


def main() -> int:
    """Runs one seed with its trace, or many."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", help="show this history, line by line")
    parser.add_argument("--seeds", help="run these, as 1..20000")
    parser.add_argument("--first", action="store_true", help="end at the first broken promise")
    given = parser.parse_args()
    if given.seeds is None:
        outcome = run(int(given.seed or 1), tracing=True)
        print("\n".join(outcome.trace))
        return 1 if outcome.broken else 0
    began = time.monotonic()
    seeds = seeds_of(given.seeds)
    broken = 0
    for seed in seeds:
        outcome = run(seed)
        if outcome.broken:
            broken += 1
            print(f"{outcome.broken}\n    python -m tests.simulation {seed}", flush=True)
            if given.first:
                break
    took = time.monotonic() - began
    print(f"{len(seeds)} histories, {broken} with a broken promise, {took:.0f} s, {len(seeds) / took:.1f} a second")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        traceback.print_exc(limit=1)
        sys.exit(130)
