"""The first change of a group waits for what concerns another group no longer than for a time-out, all in all.

Counted is the time in which it could go, but for what others meet: its own linger is over, its project is neither
told to slow down nor halted, its partition is not held, and healthy requests leave a place free, beside the one that
others may hold.
"""

from typing import TYPE_CHECKING, Any

from .caps import places_of
from .ledger import Item
from .mixpanel import TIMEOUT
from .traffic import project_of

if TYPE_CHECKING:
    from .oracle import Oracle


class Heads:
    """How long each first change waited so, in one instance."""

    def __init__(self) -> None:
        self._waited: dict[Item, float] = {}
        self._held: list[Item] = []
        self._since = 0.0

    def turned(self, oracle: "Oracle", instance: Any) -> None:
        """A turn is over: until now nothing has changed since the last."""
        now, waited = oracle.world.now, self._waited
        for item in [] if instance.process.was_frozen else self._held:
            waited[item] = waited.get(item, 0.0) + now - self._since
            if waited[item] > TIMEOUT + instance.oversleep:
                raise oracle.fail(10, f"{item} waits for {waited[item]:.1f} s for what only others meet")
        self._since = now
        self._held = [item for item in heads(oracle, instance) if could_go(oracle, instance, item)]


def heads(oracle: "Oracle", instance: Any) -> list[Item]:
    """The first changes that were not sent yet, of groups that nothing is wrong with."""
    found = []
    for epoch in oracle.live.values():
        if epoch.instance is instance and epoch.bound is None and not instance.stands(epoch):
            for group in epoch.groups:
                undecided = epoch.undecided(group)
                if undecided and undecided[0].request is None and not oracle.history.is_ill(group):
                    found.append(undecided[0])
    return found


def could_go(oracle: "Oracle", instance: Any, item: Item) -> bool:
    """Whether it waits for none of its own, nor for healthy requests."""
    project = project_of(item.meant.group)
    pace, now = instance.paces[project], oracle.world.now
    if now < max(item.read_at + instance.limits.linger, pace.slow_at_most) or instance.is_halted(project):
        return False
    if instance.loop.pipeline.breaker_open or not instance.lease.valid():
        return False
    ill = [request for request in instance.flying if oracle.history.is_ill_request(request)]
    if ill and not pace.answers.slowed:
        return False  # told to slow down: one request alone asks if it is over
    return len(instance.flying) - len(ill) < places_of(instance, pace)
