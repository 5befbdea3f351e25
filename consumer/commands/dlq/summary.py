"""Counts of dead letters, in memory that does not grow with them."""

import heapq
from dataclasses import dataclass, field
from typing import Final

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.event.model import DEFAULT
from consumer.kafka.dead_letter_format import DETAIL, ERROR

MOST_ROWS: Final = 500
OTHERS: Final = "(others)"
NONE: Final = "(none)"
# How wide a row of time may be, in milliseconds, each a multiple of the one before.
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WIDTHS: Final = (MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 28 * DAY, 364 * DAY, 36_400 * DAY)
MOST_TIMES: Final = 24
LATEST: Final = 253_402_300_799_999  # the end of the year 9999: what is later is no time


@dataclass
class Count:
    """Dead letters, how many of them no replay has settled, from when to when; times are -1 where none is."""

    dead_letters: int = 0
    open: int = 0
    oldest: int = -1
    newest: int = -1

    def add(self, timestamp: int, is_open: bool) -> None:
        """One more."""
        self.dead_letters += 1
        self.open += is_open
        if timestamp >= 0:
            self.oldest = timestamp if self.oldest < 0 else min(self.oldest, timestamp)
            self.newest = max(self.newest, timestamp)

    def merge(self, other: "Count") -> None:
        """All of another's."""
        self.dead_letters += other.dead_letters
        self.open += other.open
        self.newest = max(self.newest, other.newest)
        known = [time for time in (self.oldest, other.oldest) if time >= 0]
        self.oldest = min(known, default=-1)


@dataclass
class NamedCounts:
    """One count for each name; beyond `MOST_ROWS` names the rest is one."""

    rows: dict[str, Count] = field(default_factory=dict)

    def add(self, name: str, timestamp: int, is_open: bool) -> None:
        """One more of this name."""
        row = self.rows.get(name)
        if row is None:
            if len(self.rows) >= MOST_ROWS:
                name = OTHERS
            row = self.rows.setdefault(name, Count())
        row.add(timestamp, is_open)

    def newest_first(self) -> list[tuple[str, Count]]:
        """The rows, the one with the newest dead letter first."""
        return sorted(self.rows.items(), key=lambda row: (-row[1].newest, -row[1].dead_letters, row[0]))


class Times:
    """One count for each stretch of time; the stretches grow wider so that there are never more than `MOST_TIMES`."""

    def __init__(self) -> None:
        self._width = 0  # which of WIDTHS
        self._rows: dict[int, Count] = {}
        self.undated = Count()

    @property
    def width(self) -> int:
        """How long a stretch is, in milliseconds."""
        return WIDTHS[self._width]

    def add(self, timestamp: int, is_open: bool) -> None:
        """One more at this time."""
        if not 0 <= timestamp <= LATEST:
            self.undated.add(timestamp, is_open)
            return
        self._rows.setdefault(timestamp // self.width, Count()).add(timestamp, is_open)
        while len(self._rows) > MOST_TIMES and self._width < len(WIDTHS) - 1:
            self._widen()

    def newest_first(self) -> list[tuple[int, Count]]:
        """Each stretch by its beginning."""
        return [(begin * self.width, count) for begin, count in sorted(self._rows.items(), reverse=True)]

    def _widen(self) -> None:
        narrow, rows = self.width, self._rows
        self._width += 1
        self._rows = {}
        for begin, count in rows.items():
            self._rows.setdefault(begin * narrow // self.width, Count()).merge(count)


@dataclass(frozen=True, order=True)
class NewestDeadLetter:
    """One dead letter of the newest ones."""

    timestamp: int
    offset: int
    partition: int
    reason: str
    origin: str
    message: str
    state: str


class DeadLetterSummary:
    """What `dlq list` shows: counts by reason, project, company, origin, schema and time; the newest dead letters."""

    def __init__(self, keep: int) -> None:
        self.total = Count()
        self.reasons = NamedCounts()
        self.projects = NamedCounts()
        self.companies = NamedCounts()
        self.topics = NamedCounts()
        self.schemas = NamedCounts()
        self.times = Times()
        self._keep = keep
        self._newest: list[NewestDeadLetter] = []

    def add(self, dead_letter: StoredDeadLetter, reason: str, state: str) -> None:
        """One more dead letter; `state` is empty for one that no replay has touched."""
        is_open = state != "settled" and dead_letter.origin is not None
        timestamp = dead_letter.timestamp
        self.total.add(timestamp, is_open)
        self.reasons.add(reason, timestamp, is_open)
        self.projects.add(dead_letter.project or NONE, timestamp, is_open)
        self.companies.add(dead_letter.company or NONE, timestamp, is_open)
        self.topics.add(dead_letter.origin.topic if dead_letter.origin else NONE, timestamp, is_open)
        self.schemas.add(dead_letter.schema or NONE, timestamp, is_open)
        self.times.add(timestamp, is_open)
        line = NewestDeadLetter(
            timestamp,
            dead_letter.offset,
            dead_letter.partition,
            reason,
            str(dead_letter.origin or NONE),
            dead_letter.text(ERROR) or dead_letter.text(DETAIL),
            state,
        )
        if len(self._newest) < self._keep:
            heapq.heappush(self._newest, line)
        elif self._keep and line > self._newest[0]:
            heapq.heapreplace(self._newest, line)

    @property
    def of_several(self) -> bool:
        """Whether any dead letter is of another project than the default one."""
        return not self.projects.rows.keys() <= {DEFAULT, NONE}

    @property
    def of_companies(self) -> bool:
        """Whether any dead letter is of a company's group."""
        return not self.companies.rows.keys() <= {NONE}

    def newest_first(self) -> list[NewestDeadLetter]:
        """The newest dead letters."""
        return sorted(self._newest, reverse=True)
