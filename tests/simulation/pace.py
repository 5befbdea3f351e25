"""When a request may go: halted, slowed down, after a fault, after an opaque answer."""

from typing import TYPE_CHECKING

from .ledger import Item
from .mixpanel import AGAIN, OPAQUE, Request

if TYPE_CHECKING:
    from .oracle import Oracle

SLACK = 1e-6


def check_pace(oracle: "Oracle", request: Request) -> None:
    """Halted: one probe at a time, 5 s apart. Slowed down: nothing before the time."""
    instance, now = request.sender, oracle.world.now
    if now < instance.slow_until - SLACK:
        raise oracle.fail(6, f"{instance} was told to wait for {instance.slow_until - now:.2f} s more, and sends")
    if not instance.halted:
        return
    if instance.probe is not None and instance.probe in instance.flying:
        raise oracle.fail(6, f"{instance} is halted, and sends while a probe is under way")
    if now < instance.probe_after - SLACK:
        raise oracle.fail(6, f"{instance} is halted, and probes {instance.probe_after - now:.2f} s too early")
    instance.probe = request


def check_wait(oracle: "Oracle", item: Item, request: Request) -> None:
    """What failed waits for a second, unless something else went well since."""
    last = item.request
    if last is None or last.told != AGAIN or last.sender is not request.sender:
        return
    if len(request.updates) < len(last.updates):
        return  # split, after the same error again and again
    instance = request.sender
    if oracle.world.now < last.told_at + 1.0 - SLACK and instance.well_at < last.told_at:
        raise oracle.fail(6, f"{item} is sent again {oracle.world.now - last.told_at:.3f} s after a fault")


def check_alone(oracle: "Oracle", items: list[Item], request: Request) -> None:
    """After an opaque answer an $add that may have been applied goes alone."""
    for item in items:
        last = item.request
        if last is None or last.told != OPAQUE or not last.unknown or len(last.updates) == 1:
            continue  # alone it was refused for good
        if len(request.updates) > 1:
            raise oracle.fail(9, f"{item} may have been applied, and goes again with others")
