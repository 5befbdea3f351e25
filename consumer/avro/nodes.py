"""How a writer's data is read as a reader's type: a table of nodes, made by `resolution`, walked by `datum`."""

from typing import Final, final

# Kinds of node beside the kinds of type: a writer's kind read as another, and what cannot be read.
INT_AS_DOUBLE: Final = 20
LONG_AS_DOUBLE: Final = 21
STRING_AS_BYTES: Final = 22
BYTES_AS_STRING: Final = 23
NEVER: Final = 24
MEANT_OTHERWISE: Final = 25


@final
class Node:
    """How one place of the data is read. Made by `resolution`, and not changed after.

    `items` are the branches of a union, the fields of a record in the writer's order, or the one node of an
    array's items or a map's values. `free` says that it takes no bytes at all.
    """

    __slots__ = (
        "defaults",
        "free",
        "idle",
        "items",
        "kind",
        "missing",
        "names",
        "outputs",
        "possible",
        "size",
        "slots",
        "symbols",
    )

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.items: list[Node] = []
        self.free = False
        self.possible = False  # whether any data can pass
        self.missing = ""  # why none can, where this node is the reason
        self.size = 0  # of a fixed, in bytes
        self.symbols: list[str | None] = []  # of the writer's enum; None: the reader has no such symbol
        self.names: list[str] = []  # of the writer's fields
        self.slots: list[int] = []  # where each goes in the reader's record; -1: nowhere
        self.outputs: list[str] = []  # names of the reader's fields
        self.defaults: list[tuple[int, object]] = []  # of reader's fields that the writer has not; none for null
        self.idle = 0  # 1 for the record, and 1 for each field that takes no bytes
