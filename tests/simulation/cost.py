"""What a refused record may cost: requests of its own group, in proportion to the logarithm of its run."""

from math import ceil, log2
from typing import TYPE_CHECKING

from .ledger import Epoch, Item
from .mixpanel import OPAQUE, PARTIAL, Request

if TYPE_CHECKING:
    from .oracle import Oracle

# What a run with an $unset may need beside its blame: to create the profile that only a refused change would have.
CREATION = 4


def count_blame(items: list[Item], request: Request) -> None:
    """Note a request that carries a part of a run again because of a refusal; retries and cuts are not blame."""
    if request.suspect or request.batch.history.attempts:
        return
    for item in items:
        last = item.request
        if item.again and last is not None and item.run is not None and (last.told == PARTIAL or refused_alone(last)):
            item.run.blame.add((request, item.meant.group))
            return


def refused_alone(request: Request) -> bool:
    """Whether an answer that says nothing refused the one update of the request."""
    return request.told == OPAQUE and len(request.updates) == 1


def check_blame(oracle: "Oracle", epoch: Epoch) -> None:
    """Each run cost no more than (2 log2 n + 2) requests for each of its dead letters, and its barriers."""
    runs: dict[tuple[Request, str], list[Item]] = {}
    for item in epoch.order:
        if item.run is not None:
            runs.setdefault((item.run, item.meant.group), []).append(item)
    for (run, group), items in runs.items():
        dead = sum(1 for item in items if item.lettered)
        barriers = sum(1 for item in items if item.meant.verb in ("$add", "$delete"))
        creation = CREATION if any(item.meant.verb == "$unset" for item in items) else 0
        most = max(1, dead) * (2 * ceil(log2(max(2, len(items)))) + 2) + barriers + creation
        spent = len([request for request, whose in run.blame if whose == group])
        if spent > most:
            words = f"{spent} requests for {dead} dead letters of a run of {len(items)} of {group}"
            raise oracle.fail(10, words)
