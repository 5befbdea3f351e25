"""A mapping file as it was understood: made by `reading`, and not changed after."""

from typing import final

from consumer.mapping.paths import Path
from consumer.mapping.words import DELETE, EVENT, IGNORE, KEY_SCHEMA, UNSAID


@final
class Take:
    """A path, and how what is there is read. `number` is its own within the file."""

    __slots__ = ("how", "line", "number", "path")

    def __init__(self, path: Path, how: int, number: int, line: int) -> None:
        self.path = path
        self.how = how
        self.number = number
        self.line = line


@final
class Property:
    """One property under one verb: the first of `takes` that is not null, all of them joined, or a constant."""

    __slots__ = (
        "constant",
        "default",
        "has_constant",
        "has_default",
        "joined",
        "line",
        "name",
        "null",
        "separator",
        "takes",
        "values",
        "verb",
    )

    def __init__(self, name: str, verb: int, null: int, line: int) -> None:
        self.name = name
        self.verb = verb
        self.null = null
        self.line = line
        self.takes: list[Take] = []
        self.joined = False
        self.separator = ""
        self.has_constant = False
        self.constant: object = None
        self.has_default = False
        self.default: object = None
        self.values: dict[str, object] | None = None


@final
class Identity:
    """A group's id, or its company's: one take, or several joined."""

    __slots__ = ("line", "separator", "takes")

    def __init__(self, takes: list[Take], separator: str, line: int) -> None:
        self.takes = takes
        self.separator = separator
        self.line = line


@final
class Choice:
    """A name that a table gives for a value. Without `take` the table has the row `*` alone; without a table the
    value is the name."""

    __slots__ = ("line", "take", "values")

    def __init__(self, take: Take | None, values: dict[str, str] | None, line: int) -> None:
        self.take = take
        self.values = values
        self.line = line


@final
class Condition:
    """What must hold of one path: in the list, not in it, or that it is there (`expected`) or not."""

    __slots__ = ("expected", "kind", "of_value", "take", "values")

    def __init__(self, take: Take, kind: int, values: list[object], expected: bool) -> None:
        self.take = take
        self.kind = kind
        self.values = values
        self.expected = expected
        self.of_value = take.path.of_value


@final
class Copy:
    """Every field of a record or map, but these."""

    __slots__ = ("excluded", "line", "take")

    def __init__(self, take: Take, excluded: frozenset[str], line: int) -> None:
        self.take = take
        self.excluded = excluded
        self.line = line


@final
class Rule:
    """One rule of the file. `position` is its place in it."""

    __slots__ = (
        "action",
        "before_whole",
        "changed",
        "company",
        "copy",
        "deletes",
        "format",
        "group_key",
        "id",
        "key",
        "leaves",
        "line",
        "name",
        "named",
        "null",
        "pattern",
        "position",
        "project",
        "properties",
        "records",
        "topics",
        "where",
    )

    def __init__(self, name: str, position: int, line: int) -> None:
        self.name = name
        self.position = position
        self.line = line
        self.topics: list[str] = []  # those of the service that it names
        self.pattern = ""  # as it is in the file, where it names them by one
        self.format = EVENT
        self.records: frozenset[str] = frozenset()  # full names; none: any
        self.key = KEY_SCHEMA
        self.group_key = ""
        self.id: Identity | None = None  # a rule without it is a fault, and is never applied
        self.company: Identity | None = None
        self.project: Choice | None = None  # None: the default project
        self.where: list[Condition] = []
        self.leaves = IGNORE
        self.action: Choice | None = None  # None: write
        self.deletes = DELETE
        self.before_whole = False
        self.null = UNSAID
        self.changed = False
        self.properties: list[Property] = []
        self.named: dict[str, int] = {}  # the line of each property
        self.copy: Copy | None = None

    def takes(self) -> list[Take]:
        """Every path that the rule reads, in the file's order."""
        found = [condition.take for condition in self.where]
        for identity in (self.id, self.company):
            if identity is not None:
                found.extend(identity.takes)
        found.extend(c.take for c in (self.project, self.action) if c is not None and c.take is not None)
        for item in self.properties:
            found.extend(item.takes)
        if self.copy is not None:
            found.append(self.copy.take)
        return found

    def deciding(self) -> list[Take]:
        """The paths that decide which group and project the record is for, and what is done."""
        decisive: list[Take] = []
        for identity in (self.id, self.company):
            if identity is not None:
                decisive.extend(identity.takes)
        decisive.extend(c.take for c in (self.project, self.action) if c is not None and c.take is not None)
        return decisive


@final
class TopicSettings:
    """What the file says of one topic itself."""

    __slots__ = ("line", "unavailable", "unmatched_ignored")

    def __init__(self, unmatched_ignored: bool, unavailable: bytes, line: int) -> None:
        self.unmatched_ignored = unmatched_ignored
        self.unavailable = unavailable
        self.line = line


@final
class Example:
    """One `[[test]]` of the file, its values as TOML gave them."""

    __slots__ = ("expect", "headers", "key", "line", "record", "rule", "schema", "value")

    def __init__(self, table: dict[str, object], line: int) -> None:
        self.rule = str(table.get("rule", ""))
        self.record = str(table.get("record", ""))
        self.schema = str(table.get("schema", ""))
        self.key = table.get("key")
        self.value = table.get("value")
        headers = table.get("headers")
        self.headers: dict[str, object] = headers if isinstance(headers, dict) else {}
        expect = table.get("expect")
        self.expect: list[object] = expect if isinstance(expect, list) else []
        self.line = line


@final
class Mapping:
    """The whole file. `takes` is the number of all paths in it."""

    __slots__ = ("examples", "rules", "takes", "topics")

    def __init__(
        self, rules: list[Rule], topics: dict[str, TopicSettings], examples: list[Example], takes: int
    ) -> None:
        self.rules = rules
        self.topics = topics
        self.examples = examples
        self.takes = takes
