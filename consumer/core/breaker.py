"""The flood breaker: rejects in a sliding minute, against all that went through the same stage.

A record is rejected before it is sent, or by Mixpanel. How many pass is measured at each of the two stages
apart, and a record has to pass both: records still on their way to Mixpanel must not make a few bad ones among
them look like a flood.
"""

from array import array
from typing import Final, final

WINDOW: Final = 60  # seconds, and the current one
SECONDS: Final = WINDOW + 1
REJECTS: Final = 1_000
# With fewer answers than these, Mixpanel is taken to accept everything.
SAMPLE: Final = 100

# What is counted.
ADMITTED: Final = 0  # decoded and converted
UNREADABLE: Final = 1  # rejected before that
ACCEPTED: Final = 2  # by Mixpanel
REFUSED: Final = 3  # by Mixpanel
KINDS: Final = 4


@final
class Breaker:
    """Open once at least 1,000 rejects in 60 s are at least half of what was settled; it never closes again.

    `ambiguous_add` and `quarantined` are not counted by the caller: they say nothing of the records.
    """

    __slots__ = ("_accepted", "_admitted", "_begun", "_refused", "_second", "_unreadable", "enabled", "open")

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.open = False
        self._second = -1  # the last in which something was counted
        self._admitted = 0  # ever, as the other three
        self._unreadable = 0
        self._accepted = 0
        self._refused = 0
        # The four as each second of the window began. In one piece, made now: objects made while much is open hold
        # what was around them for as long as they live.
        self._begun = array("q", bytes(8 * KINDS * SECONDS))

    def count(self, what: int, count: int, now: float) -> None:
        """So many records were `ADMITTED`, `UNREADABLE`, `ACCEPTED` or `REFUSED`."""
        second = int(now)
        if second != self._second:
            self._begin(second)
        if what == ADMITTED:
            self._admitted += count
            return
        if what == ACCEPTED:
            self._accepted += count
            return
        if what == UNREADABLE:
            self._unreadable += count
        else:
            self._refused += count
        if not self.enabled or self.open:
            return
        self.open = self.rejects() >= REJECTS and not self._most_pass()

    def _most_pass(self) -> bool:
        """Whether more than half of the records pass both stages."""
        admitted = self._admitted - self._before(ADMITTED)
        read = admitted + self._unreadable - self._before(UNREADABLE)
        accepted = self._accepted - self._before(ACCEPTED)
        sent = accepted + self._refused - self._before(REFUSED)
        if read == 0:
            admitted = read = 1
        if sent < SAMPLE:
            accepted = sent = 1
        return 2 * admitted * accepted > read * sent

    def rejects(self) -> int:
        """How many rejects the last minute had."""
        return self._unreadable + self._refused - self._before(UNREADABLE) - self._before(REFUSED)

    def _before(self, what: int) -> int:
        """How many there were before the window."""
        oldest = (self._second - WINDOW) % SECONDS
        return self._begun[oldest * KINDS + what]

    def _begin(self, second: int) -> None:
        """Count this second; nothing was counted in those since the last one."""
        counts = array("q", (self._admitted, self._unreadable, self._accepted, self._refused))
        for passed in range(max(self._second, second - SECONDS) + 1, second + 1):
            place = passed % SECONDS * KINDS
            self._begun[place : place + KINDS] = counts
        self._second = second
