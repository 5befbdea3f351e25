"""Whether records of a writer's schema can be read as GroupChange: all of them, some, or none."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from consumer.avro.errors import IncompatibleSchema
from consumer.avro.nodes import Node
from consumer.avro.parsing import parse
from consumer.avro.resolution import plan
from consumer.event.decode import group_change
from consumer.schemas import newest


@dataclass(frozen=True)
class Judgement:
    """`readable` is all, some or none; `why` names what cannot be read."""

    readable: str
    why: str = ""


def judge(writer: str, references: Sequence[str] = ()) -> Judgement:
    """What the service makes of records of the writer's schema."""
    try:
        parsed = json.loads(writer)
        texts = [json.loads(reference) for reference in references]
    except (ValueError, RecursionError):
        return Judgement("none", "the schema is not JSON")
    try:
        root = plan(parse(parsed, texts), group_change(json.loads(newest())))
    except IncompatibleSchema as incompatible:
        return Judgement("none", str(incompatible))
    gaps = unreadable(root)
    return Judgement("some", "; ".join(gaps)) if gaps else Judgement("all")


def unreadable(root: Node) -> list[str]:
    """The places of the schema that no data gets through, each with its path; such records become dead letters."""
    places: dict[str, None] = {}
    seen: set[Node] = set()

    def walk(node: Node, path: str) -> None:
        if node in seen:
            return
        seen.add(node)
        place = f"field {path}: " if path else ""
        if node.missing:
            places[place + node.missing] = None
        if node.symbols and None in node.symbols:
            places[f"{place}the reader lacks a symbol of the writer's"] = None
        for number, item in enumerate(node.items):
            name = node.names[number] if number < len(node.names) else ""
            walk(item, f"{path}.{name}" if path and name else path + name)

    walk(root, "")
    return list(places)
