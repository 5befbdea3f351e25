"""`python -m bench.plots FIGURES FOLDER`: draws as SVG what `python -m bench all --output FIGURES` measured."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def of_million(run: dict[str, Any]) -> float:
    """CPU seconds for a million events."""
    return float(run["cpu"] / run["events"] * 1e6)


def contest(whole: dict[str, Any]) -> str:
    """The service and the loops, on the workload where nothing folds; the service on the mixed one, too."""
    rows = []
    for label in (
        "service, mixed, 80 ms",
        "service, every group new, 80 ms",
        "tuned loop, every group new, 80 ms",
        "popular loop, every group new, 80 ms",
    ):
        run = whole[label]
        words = f"{of_million(run):.1f} s, {run['events'] / run['seconds']:,.0f} events/s"
        rows.append((label.removesuffix(", 80 ms"), of_million(run), words, label.startswith("service")))
    return bars("CPU seconds for a million events, one core, Mixpanel at 80 ms", rows)


def waits(latency: dict[str, Any]) -> str:
    """From produce to accepted, by the events that came a second."""
    rows = [
        (f"{rate}, {name}", row[name], f"{row[name]:,.0f} ms", True)
        for rate, row in latency.items()
        for name in ("p50", "p99")
    ]
    return bars("Milliseconds from produce to accepted, Mixpanel at 80 ms, linger 1 s", rows)


def grown(growth: dict[str, Any]) -> str:
    """CPU for a million events, while something grows."""
    rows = [
        (label, row["cpu"], f"{row['cpu']:.1f} s, {row['updates']:.0f} updates", True)
        for label, row in growth.items()
    ]
    return bars("CPU seconds for a million events, as it grows (and updates for 1,000 events)", rows)


def main() -> None:
    """Draw all of them."""
    figures = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cost.svg").write_text(contest(figures["whole"]))
    (folder / "waits.svg").write_text(waits(figures["latency"]))
    (folder / "growth.svg").write_text(grown(figures["growth"]))


if __name__ == "__main__":
    main()
