"""The fields of a record, or the entries of a map, that a rule copies: each by itself, since each is a property."""

from typing import final

from consumer.avro.cursor import Cursor, read_long, read_string
from consumer.avro.datum import read_block
from consumer.avro.schema import MAP, RECORD, UNION, Type
from consumer.mapping.errors import Unfit
from consumer.mapping.placeholders import Form, Placeholder, form_of
from consumer.mapping.readers import DatumReader, reader_of
from consumer.mapping.walk import Places, Walk, walk
from consumer.mapping.walks import Walks
from consumer.mapping.words import AS_IS

HIDDEN = "__"
NO_PLACES = Places(0)


@final
class PropertyEntry:
    """One property: its name, and where its datum is. `reader` is None where it is not copied."""

    __slots__ = ("end", "form", "name", "reader", "start")

    def __init__(self, name: str, start: int, end: int, reader: DatumReader, form: Form | None) -> None:
        self.name = name
        self.start = start
        self.end = end
        self.reader = reader
        self.form = form


@final
class Entries:
    """How a record or a map of one type is taken apart. Raises `Misfit` where a field has no form in Mixpanel."""

    __slots__ = ("_branches", "_excluded", "_forms", "_kind", "_names", "_readers", "_walks")

    def __init__(self, kind: Type, excluded: frozenset[str], secret: bytes, placeholder: Placeholder | None) -> None:
        self._kind = kind.kind
        self._excluded = excluded
        self._branches: list[Entries] = []
        self._names: list[str] = []
        self._walks: list[Walk] = []
        self._readers: list[DatumReader | None] = []
        self._forms: list[Form | None] = []
        walks = Walks()
        if kind.kind == UNION:
            self._branches = [Entries(branch, excluded, secret, placeholder) for branch in kind.items]
        elif kind.kind == RECORD:
            for field in kind.fields:
                copied = self.copies(field.name)
                self._names.append(field.name)
                self._walks.append(walks.walk(field.type, None))
                self._readers.append(reader_of(field.type, AS_IS, secret) if copied else None)
                self._forms.append(form_of(field.type, placeholder) if copied else None)
        elif kind.kind == MAP:
            self._walks.append(walks.walk(kind.items[0], None))
            self._readers.append(reader_of(kind.items[0], AS_IS, secret))
            self._forms.append(form_of(kind.items[0], placeholder))

    def copies(self, name: str) -> bool:
        """Whether the rule copies a field of this name."""
        return not name.startswith(HIDDEN) and name not in self._excluded

    def of(self, data: bytes, start: int) -> list[PropertyEntry]:
        """What is copied of the datum there, in its order. Raises `Unfit`, UnicodeDecodeError."""
        cursor = Cursor(data, start)
        if self._kind == UNION:
            return self._branches[read_long(cursor)].of(data, cursor.pos)
        found: list[PropertyEntry] = []
        if self._kind == RECORD:
            for at, name in enumerate(self._names):
                self._pass(found, name, at, cursor)
        elif self._kind == MAP:
            self._map(found, cursor)
        return found

    def _map(self, found: list[PropertyEntry], cursor: Cursor) -> None:
        names: set[str] = set()
        total = 0
        while True:
            count = read_long(cursor)
            if count == 0:
                break
            read_block(cursor, count, False)
            for _ in range(count if count > 0 else -count):
                name = read_string(cursor)
                names.add(name)
                total += 1
                self._pass(found, name, 0, cursor)
        if len(names) != total:
            raise Unfit("a map with the same key twice")

    def _pass(self, found: list[PropertyEntry], name: str, at: int, cursor: Cursor) -> None:
        start = cursor.pos
        walk(self._walks[at], cursor, NO_PLACES, 1)
        reader = self._readers[at]
        if reader is not None and self.copies(name):
            found.append(PropertyEntry(name, start, cursor.pos, reader, self._forms[at]))
