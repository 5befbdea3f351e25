"""When a request may go: halted, slowed down, after a fault, after an opaque answer, and what suspects may hold."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .caps import Answers, Body
from .ledger import Item
from .mixpanel import AGAIN, OPAQUE, Request

if TYPE_CHECKING:
    from .oracle import Oracle

SLACK = 1e-6
# A retry at once still lets a new connection be made; the next wait twice as long each time, at least up to a second.
AT_ONCE = 0.02
PATIENCE = 1.0
SUSPECT = 5.0


@dataclass(slots=True)
class Pace:
    """What the answers of one project allow one instance."""

    body: Body
    must_halt: bool = False  # an answer of this turn refused everything
    probe: Request | None = None
    probe_after: float = 0.0
    slow_until: float = 0.0
    slow_at_most: float = 0.0
    well_at: float = 0.0  # when an answer last was none of a fault
    ill: bool = False  # the last answer was one, to no suspect
    failed: bool = False  # some answer was
    answered: bool = False
    answers: Answers = field(default_factory=Answers)


def check_pace(oracle: "Oracle", request: Request) -> None:
    """Halted: one probe at a time, the first at once. Slowed down: nothing before. Suspects: one at a time."""
    instance, now = request.sender, oracle.world.now
    pace = instance.paces[request.project]
    if now < pace.slow_until - SLACK:
        raise oracle.fail(6, f"{instance} was told to wait for {pace.slow_until - now:.2f} s more, and sends")
    if len([one for one in instance.flying if one.suspect]) > 1:
        raise oracle.fail(10, f"{instance} sends two suspects at once")
    if not instance.is_halted(request.project):
        return
    if pace.probe is not None and pace.probe in instance.flying:
        raise oracle.fail(6, f"{instance} is halted, and sends while a probe is under way")
    if now < pace.probe_after - SLACK:
        raise oracle.fail(6, f"{instance} is halted, and probes {pace.probe_after - now:.2f} s too early")
    pace.probe = request


def check_share(oracle: "Oracle", request: Request) -> None:
    """Each project has half of the requests at once, those that fail together; one never answered has one."""
    instance = request.sender
    paces = instance.paces
    if len(paces) == 1:
        return
    pace = paces[request.project]
    mine = [one for one in instance.flying if one.project == request.project]
    if not pace.answered and len(mine) > 1:
        raise oracle.fail(6, f"{instance} has {len(mine)} requests of {request.project}, which never answered")
    half = max(1, instance.limits.max_in_flight // 2)
    failing = [one for one in instance.flying if paces[one.project].ill]
    if pace.ill and len(failing) > half:
        raise oracle.fail(6, f"{instance} has {len(failing)} requests of projects that fail in flight")
    if len(mine) > half:
        raise oracle.fail(6, f"{instance} has {len(mine)} requests of {request.project}, more than half")


def check_wait(oracle: "Oracle", item: Item, request: Request) -> None:
    """What failed goes again at once, then after twice as long each time, or once others succeed."""
    last = item.request
    if last is None or last.told != AGAIN or last.sender is not request.sender:
        return
    if last.suspect and last.updates == request.updates and [len(items) for items in last.covers] == [1]:
        check_suspect(oracle, item, request)
    if last.batch is not request.batch or request.sender.is_halted(request.project):
        return  # or in parts, after the same fault again; or as the probe of a halt, due or not
    well_at = request.sender.paces[request.project].well_at
    wait = min(PATIENCE, AT_ONCE * 2.0 ** (last.failures - 1))
    if oracle.world.now < last.told_at + wait - SLACK and well_at < last.told_at:
        raise oracle.fail(6, f"{item} is sent again {oracle.world.now - last.told_at:.3f} s after a fault")


def check_suspect(oracle: "Oracle", item: Item, request: Request) -> None:
    """One update that fails again goes again after 5 s at the soonest, or once others succeed."""
    if item.request.failures == 1:
        return
    waited = oracle.world.now - item.request.told_at
    pace, halted = request.sender.paces[request.project], request.sender.is_halted(request.project)
    if waited < SUSPECT - SLACK and pace.well_at < item.request.told_at and not halted:
        raise oracle.fail(10, f"{item} is a suspect, and is sent again after {waited:.3f} s")


def check_alone(oracle: "Oracle", items: list[Item], request: Request) -> None:
    """After an opaque answer an $add that may have been applied goes alone."""
    for item in items:
        last = item.request
        if last is None or last.told != OPAQUE or not last.unknown or len(last.updates) == 1:
            continue  # alone it was refused for good
        if len(request.updates) > 1:
            raise oracle.fail(9, f"{item} may have been applied, and goes again with others")
