"""What was measured as SVG: bars, each with its value."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.turns import Row
from bench.whole import AWAKE, MIXED, NEW, POPULAR, TUNED

WIDTH, LEFT, BAR, GAP = 760, 250, 22, 12
INK, MUTED, OURS, THEIRS = "#1f2430", "#687087", "#2f6fde", "#b9c0cf"
Bar = tuple[str, float, str, bool]  # label, value, what is written behind it, whether it is the service's


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Horizontal bars from zero, each with its value."""
    most = max(value for _, value, _, _ in rows)
    drawn = [f'<text x="0" y="18" class="title">{title}</text>']
    for place, (label, value, words, ours) in enumerate(rows):
        top = 40 + place * (BAR + GAP)
        length = (WIDTH - LEFT - 190) * value / most
        middle = top + BAR * 0.7
        drawn += [
            f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{label}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{OURS if ours else THEIRS}"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{middle}" class="value">{words}</text>',
        ]
    height = 40 + len(rows) * (BAR + GAP)
    style = (
        f"text{{font:13px system-ui,sans-serif;fill:{INK}}}"
        f".title{{font-weight:600;font-size:14px}}.value{{fill:{MUTED}}}"
    )
    inside = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">\n'
        f'<style>{style}</style>\n<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n{inside}\n</svg>\n'
    )


def contest(whole: Mapping[str, Row]) -> str:
    """The service and the loops; the middle of the rounds."""
    rows = []
    for label in (MIXED, NEW, f"{TUNED}, {MIXED}", f"{TUNED}, {NEW}", f"{POPULAR}, {NEW}"):
        cpu, rate = median(whole[label]["cpus"]), median(whole[label]["rates"])
        ours = label in (MIXED, NEW)
        words = f"{cpu:.1f} s, {rate:,.0f} events/s"
        rows.append(((f"service, {label}" if ours else label).removesuffix(", 80 ms"), cpu, words, ours))
    return bars("CPU seconds for a million events, one core, Mixpanel at 80 ms", rows)


def waits(latency: Mapping[str, Any]) -> str:
    """From produce to accepted, by the events that came a second."""
    rows = [
        (f"{rate}, {name}", row[name], f"{row[name]:,.0f} ms", True)
        for rate, row in latency.items()
        for name in ("p50", "p99")
    ]
    return bars("Milliseconds from produce to accepted, Mixpanel at 80 ms, linger 1 s", rows)


def grown(growth: Mapping[str, Row]) -> str:
    """CPU for a million events, while something grows; the best of the rounds."""
    rows = [
        (label, min(row["cpus"]), f"{min(row['cpus']):.1f} s, {row['updates']:.0f} updates", True)
        for label, row in growth.items()
    ]
    return bars("CPU seconds for a million events, as it grows (and updates for 1,000 events)", rows)


def resident(whole: Mapping[str, Row]) -> str:
    """The most that each had resident; the middle of the rounds."""
    rows = [
        (
            label.removesuffix(", 80 ms").replace("`", ""),
            median(row["mibs"]),
            f"{median(row['mibs']):.0f} MiB",
            "loop" not in label,
        )
        for label, row in whole.items()
        if AWAKE not in label
    ]
    return bars("The most memory resident, MiB; Mixpanel at 80 ms, or as it says", rows)


def all_of(figures: Mapping[str, Any]) -> dict[str, str]:
    """The plots of what was measured, by their file's name."""
    drawn = {
        "cost.svg": ("whole", contest),
        "memory.svg": ("whole", resident),
        "waits.svg": ("latency", waits),
        "growth.svg": ("growth", grown),
    }
    return {name: draw(figures[part]) for name, (part, draw) in drawn.items() if part in figures}
