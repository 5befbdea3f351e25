"""One stream for 1, 10 and 100 projects: what an event costs where requests are as full, and the memory."""

from typing import Any, Final

from bench import workload as workloads
from bench.rig import Rig

COUNTS: Final = (1, 10, 100)
# So many updates a request, for each count: a hundred projects fill these in the records that may be open.
FULL: Final = 200
ROUNDS: Final = 3


def run(built: Rig, events: int) -> dict[str, Any]:
    """The best of some rounds, taken in turns."""
    file = built.folder / "projects.toml"
    names = [workloads.project_of(number, max(COUNTS)) for number in range(max(COUNTS))]
    file.write_text("".join(f'[{name}]\ntoken = "{n:032x}"\n' for n, name in enumerate(names) if name is not None))
    several = {"MIXPANEL_PROJECTS_FILE": str(file), "BATCH_MAX_UPDATES": str(FULL)}
    loads = {count: built.load("new", events, projects=count) for count in COUNTS}
    found: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for count, load in loads.items():
            settings = several if count > 1 else {"BATCH_MAX_UPDATES": str(FULL)}
            result = built.drain("service", load, 0.08, settings)
            label = f"{count} projects" if count > 1 else "1 project"
            if label not in found or result.cpu_a_million < found[label]["cpu"]:
                updates = result.updates / max(1, result.requests)
                found[label] = {"cpu": result.cpu_a_million, "updates": updates, "mib": result.peak_mib}
    print(f"\n{'projects in one stream':<24}{'CPU s/M':>10}{'updates/req':>14}{'peak MiB':>11}")
    for label, row in found.items():
        print(f"{label:<24}{row['cpu']:>10.1f}{row['updates']:>14.0f}{row['mib']:>11.0f}", flush=True)
    return found
