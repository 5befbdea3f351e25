"""From an Avro type, and the places in it that are mapped, to the `Walk` that finds them."""

from typing import Final, final

from consumer.avro.errors import IncompatibleSchema
from consumer.avro.resolution import MAX_LEVELS
from consumer.avro.schema import (
    ARRAY,
    BOOLEAN,
    BYTES,
    DOUBLE,
    ENUM,
    FIXED,
    FLOAT,
    INT,
    LONG,
    MAP,
    NULL,
    RECORD,
    STRING,
    UNION,
    Type,
)
from consumer.mapping.walk import (
    ARRAY_OF,
    BEGIN,
    CHOICE,
    END,
    LONG_WHOLE,
    MAP_OF,
    NULL_FIRST,
    NULL_LAST,
    PART,
    RUN,
    SIZED,
    SYMBOL,
    TRUTH,
    WHOLE,
    WIDTH,
    Walk,
)

SIMPLE: Final = {
    BOOLEAN: TRUTH,
    INT: WHOLE,
    LONG: LONG_WHOLE,
    FLOAT: WIDTH,
    DOUBLE: WIDTH,
    FIXED: WIDTH,
    BYTES: SIZED,
    STRING: SIZED,
    ENUM: SYMBOL,
}


@final
class Trie:
    """The mapped places below one: by field, map key, or number of a union's branch. `slot` is its own, or -1."""

    __slots__ = ("children", "slot")

    def __init__(self) -> None:
        self.slot = -1
        self.children: dict[str, Trie] = {}


@final
class Marks:
    """The slots given so far: the same place has one, however many paths lead there."""

    __slots__ = ("count", "root")

    def __init__(self) -> None:
        self.root = Trie()
        self.count = 0

    def slot(self, steps: list[str]) -> int:
        """The slot of the place that these steps lead to."""
        here = self.root
        for step in steps:
            here = here.children.setdefault(step, Trie())
        if here.slot < 0:
            here.slot = self.count
            self.count += 1
        return here.slot


@final
class Walks:
    """Makes walks. One without marks is made once for each named type, which is what lets types recurse."""

    __slots__ = ("_named",)

    def __init__(self) -> None:
        self._named: dict[Type, Walk] = {}

    def root(self, kind: Type, marks: Trie) -> Walk:
        """The walk over a whole datum of this type."""
        return self._marked(kind, marks, 0)

    def walk(self, kind: Type, marks: Trie | None, depth: int = 0) -> Walk:
        """The walk over this type. Raises `IncompatibleSchema` where it nests too deep."""
        if depth > MAX_LEVELS:
            raise IncompatibleSchema(f"its types nest more than {MAX_LEVELS} levels")
        if kind.kind == RECORD:
            return self._record(kind, marks, depth)
        if kind.kind == UNION:
            choice = Walk(CHOICE)
            for index, branch in enumerate(kind.items):
                choice.items.append(self._marked(branch, below(marks, str(index)), depth + 1))
            return choice
        if kind.kind == ARRAY or kind.kind == MAP:
            blocks = Walk(ARRAY_OF if kind.kind == ARRAY else MAP_OF)
            blocks.items.append(self.walk(kind.items[0], None, depth + 1))
            if marks is not None and kind.kind == MAP:
                for key, trie in marks.children.items():
                    blocks.keys[key.encode()] = self._marked(kind.items[0], trie, depth + 1)
            return blocks
        single = Walk(RUN)
        self._add(single, "", kind, None, depth)
        return single

    def _record(self, kind: Type, marks: Trie | None, depth: int) -> Walk:
        if marks is None and kind in self._named:
            return self._named[kind]
        record = Walk(RUN)
        if marks is None:
            self._named[kind] = record
        record.idle = 1
        free = True
        for field in kind.fields:
            if not self._add(record, field.name, field.type, below(marks, field.name), depth):
                free = False
        record.free = free
        return record

    def _marked(self, kind: Type, marks: Trie | None, depth: int) -> Walk:
        """The walk over a place that may have a slot itself."""
        if marks is None or marks.slot < 0:
            return self.walk(kind, marks, depth)
        around = Walk(RUN)
        self._add(around, "", kind, marks, depth)
        return around

    def _add(self, run: Walk, name: str, kind: Type, marks: Trie | None, depth: int) -> bool:
        """Put a field at the end of the run. Returns whether it has no bytes."""
        slot = -1 if marks is None else marks.slot
        if slot >= 0:
            put(run, BEGIN, slot, name)
        op, size = simple(kind)
        free = False
        if op >= 0 and (marks is None or not marks.children):
            free = op == WIDTH and size == 0
            if not free:
                put(run, op, size, name)
        elif kind.kind == NULL:
            free = True
        else:
            part = self.walk(kind, marks, depth + 1)
            free = part.free
            put(run, PART, len(run.parts), name)
            run.parts.append(part)
        if slot >= 0:
            put(run, END, slot, name)
        if free:
            run.idle += 1
            run.free = not run.ops
        return free


def put(run: Walk, op: int, arg: int, name: str) -> None:
    """One more thing to do."""
    run.ops.append(op)
    run.args.append(arg)
    run.names.append(name)


def below(marks: Trie | None, step: str) -> Trie | None:
    """The marks one step further; None where there are none."""
    return None if marks is None else marks.children.get(step)


def simple(kind: Type) -> tuple[int, int]:
    """The operation for a type without parts, alone or in a union with null, and its argument; -1 for others."""
    if kind.kind == UNION:
        if len(kind.items) != 2:
            return -1, 0
        first, second = kind.items
        if first.kind == NULL:
            op, size = simple(second)
            return (op + NULL_FIRST if 0 <= op < NULL_FIRST else -1), size
        if second.kind == NULL:
            op, size = simple(first)
            return (op + NULL_LAST if 0 <= op < NULL_FIRST else -1), size
        return -1, 0
    op = SIMPLE.get(kind.kind, -1)
    if kind.kind == FLOAT:
        return op, 4
    if kind.kind == DOUBLE:
        return op, 8
    return op, kind.size if kind.kind == FIXED else len(kind.symbols)
