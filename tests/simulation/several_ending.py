"""What the profiles must be at the end of a history of records that make several updates."""

from typing import TYPE_CHECKING, Any

from .orders import ADDS, GOOD, SETS, Order, Part, own
from .several_oracle import SeveralOracle
from .traffic import GROUP_KEY, parted, project_of, token_of
from .world import Violation

if TYPE_CHECKING:
    from .several import Several


def check_profiles(history: "Several", oracle: SeveralOracle) -> None:
    """Each profile has the good parts and no other; the last one won, but where a late request came after it."""
    for group, place in history.groups.items():
        token = token_of(project_of(group))
        found = history.mixpanel.profiles.get(token, GROUP_KEY, *parted(group)) or {}
        last = None
        for order in oracle.meant.get(place, {}).values():
            for part in order.parts.values():
                if part.group == group:
                    check_part(oracle, order, part, found)
                    if part.rule in SETS and part.kind == GOOD:
                        last = order
        if last is not None and group not in oracle.unsure and found.get("last") != last.number:
            raise Violation(f"ending: last of {group} is {found.get('last')}, and should be that of {last}")


def check_part(oracle: SeveralOracle, order: Order, part: Part, found: dict[str, Any]) -> None:
    """It was applied, or named in a dead letter; and nothing that was refused was applied."""
    which = (order.number, part.rule)
    there = own(*which) in found if part.rule in SETS else oracle.applications.get(which, 0) > 0
    if there != (part.kind == GOOD) and not (part.rule in ADDS and which in oracle.named):
        raise Violation(f"ending: {part.rule} of {order} was {'' if there else 'not '}applied")
