"""`python -m bench [micro|whole|growth|all] [--quick] [--output FILE]`: measures, and prints tables of one run."""

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

from bench import micro, rig
from bench.rig import Result, Rig
from consumer.app import compiled

BASELINE = Path(__file__).with_name("baseline.json")


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("micro", "whole", "growth", "all"), default="all")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events: to see that it works")
    parser.add_argument("--output", type=Path, help="write every figure to this file as JSON")
    parser.add_argument("--keep-baseline", action="store_true", help="make this run's ratios the baseline")
    asked = parser.parse_args()
    scale = 10 if asked.quick else 1
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()},", end=" ")
    print(f"{len(rig.PROCESSORS)} processors, core {'compiled' if compiled() else 'NOT compiled'}", flush=True)
    figures: dict[str, Any] = {}
    if asked.what in ("micro", "all"):
        figures["micro"] = micro.run(40_000 // scale)
        show_micro(figures["micro"])
    if asked.what in ("whole", "growth", "all"):
        with rig.built() as built:
            if asked.what in ("whole", "all"):
                figures["whole"] = whole(built, 400_000 // scale)
            if asked.what in ("growth", "all"):
                figures["growth"] = growth(built, 200_000 // scale)
    figures["ratios"] = ratios(figures)
    compare(figures["ratios"])
    if asked.keep_baseline:
        BASELINE.write_text(json.dumps(figures["ratios"], indent=2, sort_keys=True) + "\n")
    if asked.output:
        asked.output.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def whole(built: Rig, events: int) -> dict[str, Any]:
    """The service and the loops that teams write, on the same events; then latencies and second workloads."""
    runs: list[tuple[str, Result]] = []

    def note(label: str, result: Result) -> None:
        runs.append((label, result))
        show(label, result)

    print(HEAD)
    mixed = built.load("mixed", events)
    new = built.load("new", events)
    for latency in (0.08, 0.02, 0.3):
        note(f"service, mixed, {latency * 1000:.0f} ms", built.drain("service", mixed, latency))
    note("service, every group new, 80 ms", built.drain("service", new, 0.08))
    fewer = built.load("new", events // 4)
    for loop in ("tuned loop", "popular loop"):
        note(f"{loop}, every group new, 80 ms", built.drain(loop, fewer, 0.08))
    note("service, 64 partitions, 80 ms", built.drain("service", built.load("mixed", events // 2, 64), 0.08))
    note("service, 2 KB events, 80 ms", built.drain("service", built.load("large", events // 4), 0.08))
    hot = built.load("hot", events // 8)
    note("service, a group with 20 %, 80 ms", built.drain("service", hot, 0.08))
    few = built.load("mixed", events // 20)
    note("service, mixed, FOLD=off, 80 ms", built.drain("service", few, 0.08, {"FOLD": "off"}))
    for rate, seconds in ((1_000, 20.0), (20_000, 10.0)):
        steady = built.steady(built.load("mixed", 0), rate, seconds, 0.08)
        note(f"service, {rate:,} events/s, 80 ms", steady)
        waits = steady.waits
        p50, p99 = at(waits, 0.5), at(waits, 0.99)
        print(f"  from produce to accepted at {rate:,}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms", flush=True)
    return {label: {**vars(result), "waits": percentiles(result)} for label, result in runs}


def growth(built: Rig, events: int) -> dict[str, Any]:
    """CPU for each event while partitions, groups and backlog grow: the better of two runs, taken in turns."""
    print("\nCPU seconds a million events, as it grows", flush=True)
    loads = (
        ("1 partition", built.load("mixed", events, 1)),
        ("4 partitions", built.load("mixed", events, 4)),
        ("64 partitions", built.load("mixed", events, 64)),
        ("10^3 groups", built.load("mixed", events, 4, 1_000)),
        ("10^6 groups", built.load("mixed", events, 4, 1_000_000)),
        ("5 times the backlog", built.load("mixed", 5 * events, 4)),
    )
    rounds = [{label: built.drain("service", load, 0.08).cpu_a_million for label, load in loads} for _ in range(2)]
    found = {label: min(costs[label] for costs in rounds) for label, _ in loads}
    for label, cost in found.items():
        print(f"  {label:<24}{cost:8.1f}", flush=True)
    return found


COLUMNS = ("events/s", "95 %", "CPU s/M", "peak MiB", "MiB/M sent", "updates/req", "first req s")
HEAD = f"\n{'':<36}" + "".join(f"{name:>{max(9, len(name) + 2)}}" for name in COLUMNS)


def show(label: str, result: Result) -> None:
    """One row of the table."""
    print(
        f"{label:<36}{result.rate:>10,.0f}{result.rate_of_most:>9,.0f}{result.cpu_a_million:>9.1f}"
        f"{result.peak_mib:>10.0f}"
        f"{result.mib_sent / result.events * 1e6:>12.0f}{result.updates / max(1, result.requests):>13,.0f}"
        f"{result.first_request or '':>13.4}",
        flush=True,
    )


def show_micro(found: dict[str, float]) -> None:
    """The steps of the core."""
    print("\nmicroseconds of CPU a record")
    for label, value in found.items():
        print(f"  {label:<32}{value:9.2f}", flush=True)


def at(values: list[float], share: float) -> float:
    """The percentile, in milliseconds."""
    return values[min(len(values) - 1, int(len(values) * share))] * 1000 if values else 0.0


def percentiles(result: Result) -> dict[str, float]:
    """Milliseconds from produce to accepted, where events were timed."""
    return {"p50": at(result.waits, 0.5), "p99": at(result.waits, 0.99)} if result.waits else {}


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """Figures of one run over each other: what stays the same on another machine."""
    found: dict[str, float] = {}
    if "micro" in figures:
        steps = figures["micro"]
        found["decode / fastavro"] = steps["decode"] / steps["fastavro, to compare"]
        found["core, mixed / fastavro"] = steps["core, mixed"] / steps["fastavro, to compare"]
        found["core, new / fastavro"] = steps["core, new"] / steps["fastavro, to compare"]
    if "whole" in figures:
        cpu = {label: run["cpu"] / run["events"] for label, run in figures["whole"].items()}
        service = cpu["service, every group new, 80 ms"]
        for loop in ("popular loop", "tuned loop"):
            found[f"CPU, service / {loop}"] = service / cpu[f"{loop}, every group new, 80 ms"]
    return {name: round(value, 3) for name, value in found.items()}


def compare(found: dict[str, float]) -> None:
    """Hold the ratios against the stored ones; a worse one is named, and fails nothing."""
    if not BASELINE.exists() or not found:
        return
    stored = json.loads(BASELINE.read_text())
    print("\nratios against the baseline (lower is better)")
    for name, value in found.items():
        before = stored.get(name)
        if before:
            worse = "  WORSE by a quarter or more" if value > before * 1.25 else ""
            print(f"  {name:<32}{value:8.3f}{before:8.3f}{worse}")


if __name__ == "__main__":
    sys.exit(main())
