"""One record as the rules see it: what their paths come to, read only when a rule asks."""

from typing import Final, final

from consumer.avro.cursor import Cursor
from consumer.event.model import Headers
from consumer.mapping.errors import Unfit
from consumer.mapping.layout import Layout, Spot
from consumer.mapping.meanings import INTEGER, STAMP, TEXT
from consumer.mapping.paths import HEADER, KEY, RECORD_ROOT
from consumer.mapping.readers import read
from consumer.mapping.rules import Take
from consumer.mapping.scalars import convert
from consumer.mapping.walk import Places
from consumer.mapping.words import EXISTS

MILLIS: Final = 1_000


@final
class Mark:
    """A value that is none."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


# The column did not change, and is not here; the writer's schema does not have the path, and a later one does.
UNAVAILABLE: Final = Mark("unavailable")
LEFT_OUT: Final = Mark("left out")


@final
class Incoming:
    """A record as it was read. `timestamp` is in milliseconds; -1 where it has none."""

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers


@final
class Body:
    """The bytes of a value or a key, where their mapped places are, and the layout that says so."""

    __slots__ = ("cursor", "layout", "places")

    def __init__(self, cursor: Cursor, layout: Layout, places: Places) -> None:
        self.cursor = cursor
        self.layout = layout
        self.places = places


@final
class Seen:
    """A record whose places are found. `asked` is what was read last: where a refusal happened.

    `plain_key` is a key that no schema describes: text or a number; `key_fault` says why a key cannot be read.
    """

    __slots__ = ("asked", "data", "key", "key_fault", "plain_key", "record", "secret")

    def __init__(self, record: Incoming, data: Body | None, secret: bytes) -> None:
        self.record = record
        self.data = data
        self.secret = secret
        self.key: Body | None = None
        self.plain_key: object = None
        self.key_fault = ""
        self.asked: Take | None = None

    def value(self, take: Take, old: bool = False) -> object:
        """What the path comes to; None for null and for what the record does not have; or one of the marks.

        `old` asks for the column as it was. Raises `Unfit`, InvalidDatum, UnicodeDecodeError.
        """
        path = take.path
        self.asked = take
        if path.of_value:
            if self.data is None:
                return None
            spot = self.data.layout.spots[take.number]
            if spot is None:
                return LEFT_OUT
            return at(self.data, spot, old)
        if path.root == KEY:
            if self.key_fault:
                raise Unfit(self.key_fault)
            if self.key is not None:
                spot = self.key.layout.spots[take.number]
                return None if spot is None else at(self.key, spot, False)
            return self._plain(self.plain_key, take)
        if path.root == HEADER:
            return self._plain(self.header(path.parts[0]), take)
        assert path.root == RECORD_ROOT
        return self._of_record(path.parts[0], take)

    def spot(self, take: Take) -> Spot | None:
        """Where the path leads in the value; None where it is not of the value."""
        return self.data.layout.spots[take.number] if self.data is not None and take.path.of_value else None

    def differs(self, take: Take) -> bool:
        """Whether the column is another than it was, by its bytes. The placeholder is no other."""
        spot = self.spot(take)
        data = self.data
        if spot is None or data is None or spot.old < 0:
            return False
        places = data.places
        start, end = places.starts[spot.slot], places.ends[spot.slot]
        old_start, old_end = places.starts[spot.old], places.ends[spot.old]
        if start >= 0 and spot.form is not None and spot.form.at(data.cursor.data, start, end):
            return False
        if start < 0 and hidden(data, spot, False):
            return False
        if start < 0 or old_start < 0:
            return start != old_start
        return data.cursor.data[start:end] != data.cursor.data[old_start:old_end]

    def header(self, name: str) -> str | None:
        """The text of the last header of this name. Raises UnicodeDecodeError."""
        found: bytes | None = None
        for key, content in self.record.headers or []:
            if key == name:
                found = content
        return None if found is None else found.decode("utf-8")

    def _of_record(self, name: str, take: Take) -> object:
        if name == "timestamp":
            stamp = self.record.timestamp
            if stamp < 0:
                return None
            return True if take.how == EXISTS else convert(stamp, STAMP, MILLIS, take.how, self.secret)
        if name == "topic":
            return self._plain(self.record.topic, take)
        return self._plain(self.record.partition if name == "partition" else self.record.offset, take)

    def _plain(self, raw: object, take: Take) -> object:
        if raw is None:
            return None
        if take.how == EXISTS:
            return True
        return convert(raw, TEXT if isinstance(raw, str) else INTEGER, 1, take.how, self.secret)


def at(data: Body, spot: Spot, old: bool) -> object:
    """What is at this spot."""
    places = data.places
    slot = spot.old if old else spot.slot
    start = places.starts[slot] if slot >= 0 else -1
    if start < 0:
        return UNAVAILABLE if hidden(data, spot, old) else None
    form = spot.form
    if form is not None and form.at(data.cursor.data, start, places.ends[slot]):
        return UNAVAILABLE
    data.cursor.pos = start
    return read(spot.reader, data.cursor, 0)


def hidden(data: Body, spot: Spot, old: bool) -> bool:
    """Whether the map that the path goes through is the placeholder itself."""
    guard = spot.old_guard if old else spot.guard
    if guard < 0 or spot.guard_form is None:
        return False
    start = data.places.starts[guard]
    return start >= 0 and spot.guard_form.at(data.cursor.data, start, data.places.ends[guard])
