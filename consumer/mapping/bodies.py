"""Values and keys with their mapped places found, by the plan of a writer's schema."""

from typing import final

from consumer.avro.cursor import ENDS_EARLY, Cursor, read_long
from consumer.avro.errors import InvalidDatum
from consumer.event.decode import corrupt, located
from consumer.mapping.layout import Layout
from consumer.mapping.seen import Body
from consumer.mapping.walk import Places, walk


@final
class ValuePlan:
    """A writer's schema: a layout for each of its branches; None for one that no rule takes."""

    __slots__ = ("layouts", "union")

    def __init__(self, layouts: list[Layout | None], union: bool) -> None:
        self.layouts = layouts
        self.union = union


@final
class KeyPlan:
    """A key's schema."""

    __slots__ = ("layout",)

    def __init__(self, layout: Layout) -> None:
        self.layout = layout


def found(value: bytes, start: int, layouts: list[Layout | None], union: bool) -> Body | None:
    """The value with its places found; None where no rule takes its type. Raises `Reject`: corrupt."""
    index = 0
    if union:
        cursor = Cursor(value, start)
        try:
            index = read_long(cursor)
        except (IndexError, InvalidDatum):
            raise corrupt(ENDS_EARLY) from None
        if index < 0 or index >= len(layouts):
            detail = "a union branch that the writer's schema does not have"
            raise corrupt(detail)
        start = cursor.pos
    layout = layouts[index]
    if layout is None:
        return None
    body = passed(value, start, layout)
    left = body.cursor.end - body.cursor.pos
    if left:
        raise corrupt(f"{left} bytes are left over")
    return body


def passed(data: bytes, start: int, layout: Layout) -> Body:
    """The datum from `start` on, passed once. Raises `Reject`: corrupt."""
    cursor = Cursor(data, start)
    places = Places(layout.slots)
    assert layout.walk is not None
    try:
        walk(layout.walk, cursor, places, 1)
    except InvalidDatum as fault:
        raise corrupt(located(cursor, fault.detail)) from None
    except IndexError:
        raise corrupt(located(cursor, ENDS_EARLY)) from None
    return Body(cursor, layout, places)
