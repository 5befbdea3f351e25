"""What a run is held against: the project's goals, and the ratios that an earlier run left as the baseline."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import burst, growth, journal, latency, mapped_topics, micro, projects, troubled, whole

BASELINE: Final = Path(__file__).with_name("baseline.json")
NOISE: Final = 0.15  # of two runs on one machine that is not quiet; what differs by less tells nothing
NOISY: Final = {"p99 at 1,000 events/s, ms": 0.3, "time, 1 % of a hot group refused / none": 0.3}
HIGHER: Final = "events/s"  # rows that begin so are better when they are higher, all others when they are lower
GROWTH: Final = 1.10
# In the order in which they are told; what has no goal comes after.
GOALS: Final[Mapping[str, float]] = {
    "CPU, mixed / tuned loop": 0.36,
    "CPU, every group new / tuned loop": 0.40,
    "events/s, mixed, 80 ms / tuned loop": 6.5,
    "events/s, mixed, 300 ms / tuned loop": 5.0,
    "p50 at 1,000 events/s, ms": 200,
    "p99 at 1,000 events/s, ms": 300,
    "requests a second at 1,000 events/s": 8,
    "CPU s a million at 1,000 events/s": 40,
    "MiB, mixed, 80 ms": 100,
    "MiB, mixed, 300 ms": 120,
    "MiB, 2 KB events": 150,
    "MiB, after a burst": 80,
    "CPU, 16 partitions / 4 partitions": GROWTH,
    "CPU, 64 partitions / 4 partitions": GROWTH,
    "CPU, 1 partition / 4 partitions": GROWTH,
    "CPU, 1,000 groups / 4 partitions": GROWTH,
    "CPU, 10,000 groups / 4 partitions": GROWTH,
    "CPU, 1,000,000 groups / 4 partitions": GROWTH,
    "CPU, 2.5 times the backlog / 4 partitions": GROWTH,
    "CPU, batches of five / 4 partitions": GROWTH,
    "CPU, 64 partitions, batches of five / 4 partitions": GROWTH,
    "CPU, 10 projects / 1 project": 1.10,
    "CPU, 100 projects / 1 project": 1.10,
    "CPU, $adds announced / not": 1.05,
    "events/s, $adds announced / not": 0.95,
    f"CPU, {mapped_topics.BESIDE} / built-in": 1.03,
    f"CPU, {mapped_topics.COLUMNS_MAPPED} / built-in": 1.3,
    f"CPU, {mapped_topics.MAP_MAPPED} / built-in": 1.3,
    "75 columns, 8 mapped / fastavro": 1 / 3,
    "time, 28 % of requests fail / retrying loop": 0.8,
}
RATIOS: Final = {
    "micro": micro.ratios,
    "whole": whole.ratios,
    "latency": latency.ratios,
    "burst": burst.ratios,
    "growth": growth.ratios,
    "projects": projects.ratios,
    "mapped": mapped_topics.ratios,
    "journal": journal.ratios,
    "faults": troubled.faults_ratios,
    "refusals": troubled.refusals_ratios,
}


@dataclass(frozen=True)
class Held:
    """One figure, and what it is held against as far as there is something."""

    name: str
    value: float
    goal: float | None
    before: float | None

    @property
    def missed(self) -> bool:
        """Whether the goal is."""
        return self.goal is not None and self._over(self.goal, self.value, 0.0)

    @property
    def worse(self) -> bool:
        """Whether it is worse than the baseline by more than the noise."""
        return self.before is not None and self._over(self.before, self.value, NOISY.get(self.name, NOISE))

    def _over(self, bound: float, value: float, noise: float) -> bool:
        if self.name.startswith(HIGHER):
            bound, value = value, bound
        return value > bound * (1 + noise)


def held(figures: Mapping[str, Any]) -> list[Held]:
    """All that these figures have to say, goals first; of the parts that were measured."""
    found = {
        name: value for part, of in RATIOS.items() if part in figures for name, value in of(figures[part]).items()
    }
    before = baseline()
    names = [name for name in GOALS if name in found] + [name for name in found if name not in GOALS]
    return [Held(name, found[name], GOALS.get(name), before.get(name)) for name in names]


def baseline() -> dict[str, float]:
    """What was kept; nothing where nothing was."""
    found: dict[str, float] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    return found


def keep(figures: Mapping[str, Any]) -> None:
    """Make these the baseline; what other parts left there stays."""
    before = {} if set(RATIOS) <= set(figures) else baseline()
    kept = before | {row.name: round(row.value, 3) for row in held(figures)}
    BASELINE.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")


def verdict(rows: list[Held]) -> Iterator[str]:
    """What is worse than the baseline, and which goals are missed, in words."""
    worse = [f"{row.name} ({number(row.value)}, was {number(row.before)})" for row in rows if row.worse]
    missed = [f"{row.name} ({number(row.value)}, goal {number(row.goal)})" for row in rows if row.missed]
    yield "Worse than the baseline by more than the noise: " + ("; ".join(worse) or "nothing") + "."
    yield "Goals that are missed: " + ("; ".join(missed) or "none") + "."


def number(value: float | None) -> str:
    """As many digits as tell something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 30 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
