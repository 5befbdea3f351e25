"""One stream for 1, 10 and 100 projects: what an event costs where requests are as full, and the memory."""

from typing import Final

from bench import workload as workloads
from bench.rig import Contestant, Rig
from bench.turns import Row, best_ratio, in_turns

ROUNDS: Final = 4
ONE: Final = "1 project"
COUNTS: Final = {ONE: 1, "10 projects": 10, "100 projects": 100}
# So many updates a request, for each count: a hundred projects fill these in the records that may be open.
FULL: Final = 200


def run(built: Rig, events: int) -> dict[str, Row]:
    """In turns, every group new and the projects one after the other."""
    file = built.folder / "projects.toml"
    most = max(COUNTS.values())
    names = [workloads.project_of(number, most) for number in range(most)]
    file.write_text("".join(f'[{name}]\ntoken = "{n:032x}"\n' for n, name in enumerate(names) if name is not None))
    full = {"BATCH_MAX_UPDATES": str(FULL)}
    several = full | {"MIXPANEL_PROJECTS_FILE": str(file)}
    contestants = {
        label: Contestant(built.load("new", events, projects=count), settings=full if label == ONE else several)
        for label, count in COUNTS.items()
    }
    return in_turns(built, contestants, ROUNDS)


def ratios(found: dict[str, Row]) -> dict[str, float]:
    """Each over one project."""
    return {f"CPU, {label} / {ONE}": best_ratio(row, found[ONE]) for label, row in found.items() if label != ONE}
