"""Schema resolution as the Avro specification says: a writer's and a reader's type become one `Node` to read by.

What cannot be resolved becomes a node that refuses whoever reaches it, since a record that does not use the
branch or symbol is fine. `IncompatibleSchema` is for what no record can avoid.

Where the specification leaves room: a union branch of the writer's very type is taken before one that it would be
promoted to, so that 64-bit integers stay exact; named types match by their unqualified name or an alias.
"""

from typing import Final

from consumer.avro.annotations import is_time
from consumer.avro.defaults import default_of
from consumer.avro.errors import IncompatibleSchema
from consumer.avro.nodes import (
    BYTES_AS_STRING,
    INT_AS_DOUBLE,
    LONG_AS_DOUBLE,
    MEANT_OTHERWISE,
    NEVER,
    STRING_AS_BYTES,
    Node,
)
from consumer.avro.schema import (
    ARRAY,
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
    unqualified,
)

# What a writer's kind is read as where the reader's is another: (writer, reader) -> kind of the node.
PROMOTIONS: Final = {
    (INT, LONG): INT,
    (INT, FLOAT): INT_AS_DOUBLE,
    (INT, DOUBLE): INT_AS_DOUBLE,
    (LONG, FLOAT): LONG_AS_DOUBLE,
    (LONG, DOUBLE): LONG_AS_DOUBLE,
    (FLOAT, DOUBLE): FLOAT,
    (STRING, BYTES): STRING_AS_BYTES,
    (BYTES, STRING): BYTES_AS_STRING,
}
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


class Resolution:
    """The nodes made so far: a pair of named types is resolved once, which is what lets types recurse."""

    def __init__(self) -> None:
        self._named: dict[tuple[Type, Type], Node] = {}
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
            branch = best_branch(writer, reader)
            if branch is None:
                return self._never(f"the reader's union has no branch for {writer}")
            return self.node(writer, branch, depth)
        if writer.kind != reader.kind:
            kind = PROMOTIONS.get((writer.kind, reader.kind))
            if kind is None:
                return self._never(f"{writer} cannot be read as {reader}")
            return self._finish(Node(kind))
        if writer.name and not same_name(writer, reader):
            return self._never(f"{writer} cannot be read as {reader}: the names differ")
        if writer.kind == RECORD:
            known = self._named.get((writer, reader))
            return known if known is not None else self._record(writer, reader, depth)
        node = Node(writer.kind)
        if writer.kind == ARRAY or writer.kind == MAP:
            node.items = [self.node(writer.items[0], reader.items[0], depth + 1)]
        elif writer.kind == ENUM:
            fallback = reader.default if reader.default in reader.symbols else None
            node.symbols = [symbol if symbol in reader.symbols else fallback for symbol in writer.symbols]
        elif writer.kind == FIXED:
            if writer.size != reader.size:
                return self._never(f"{writer} has {writer.size} bytes, the reader's {reader.size}")
            node.size = writer.size
        return self._finish(node)

    def judge(self) -> None:
        """Find which nodes some data can pass: one that needs an impossible part is impossible."""
        changed = True
        while changed:
            changed = False
            for node in self._done:
                if not node.possible and passable(node):
                    node.possible = True
                    changed = True

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
                node.defaults.append((position, default_of(field.type, field.default)))
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

    def _finish(self, node: Node) -> Node:
        node.free = node.kind == NULL or (node.kind == FIXED and node.size == 0)
        self._done.append(node)
        return node

    def _never(self, why_not: str, kind: int = NEVER) -> Node:
        node = Node(kind)
        node.missing = why_not
        return node


def meaning(writer: Type) -> str:
    """Why the writer's values are not what their kind says, or nothing in JSON; empty where they are."""
    annotation = writer.annotation
    kind = f"{writer} with {annotation}" if annotation is not None else str(writer)
    if writer.kind == BYTES or writer.kind == FIXED:
        return f"a value of type {kind}: JSON has no bytes, write a string or a number"
    if (writer.kind == INT or writer.kind == LONG) and annotation is not None and is_time(annotation):
        return f"a value of type {kind}: it would arrive as a bare number, write a string"
    return ""


def same_name(writer: Type, reader: Type) -> bool:
    """Whether these named types match: by unqualified name, or by an alias of the reader's."""
    name = unqualified(writer.name)
    return name == unqualified(reader.name) or name in reader.aliases


def best_branch(writer: Type, union: Type) -> Type | None:
    """The branch that the writer's type is read as: its very type, else its name, else the first promotion."""
    for branch in union.items:
        if branch.kind == writer.kind and branch.name == writer.name:
            return branch
    for branch in union.items:
        if branch.kind == writer.kind and same_name(writer, branch):
            return branch
    for branch in union.items:
        if (writer.kind, branch.kind) in PROMOTIONS:
            return branch
    return None


def matched(writer: Type, reader: Type) -> dict[str, str]:
    """For each field of the reader the writer's field that feeds it: that of its name, else of an alias."""
    names = {field.name for field in writer.fields}
    sources = {field.name: field.name for field in reader.fields if field.name in names}
    free = names - set(sources)
    for field in reader.fields:
        if field.name in sources:
            continue
        for alias in field.aliases:
            if alias in free:
                sources[field.name] = alias
                free.discard(alias)
                break
    return sources


def passable(node: Node) -> bool:
    """Whether some data gets through the node, as far as its parts are known."""
    if node.missing:
        return False
    if node.kind == UNION:
        return any(branch.possible for branch in node.items)
    if node.kind == RECORD:
        return all(part.possible for part in node.items)
    if node.kind == ENUM:
        return any(symbol is not None for symbol in node.symbols)
    return True


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
