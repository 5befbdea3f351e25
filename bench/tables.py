"""Figures as the tables of docs/performance.md, in Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from bench import goals, growth, journal, mapped_topics, projects
from bench.troubled import FAULTS, LOOP, REFUSED, TAKEN
from bench.turns import Row, best_ratio, middle_ratio

Cells = Sequence[object]


def table(head: Cells, rows: Iterable[Cells]) -> str:
    """Lines of a table; the first column has words."""
    lines: list[Cells] = [head, ["---"] * len(head), *rows]
    return "".join("|" + "".join(f" {cell} |" if cell else " |" for cell in map(str, line)) + "\n" for line in lines)


def aligned(table: str) -> str:
    """The same for a terminal."""
    lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    del lines[1]  # the dashes
    return "".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() + "\n" for line in lines
    )


def ratios(rows: Iterable[goals.Held], beside_baseline: bool = False) -> str:
    """What is told first of all."""
    head = ("", "measured", "goal", "baseline")
    lines = []
    for one in rows:
        bound = "at least" if one.name.startswith(goals.HIGHER) else "at most"
        goal = f"{bound} {goals.number(one.goal)}{', **missed**' if one.missed else ''}" if one.goal else ""
        before = f"{goals.number(one.before)}{', **worse**' if one.worse else ''}"
        lines.append((one.name, goals.number(one.value), goal, before))
    shown = len(head) if beside_baseline else len(head) - 1
    return table(head[:shown], (line[:shown] for line in lines))


def whole(found: Mapping[str, Row]) -> str:
    """The middle of the rounds."""
    head = ("", "events", "events/s, one core", "until 95 % had come", "CPU s a million", "its rounds", "peak MiB")
    return table(
        (*head, "MiB sent a million", "updates a request", "start to first request, s"),
        (
            (
                label,
                f"{row['events']:,}",
                f"{median(row['rates']):,.0f}",
                f"{median(row['most_rates']):,.0f}",
                f"{median(row['cpus']):.1f}",
                ", ".join(f"{cpu:.1f}" for cpu in row["cpus"]) if len(row["cpus"]) > 1 else "",
                f"{median(row['mibs']):.0f}",
                f"{row['mib_sent']:,.0f}",
                f"{row['to_a_request']:,.0f}",
                f"{row['first_request']:.2f}",
            )
            for label, row in found.items()
        ),
    )


def latency(found: Mapping[str, Any]) -> str:
    """By the events that come a second."""
    return table(
        ("", "p50, ms", "p99, ms", "requests a second", "CPU s a million"),
        (
            (label, f"{row['p50']:.0f}", f"{row['p99']:.0f}", f"{row['requests']:.1f}", f"{row['cpu']:.1f}")
            for label, row in found.items()
        ),
    )


def burst(found: Mapping[str, Any]) -> str:
    """MiB resident."""
    names = ("before", "most", "after")
    return table(
        ("MiB", "before", "at the most", "after"),
        ((label, *(f"{row[name]:.0f}" for name in names)) for label, row in found.items()),
    )


def best(found: Mapping[str, Row], usual: str, over: str, columns: Mapping[str, Callable[[Row], str]]) -> str:
    """The best of the rounds, and over that of the row `usual`; then these columns."""
    return table(
        ("", "CPU s a million", over, *columns),
        (
            (
                label,
                f"{min(row['cpus']):.1f}",
                f"{best_ratio(row, found[usual]):.2f}",
                *(cell(row) for cell in columns.values()),
            )
            for label, row in found.items()
        ),
    )


def most_rate(row: Row) -> str:
    """Events a second until 95 % had come, of the best round."""
    return f"{max(row['most_rates']):,.0f}"


def peak(row: Row) -> str:
    """MiB, the middle of the rounds."""
    return f"{median(row['mibs']):.0f}"


def grown(found: Mapping[str, Row]) -> str:
    """By partitions, groups and backlog."""
    columns = {"updates for 1,000 events": lambda row: f"{row['updates']:.0f}"}
    return best(found, growth.USUAL, f"over {growth.USUAL}", columns)


def many(found: Mapping[str, Row]) -> str:
    """By projects."""
    columns = {"updates a request": lambda row: f"{row['to_a_request']:.0f}", "peak MiB": peak}
    return best(found, projects.ONE, f"over {projects.ONE}", columns)


def mapped(found: Mapping[str, Row]) -> str:
    """By what the mapping has to do."""
    return best(found, mapped_topics.BUILT_IN, "over built-in", {"events/s": most_rate, "peak MiB": peak})


def announced(found: Mapping[str, Row]) -> str:
    """With and without the journal."""
    return best(found, journal.WITHOUT, "over without", {"events/s until 95 % had come": most_rate})


def troubled(ours: str, theirs: str) -> Callable[[Mapping[str, Row]], str]:
    """Seconds of each round, and the middle ratio."""

    def of(found: Mapping[str, Row]) -> str:
        return table(
            ("", "seconds", "ratio, in the middle", "requests", "failed", "dead letters"),
            (
                (
                    label,
                    ", ".join(f"{seconds:.1f}" for seconds in found[label]["seconds"]),
                    f"{middle_ratio(found[label], found[theirs], 'seconds'):.2f}",
                    *(f"{found[label][name]:,}" for name in ("requests", "failed", "dead_letters")),
                )
                for label in (ours, theirs)
            ),
        )

    return of


def micro(found: Mapping[str, Row]) -> str:
    """The steps of the core."""
    return table(
        ("for one record", "CPU us", "blocks kept", "bytes kept"),
        (
            (label, f"{row['us']:.2f}", f"{row['blocks']:.1f}", f"{row['bytes']:,.0f}")
            if "blocks" in row
            else (label, f"{row['us']:.2f}", "", "")
            for label, row in found.items()
        ),
    )


OF_PARTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "micro": micro,
    "whole": whole,
    "latency": latency,
    "burst": burst,
    "growth": grown,
    "projects": many,
    "mapped": mapped,
    "journal": announced,
    "faults": troubled(FAULTS, LOOP),
    "refusals": troubled(REFUSED, TAKEN),
}


def of_parts(figures: Mapping[str, Any]) -> dict[str, str]:
    """The table of each part that was measured."""
    return {part: of(figures[part]) for part, of in OF_PARTS.items() if part in figures}
