"""Schema resolution as the Avro specification says: a writer's and a reader's type become one `Node` to read by.

What cannot be resolved becomes a node that refuses whoever reaches it, since a record that does not use the
branch or symbol is fine. `IncompatibleSchema` is for what no record can avoid.

Where the specification leaves room: a union branch of the writer's very type is taken before one that it would be
promoted to, so that 64-bit integers stay exact; named types match by their unqualified name or an alias.
"""

from typing import Final, final

from consumer.avro.defaults import default_of
from consumer.avro.errors import IncompatibleSchema
from consumer.avro.matching import PROMOTIONS, Branches, matched, meaning, same_name
from consumer.avro.nodes import (
    MEANT_OTHERWISE,
    NEVER,
    Node,
)
from consumer.avro.schema import (
    ARRAY,
    ENUM,
    FIXED,
    MAP,
    NULL,
    RECORD,
    UNION,
    Type,
)

# How deep types may contain types, named ones followed: what nests deeper would exhaust the stack.
MAX_LEVELS: Final = 256


def plan(writer: Type, reader: Type) -> Node:
    """How data of the writer's type is read as the reader's. Raises `IncompatibleSchema` if no data can be."""
    resolution = Resolution()
    root = resolution.node(writer, reader, 0)
    resolution.judge()
    if not root.possible:
        raise IncompatibleSchema(why(root))
    return root


@final
class Resolution:
    """The nodes made so far: a pair of named types is resolved once, which is what lets types recurse."""

    def __init__(self) -> None:
        self._named: dict[tuple[Type, Type], Node] = {}
        self._branches: dict[Type, Branches] = {}
        self._leaves: dict[int, Node] = {}  # of kinds without parts, one serves all places
        self._done: list[Node] = []  # parts before the whole

    def node(self, writer: Type, reader: Type, depth: int) -> Node:
        """The node that reads the one as the other."""
        if depth > MAX_LEVELS:
            raise IncompatibleSchema(f"its types nest more than {MAX_LEVELS} levels")
        if writer.kind == UNION:
            union = Node(UNION)
            union.items = [self.node(branch, reader, depth + 1) for branch in writer.items]
            self._done.append(union)
            return union
        if reader.literal and (meant := meaning(writer)):
            return self._never(meant, MEANT_OTHERWISE)
        if reader.kind == UNION:
            branch = self._branches_of(reader).best(writer)
            if branch is None:
                return self._never(f"the reader's union has no branch for {writer}")
            return self.node(writer, branch, depth)
        if writer.kind != reader.kind:
            kind = PROMOTIONS.get((writer.kind, reader.kind))
            if kind is None:
                return self._never(f"{writer} cannot be read as {reader}")
            return self._leaf(kind)
        if writer.kind < FIXED:
            return self._leaf(writer.kind)
        if writer.name and not same_name(writer, reader):
            return self._never(f"{writer} cannot be read as {reader}: the names differ")
        if writer.kind == RECORD:
            made = self._named.get((writer, reader))
            return made if made is not None else self._record(writer, reader, depth)
        return self._composite(writer, reader, depth)

    def _composite(self, writer: Type, reader: Type, depth: int) -> Node:
        """An array, a map, an enum or a fixed, as another of its kind."""
        node = Node(writer.kind)
        if writer.kind == ARRAY or writer.kind == MAP:
            node.items = [self.node(writer.items[0], reader.items[0], depth + 1)]
        elif writer.kind == ENUM:
            fallback = reader.default if reader.default in reader.symbols else None
            known = set(reader.symbols)
            node.symbols = [symbol if symbol in known else fallback for symbol in writer.symbols]
        elif writer.kind == FIXED:
            if writer.size != reader.size:
                return self._never(f"{writer} has {writer.size} bytes, the reader's {reader.size}")
            node.size = writer.size
        return self._finish(node)

    def judge(self) -> None:
        """Find which nodes some data can pass: one that needs an impossible part is impossible."""
        waiting: dict[Node, list[Node]] = {}
        needs: dict[Node, int] = {}
        ready: list[Node] = []
        for node in self._done:
            needs[node] = needed(node)
            if needs[node] == 0:
                ready.append(node)
            else:
                for part in node.items:
                    waiting.setdefault(part, []).append(node)
        while ready:
            node = ready.pop()
            node.possible = True
            for whole in waiting.get(node, []):
                needs[whole] -= 1
                if needs[whole] == 0:
                    ready.append(whole)

    def _branches_of(self, union: Type) -> "Branches":
        branches = self._branches.get(union)
        if branches is None:
            branches = self._branches[union] = Branches(union)
        return branches

    def _record(self, writer: Type, reader: Type, depth: int) -> Node:
        node = Node(RECORD)
        self._named[(writer, reader)] = node
        sources = matched(writer, reader)
        taken: dict[str, int] = {}
        for position, field in enumerate(reader.fields):
            node.outputs.append(field.name)
            source = sources.get(field.name)
            if source is not None:
                taken[source] = position
            elif field.has_default:
                default = default_of(field.type, field.default)
                if default is not None:  # which is what a field begins as
                    node.defaults.append((position, default))
            else:
                node.missing = f"{writer} has no field {field.name}, which has no default"
        node.idle = 1
        node.free = True
        for item in writer.fields:
            slot = taken.get(item.name, -1)
            part = self.node(item.type, reader.fields[slot].type if slot >= 0 else item.type, depth + 1)
            node.items.append(part)
            node.slots.append(slot)
            node.names.append(item.name)
            if part.free:
                node.idle += 1
            else:
                node.free = False
        self._done.append(node)
        return node

    def _leaf(self, kind: int) -> Node:
        leaf = self._leaves.get(kind)
        if leaf is None:
            leaf = self._leaves[kind] = self._finish(Node(kind))
        return leaf

    def _finish(self, node: Node) -> Node:
        node.free = node.kind == NULL or (node.kind == FIXED and node.size == 0)
        self._done.append(node)
        return node

    def _never(self, why_not: str, kind: int = NEVER) -> Node:
        node = Node(kind)
        node.missing = why_not
        return node


def needed(node: Node) -> int:
    """How many of its parts must be possible for some data to get through the node; -1 where none can."""
    if node.missing:
        return -1
    if node.kind == UNION:
        return 1 if node.items else -1
    if node.kind == RECORD:
        return len(node.items)
    if node.kind == ENUM:
        return -1 if all(symbol is None for symbol in node.symbols) else 0
    return 0


def why(node: Node) -> str:
    """The path to what no record can avoid, and what is wrong there."""
    path: list[str] = []
    seen: set[Node] = set()
    while not node.missing:
        if node in seen:
            return f"{place(path)}the type contains itself without end"
        seen.add(node)
        if node.kind == ENUM:
            return f"{place(path)}the reader has none of the writer's symbols"
        if node.kind == UNION:
            if not node.items:
                return f"{place(path)}the writer's union has no branch"
            node = node.items[-1]
            continue
        for name, part in zip(node.names, node.items, strict=True):
            if not part.possible:
                path.append(name)
                node = part
                break
    return place(path) + node.missing


def place(path: list[str]) -> str:
    """The path as the start of a sentence."""
    return f"field {'.'.join(path)}: " if path else ""
