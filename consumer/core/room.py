"""How much may be open: in all, and of each project.

Projects share the limits of open work. One alone may fill half of them, and those that stand (the last answer was a
fault) half together, so that the others have room however much waits for one that answers nothing.
"""

from typing import final

from consumer.core.limits import Limits


@final
class Open:
    """What is open, and whether that is too much.

    At a limit it is, until it is below half of it: pausing throws away what was prefetched.
    """

    __slots__ = ("_bytes", "_bytes_limit", "_full", "_limit", "_records")

    def __init__(self, records: int, size: int) -> None:
        self._limit = records
        self._bytes_limit = size
        self._records = 0
        self._bytes = 0
        self._full = False

    def add(self, records: int, size: int) -> None:
        """So many more records and bytes are open, or fewer."""
        self._records += records
        self._bytes += size

    def full(self, standing: "Open | None" = None) -> bool:
        """Whether it is too much now.

        Of what is `standing` nothing goes: reading goes on at half of the rest. Where it was more than its own limit
        when it began to stand, up to as much again does not count here.
        """
        records, size = self._records, self._bytes
        least, least_size = self._limit, self._bytes_limit
        if standing is not None:
            extra, extra_size = standing.extra(), standing.extra_bytes()
            records -= extra
            size -= extra_size
            least += standing._records - extra
            least_size += standing._bytes - extra_size
        if self._full:
            self._full = records * 2 >= least or size * 2 >= least_size
        else:
            self._full = records >= self._limit or size >= self._bytes_limit
        return self._full

    def extra(self) -> int:
        """The records beyond its limit, up to as many again."""
        return min(max(0, self._records - self._limit), self._limit)

    def extra_bytes(self) -> int:
        """The bytes beyond its limit, up to as many again."""
        return min(max(0, self._bytes - self._bytes_limit), self._bytes_limit)

    def left(self, standing: "Open | None" = None) -> int:
        """How many more records may be open before their limit is reached."""
        return max(0, self._limit - self._records + (standing.extra() if standing is not None else 0))


def half_of(limits: Limits) -> Open:
    """Room for half of what may be open."""
    return Open(max(1, limits.open_records // 2), max(1, limits.open_bytes // 2))


@final
class Share:
    """What one project has open in its lanes, update by update; `stands` says that its last answer was a fault."""

    __slots__ = ("_bytes", "_own", "_records", "_standing", "stands")

    def __init__(self, limits: Limits, standing: Open | None) -> None:
        """`standing` is what all have open that stand; None where there is one project alone, which has all."""
        self._own = half_of(limits)
        self._standing = standing
        self._records = 0
        self._bytes = 0
        self.stands = False

    def add(self, records: int, size: int) -> None:
        """So many more are open, or fewer."""
        self._records += records
        self._bytes += size
        self._own.add(records, size)
        if self.stands and self._standing is not None:
            self._standing.add(records, size)

    def bytes_of(self, records: int) -> int:
        """The bytes of so many of them, as they are in the middle."""
        return records * self._bytes // max(1, self._records)

    def turn(self, stands: bool) -> None:
        """It stands from now on, or goes on."""
        if stands == self.stands:
            return
        self.stands = stands
        sign = 1 if stands else -1
        if self._standing is not None:
            self._standing.add(sign * self._records, sign * self._bytes)

    def full(self) -> bool:
        """Whether nothing more of this project is to be taken in now, for the sake of the others."""
        if self._standing is None:
            return False
        return self._own.full() or (self.stands and self._standing.full())
