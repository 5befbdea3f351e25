"""Which dead letters are meant: by reason, project, company, origin, time, key, place; and how people write these."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.kafka.dead_letter_format import Origin
from consumer.settings.amounts import duration
from consumer.settings.values import Wrong

AGO: Final = re.compile(r"(\d+)(s|m|h|d)")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LAST: Final = 2**63 - 1


class Range(NamedTuple):
    """Offsets from `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and self.first <= offset <= self.last


@dataclass(frozen=True)
class Selection:
    """What a dead letter must be like; whatever is None or empty is not asked. Times are in milliseconds."""

    reasons: frozenset[str] = frozenset()
    project: str | None = None
    company: str | None = None
    topic: str | None = None
    source_partition: int | None = None
    source_offsets: Range | None = None
    since: int | None = None
    until: int | None = None
    key: bytes | None = None
    partition: int | None = None
    offsets: Range | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is asked."""
        return self == Selection()

    def takes(self, dead_letter: StoredDeadLetter, reason: str) -> bool:
        """Whether this dead letter is meant; `reason` is the one that counts today."""
        if self.reasons and reason not in self.reasons:
            return False
        if self.project not in (None, dead_letter.project) or self.company not in (None, dead_letter.company):
            return False
        if self.partition is not None and dead_letter.partition != self.partition:
            return False
        if self.offsets is not None and dead_letter.offset not in self.offsets:
            return False
        if self.key is not None and dead_letter.key != self.key:
            return False
        if self.since is not None and dead_letter.timestamp < self.since:
            return False
        if self.until is not None and dead_letter.timestamp >= self.until:
            return False
        return self._takes_origin(dead_letter.origin)

    def _takes_origin(self, origin: Origin | None) -> bool:
        if self.topic is None and self.source_partition is None and self.source_offsets is None:
            return True
        return (
            origin is not None
            and self.topic in (None, origin.topic)
            and self.source_partition in (None, origin.partition)
            and (self.source_offsets is None or origin.offset in self.source_offsets)
        )


def read_time(text: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Milliseconds since 1970 of a date, a time of a day (UTC without a zone), or so long ago. Raises ValueError."""
    ago = AGO.fullmatch(text)
    if ago:
        try:
            moment = now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            moment = datetime.min.replace(tzinfo=UTC)
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            allowed = "a time such as 2026-08-21, 2026-08-21T14:30, 2026-08-21T14:30:00+02:00, or 90m, 2h, 7d ago"
            raise ValueError(f"{text!r} is not {allowed}") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def read_patience(text: str) -> float:
    """Seconds of a duration such as 90s or 5m. Raises ValueError."""
    try:
        return float(str(duration("1s", "24h").read(text)))
    except Wrong as wrong:
        raise ValueError(f"{text!r} is not {wrong}") from None


def read_range(text: str) -> Range:
    """`5`, `5-9`, `5-` or `-9`. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,18})|(\d{0,18})-(\d{0,18})", text, re.ASCII)
    if match is None or text == "-":
        raise ValueError(f"{text!r} is not a range of offsets such as 5, 5-9, 5- or -9")
    if match[1]:
        return Range(int(match[1]), int(match[1]))
    chosen = Range(int(match[2] or 0), int(match[3] or LAST))
    if chosen.first > chosen.last:
        raise ValueError(f"{text!r} ends before it begins")
    return chosen


def read_place(text: str) -> tuple[int, int]:
    """`PARTITION:OFFSET` of the dead-letter topic. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,9}):(\d{1,18})", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not PARTITION:OFFSET of the dead-letter topic, such as 0:1042")
    return int(match[1]), int(match[2])


def read_origin(text: str) -> Origin:
    """`TOPIC:PARTITION:OFFSET` of the source. Raises ValueError."""
    match = re.fullmatch(r"([^:]+):(\d{1,9}):(\d{1,18})", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not TOPIC:PARTITION:OFFSET, such as group-changes:0:1042")
    return Origin(match[1], int(match[2]), int(match[3]))
