"""When a request may go: halted, slowed down, after a fault, after an opaque answer, and what suspects may hold."""

from typing import TYPE_CHECKING

from .ledger import Item
from .mixpanel import AGAIN, OPAQUE, Request

if TYPE_CHECKING:
    from .oracle import Oracle

SLACK = 1e-6
# A retry at once still lets a new connection be made.
AT_ONCE = 0.02
SOON = 0.16
PATIENCE = 1.0
SUSPECT = 5.0


def check_pace(oracle: "Oracle", request: Request) -> None:
    """Halted: one probe at a time, 5 s apart. Slowed down: nothing before the time. Suspects: one at a time."""
    instance, now = request.sender, oracle.world.now
    if now < instance.slow_until - SLACK:
        raise oracle.fail(6, f"{instance} was told to wait for {instance.slow_until - now:.2f} s more, and sends")
    if len([one for one in instance.flying if one.suspect]) > 1:
        raise oracle.fail(10, f"{instance} sends two suspects at once")
    if not instance.is_halted():
        return
    if instance.probe is not None and instance.probe in instance.flying:
        raise oracle.fail(6, f"{instance} is halted, and sends while a probe is under way")
    if now < instance.probe_after - SLACK:
        raise oracle.fail(6, f"{instance} is halted, and probes {instance.probe_after - now:.2f} s too early")
    instance.probe = request


def check_wait(oracle: "Oracle", item: Item, request: Request) -> None:
    """What failed goes again at once, then soon, then after a second, or once others succeed."""
    last = item.request
    if last is None or last.told != AGAIN or last.sender is not request.sender:
        return
    if last.suspect and last.updates == request.updates and [len(items) for items in last.covers] == [1]:
        check_suspect(oracle, item, request)
    if last.batch is not request.batch:
        return  # or in parts, after the same fault again
    instance = request.sender
    wait = AT_ONCE if last.failures == 1 else SOON if last.failures == 2 else PATIENCE
    if oracle.world.now < last.told_at + wait - SLACK and instance.well_at < last.told_at:
        raise oracle.fail(6, f"{item} is sent again {oracle.world.now - last.told_at:.3f} s after a fault")


def check_suspect(oracle: "Oracle", item: Item, request: Request) -> None:
    """One update that always fails goes again after 5 s at the soonest, or once others succeed."""
    waited = oracle.world.now - item.request.told_at
    if waited < SUSPECT - SLACK and request.sender.well_at < item.request.told_at and not request.sender.is_halted():
        raise oracle.fail(10, f"{item} is a suspect, and is sent again after {waited:.3f} s")


def check_alone(oracle: "Oracle", items: list[Item], request: Request) -> None:
    """After an opaque answer an $add that may have been applied goes alone."""
    for item in items:
        last = item.request
        if last is None or last.told != OPAQUE or not last.unknown or len(last.updates) == 1:
            continue  # alone it was refused for good
        if len(request.updates) > 1:
            raise oracle.fail(9, f"{item} may have been applied, and goes again with others")
