"""What the core keeps of a full state that is refused: what is open, and little more.

All objects that can be reached from what goes to Mixpanel, or to the dead-letter topic, are counted, whatever their
names. Open are the records, each with its update as JSON; all else came with requests and refusals: runs, folded
updates, steps, batches, dead letters.
"""

import gc
from sys import getsizeof
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .oracle import Oracle

# Beyond what is open, as a share of it; and what is there at all times, however little is open.
MOST = 0.3
EMPTY = 20_480
OPEN = ("Record", "Entry")
PLAIN = (bytes, str, int, float, tuple, list)
ELSEWHERE = (type, FunctionType, MethodType, ModuleType)


def check_memory(oracle: "Oracle", instance: Any) -> None:
    """What is kept beyond the open records is a fraction of them."""
    open_, beyond = sizes(instance.loop.pipeline)
    if beyond > MOST * open_ + EMPTY:
        raise oracle.fail(10, f"{instance} keeps {beyond} bytes beyond the {open_} of what is open")


def sizes(pipeline: Any) -> tuple[int, int]:
    """The bytes of open records with their updates, and of all else that can be reached."""
    found = reachable([pipeline.destinations, pipeline.unconfirmed], [pipeline.partitions])
    open_: dict[int, Any] = {}
    for one in found:
        if type(one).__name__ in OPEN:
            open_[id(one)] = one
            for part in parts_of(one):
                if isinstance(part, PLAIN):
                    open_[id(part)] = part
    own = sum(map(getsizeof, open_.values()))
    return own, sum([getsizeof(one) for one in found if id(one) not in open_])


def reachable(roots: list[Any], apart: list[Any]) -> list[Any]:
    """All objects that these lead to, themselves included; nothing through those apart, or through code."""
    seen = {id(one) for one in apart}
    found: list[Any] = []
    while roots:
        one = roots.pop()
        if id(one) in seen or isinstance(one, ELSEWHERE) or type(one).__name__ == "Assignment":
            continue
        seen.add(id(one))
        found.append(one)
        roots.extend(parts_of(one))
    return found


def parts_of(one: Any) -> list[Any]:
    """What the object leads to; compiled classes without the collector's header do not say it to `gc`.

    Their numbers are part of them, and objects of their own only where they are read.
    """
    names = getattr(type(one), "__mypyc_attrs__", None)
    if names is None:
        return gc.get_referents(one)
    parts = [getattr(one, name) for name in names if hasattr(one, name)]
    return [part for part in parts if not isinstance(part, int | float)]
