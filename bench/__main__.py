"""`python -m bench [PART ...] [--quick] [--output FILE]`: measures, and prints tables."""

import argparse
import json
import operator
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

from bench import journal, mapped, mapping, micro, projects, rig, troubled
from bench.rig import Result, Rig
from consumer.app import compiled

BASELINE = Path(__file__).with_name("baseline.json")
PARTS = ("micro", "whole", "latency", "growth", "projects", "mapped", "journal", "faults", "refusals")
ROUNDS = 3  # of what is held against each other, in turns
GROWTH_ROUNDS = 6  # differences of a tenth are to be seen
SATURATION = 0.9  # of the rate at which a backlog was drained: what can still be kept up with


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what", nargs="*", choices=(*PARTS, "all"), default="all", metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the events: to see that it works")
    parser.add_argument("--output", type=Path, help="write every figure to this file as JSON")
    parser.add_argument("--keep-baseline", action="store_true", help="make this run's ratios the baseline")
    asked = parser.parse_args()
    what = PARTS if "all" in asked.what else asked.what
    scale = 10 if asked.quick else 1
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()},", end=" ")
    print(f"{len(rig.PROCESSORS)} processors, core {'compiled' if compiled() else 'NOT compiled'}", flush=True)
    figures: dict[str, Any] = {}
    if "micro" in what:
        figures["micro"] = micro.run(40_000 // scale) | mapped.run(10_000 // scale)
        show_micro(figures["micro"])
    for part, step, events in (
        ("whole", whole, 400_000),
        ("latency", latency, 200_000),
        ("growth", growth, 200_000),
        ("projects", projects.run, 200_000),
        ("mapped", mapping.run, 200_000),
        ("journal", journal.run, 400_000),
        ("faults", troubled.faults, troubled.EVENTS),
        ("refusals", troubled.refusals, troubled.EVENTS),
    ):
        if part in what:
            with rig.built() as built:
                figures[part] = step(built, events // scale)
    figures["ratios"] = ratios(figures)
    compare(figures["ratios"])
    if asked.keep_baseline:
        kept = stored() | figures["ratios"]
        BASELINE.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    if asked.output:
        asked.output.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def whole(built: Rig, events: int) -> dict[str, Any]:
    """The service and the loops that teams write, on the same events; then second workloads."""
    runs: dict[str, list[Result]] = {}

    def note(label: str, result: Result) -> None:
        show(label, result)
        runs.setdefault(label, []).append(result)

    print(HEAD)
    mixed, new = built.load("mixed", 5 * events // 2), built.load("new", events)
    fewer = built.load("new", events // 4)
    for _ in range(ROUNDS):
        note("service, mixed, 80 ms", built.drain("service", mixed, 0.08))
        note("service, every group new, 80 ms", built.drain("service", new, 0.08))
        for loop in ("tuned loop", "popular loop"):
            note(f"{loop}, every group new, 80 ms", built.drain(loop, fewer, 0.08))
    for latency in (0.02, 0.3):
        note(f"service, mixed, {latency * 1000:.0f} ms", built.drain("service", mixed, latency))
    note("service, 64 partitions, 80 ms", built.drain("service", built.load("mixed", events // 2, 64), 0.08))
    note("service, 2 KB events, 80 ms", built.drain("service", built.load("large", events // 4), 0.08))
    note("service, a group with 20 %, 80 ms", built.drain("service", built.load("hot", events // 2), 0.08))
    few = built.load("mixed", events // 20)
    note("service, mixed, FOLD=off, 80 ms", built.drain("service", few, 0.08, {"FOLD": "off"}))
    return {
        label: {**vars(median(results)), "rounds": [result.cpu_a_million for result in results]}
        for label, results in runs.items()
    }


def median(results: list[Result]) -> Result:
    """The one in the middle, by CPU."""
    return sorted(results, key=lambda result: result.cpu_a_million)[len(results) // 2]


def latency(built: Rig, events: int) -> dict[str, Any]:
    """From produce to accepted, at some rates and at what can just be kept up with; a drain warms Kafka up."""
    drained = built.drain("service", built.load("mixed", events), 0.08)
    print(f"\n{'from produce to accepted':<24}{'p50, ms':>10}{'p99, ms':>10}{'CPU s/M':>10}", flush=True)
    found: dict[str, Any] = {}
    for rate in (1_000, 5_000, 20_000, int(SATURATION * drained.rate)):
        steady = built.steady(built.load("mixed", 0), rate, 20.0 if rate == 1_000 else 10.0, 0.08)
        row = {"p50": at(steady.waits, 0.5), "p99": at(steady.waits, 0.99), "cpu": steady.cpu_a_million}
        found[f"{rate:,} events/s"] = row
        print(f"{rate:>15,} events/s{row['p50']:>10.0f}{row['p99']:>10.0f}{row['cpu']:>10.1f}", flush=True)
    return found


def growth(built: Rig, events: int) -> dict[str, Any]:
    """What an event costs while partitions, groups and backlog grow: the best of some rounds, taken in turns."""
    loads = {
        "1 partition": built.load("mixed", events, 1),
        "4 partitions": built.load("mixed", events, 4),
        "16 partitions": built.load("mixed", events, 16),
        "64 partitions": built.load("mixed", events, 64),
        "10^3 groups": built.load("mixed", events, 4, 1_000),
        "10^4 groups": built.load("mixed", events, 4, 10_000),
        "10^6 groups": built.load("mixed", events, 4, 1_000_000),
        "5 times the backlog": built.load("mixed", 5 * events, 4),
    }
    found: dict[str, dict[str, float]] = {}
    for _ in range(GROWTH_ROUNDS):
        for label, load in loads.items():
            result = built.drain("service", load, 0.08)
            if label not in found or result.cpu_a_million < found[label]["cpu"]:
                found[label] = {"cpu": result.cpu_a_million, "updates": result.updates / load.events * 1000}
    print(f"\n{'as it grows':<24}{'CPU s/M':>10}{'updates/1,000 events':>22}")
    for label, row in found.items():
        print(f"{label:<24}{row['cpu']:>10.1f}{row['updates']:>22.0f}", flush=True)
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


def show_micro(found: dict[str, dict[str, float]]) -> None:
    """The steps of the core."""
    print(f"\n{'for one record':<32}{'CPU us':>9}{'blocks kept':>13}{'bytes kept':>12}")
    for label, row in found.items():
        kept = f"{row['blocks']:>13.1f}{row['bytes']:>12.0f}" if "blocks" in row else ""
        print(f"{label:<32}{row['us']:>9.2f}{kept}", flush=True)


def at(values: list[float], share: float) -> float:
    """The percentile, in milliseconds."""
    return values[min(len(values) - 1, int(len(values) * share))] * 1000 if values else 0.0


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """Figures of one run over each other: what stays the same on another machine."""
    found = troubled.ratios(figures) | mapping.ratios(figures)
    if "micro" in figures:
        steps = {label: row["us"] for label, row in figures["micro"].items()}
        found["75 columns, 8 mapped / fastavro"] = steps["75 columns, 8 mapped"] / steps["75 columns, fastavro"]
        found["decode / fastavro"] = steps["decode"] / steps["fastavro, to compare"]
        found["core, mixed / fastavro"] = steps["core, mixed"] / steps["fastavro, to compare"]
        found["core, new / fastavro"] = steps["core, new"] / steps["fastavro, to compare"]
    if "whole" in figures:
        rounds = {label: run["rounds"] for label, run in figures["whole"].items()}
        for workload in ("mixed", "every group new"):
            service = rounds[f"service, {workload}, 80 ms"]
            for loop in ("popular loop", "tuned loop"):
                costs = rounds[f"{loop}, every group new, 80 ms"]
                found[f"CPU, {workload} / {loop}, every group new"] = statistics.median(
                    map(operator.truediv, service, costs)
                )
    if "growth" in figures:
        cost = {label: row["cpu"] for label, row in figures["growth"].items()}
        for most, least in (
            ("64 partitions", "1 partition"),
            ("10^6 groups", "4 partitions"),
            ("5 times the backlog", "4 partitions"),
        ):
            found[f"CPU, {most} / {least}"] = cost[most] / cost[least]
    return {name: round(value, 3) for name, value in found.items()}


def stored() -> dict[str, float]:
    """The baseline; nothing where there is none."""
    found: dict[str, float] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    return found


def compare(found: dict[str, float]) -> None:
    """Hold the ratios against the stored ones; a worse one is named, and fails nothing."""
    baseline = stored()
    if not baseline or not found:
        return
    print("\nratios against the baseline (lower is better)")
    for name, value in found.items():
        before = baseline.get(name)
        if before:
            worse = "  WORSE by a quarter or more" if value > before * 1.25 else ""
            print(f"  {name:<44}{value:8.3f}{before:8.3f}{worse}")


if __name__ == "__main__":
    sys.exit(main())
