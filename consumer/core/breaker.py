"""The flood breaker: rejects in a sliding minute, against all that went through the same stage.

A record is rejected before it is sent, or by Mixpanel. How many pass is measured at each of the two stages
apart, and a record has to pass both: records still on their way to Mixpanel must not make a few bad ones among
them look like a flood.
"""

from collections import deque
from typing import Final, final

WINDOW: Final = 60.0
REJECTS: Final = 1_000
# With fewer answers than these, Mixpanel is taken to accept everything.
SAMPLE: Final = 100

# What is counted, each in its place of a bucket.
ADMITTED: Final = 0  # decoded and converted
UNREADABLE: Final = 1  # rejected before that
ACCEPTED: Final = 2  # by Mixpanel
REFUSED: Final = 3  # by Mixpanel


@final
class Breaker:
    """Open once at least 1,000 rejects in 60 s are at least half of what was settled; it never closes again.

    `ambiguous_add` and `quarantined` are not counted by the caller: they say nothing of the records.
    """

    __slots__ = ("_bucket", "_buckets", "_second", "_seconds", "_totals", "enabled", "open")

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.open = False
        self._seconds: deque[int] = deque()
        self._buckets: deque[list[int]] = deque()
        self._second = -1  # the last of them, and its bucket: each record is counted
        self._bucket = [0, 0, 0, 0]
        self._totals = [0, 0, 0, 0]

    def count(self, what: int, count: int, now: float) -> None:
        """So many records were `ADMITTED`, `UNREADABLE`, `ACCEPTED` or `REFUSED`."""
        second = int(now)
        if second != self._second:
            self._begin(second)
        self._bucket[what] += count
        totals = self._totals
        totals[what] += count
        if not self.enabled or self.open or (what != UNREADABLE and what != REFUSED):
            return
        self.open = self.rejects() >= REJECTS and not self._most_pass()

    def _most_pass(self) -> bool:
        """Whether more than half of the records pass both stages."""
        admitted, unreadable, accepted, refused = self._totals
        read = admitted + unreadable
        sent = accepted + refused
        if read == 0:
            admitted = read = 1
        if sent < SAMPLE:
            accepted = sent = 1
        return 2 * admitted * accepted > read * sent

    def rejects(self) -> int:
        """How many rejects the last minute had."""
        return self._totals[UNREADABLE] + self._totals[REFUSED]

    def _begin(self, second: int) -> None:
        """Count this second; those older than the window are forgotten."""
        self._second = second
        self._bucket = [0, 0, 0, 0]
        self._seconds.append(second)
        self._buckets.append(self._bucket)
        while self._seconds[0] < second - WINDOW:
            self._seconds.popleft()
            for what, count in enumerate(self._buckets.popleft()):
                self._totals[what] -= count
