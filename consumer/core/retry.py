"""How long to wait after each kind of fault, and how often to try: pure functions of attempts, and one budget.

    kind        what                                        first retry            then
    TRANSIENT   reset, time-out, 408, 500, 504, unreadable  at once, while most    after twice as long each time; if
                                                            requests succeed       most fail 1 to 2 s, doubling to 30
    OVERLOAD    502, 503                                    at once, within the    so, too, in the budget; else 2 s
                                                            budget                 doubling to 60 s, and 1 to 5 s
    CAPACITY    429, 503 with Retry-After                   as asked, else 2 s     doubling to 60 s, and 1 to 5 s;
                                                                                   the whole destination waits
    HALTING     401, 403, 404, ...                          a probe at once,       a probe after 5 to 10 s, and again
                                                            within the budget
    (suspect)   a request that is met by its fault alone    5 s                    doubling to 120 s

Mixpanel asks for 2 s doubling to 60 s with 1 to 5 s of jitter for 429, 502 and 503 (DOC: troubleshooting/errors/429).
"""

from typing import Final, final

TRANSIENT: Final = 0
OVERLOAD: Final = 1
CAPACITY: Final = 2
HALTING: Final = 3

# A retry at once: long enough for a new connection to be made, in seconds.
AT_ONCE: Final = 0.02
FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 30.0
LONGEST_CAPACITY_WAIT: Final = 60.0
# A longer Retry-After is a mistake of a proxy, not a wish of Mixpanel.
LONGEST_RETRY_AFTER: Final = 3600.0
PROBE_AFTER: Final = 5.0
FIRST_SUSPECT_WAIT: Final = 5.0
LONGEST_SUSPECT_WAIT: Final = 120.0

# One retry at once of an overload for ten requests that succeed, and so many saved up.
RETRY_SHARE: Final = 0.1
SAVED_RETRIES: Final = 10.0
# How fast the share of requests that succeed is forgotten: over about so many answers.
MEMORY: Final = 32.0


@final
class RetryBudget:
    """What the last answers allow: whether most requests succeed, and how many retries at once are left."""

    __slots__ = ("_left", "_success")

    def __init__(self) -> None:
        self._success = 1.0
        self._left = SAVED_RETRIES

    def succeeded(self) -> None:
        """A request was answered."""
        self._success += (1.0 - self._success) / MEMORY
        self._left = min(SAVED_RETRIES, self._left + RETRY_SHARE)

    def failed(self) -> None:
        """A request failed."""
        self._success -= self._success / MEMORY

    @property
    def most_succeed(self) -> bool:
        """Whether more than half of the last requests succeeded."""
        return self._success > 0.5

    def spend(self) -> bool:
        """Take one retry at once out of the budget; False where there is none."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def transient_wait(attempt: int, soon: bool, jitter: float) -> float:
    """Before the next attempt after so many that failed: `soon`, or in time; `jitter` is in [0, 1)."""
    longest = min(LONGEST_WAIT, doubled(FIRST_WAIT, attempt))
    wait = longest / 2 + jitter * longest / 2
    return min(wait, doubled(AT_ONCE, attempt) * (1.0 + jitter)) if soon else wait


def capacity_wait(attempt: int, asked: float | None, jitter: float) -> float:
    """What Retry-After asked for; else as Mixpanel does."""
    if asked is not None:
        return min(max(asked, 0.5), LONGEST_RETRY_AFTER)
    return min(LONGEST_CAPACITY_WAIT, doubled(FIRST_WAIT, attempt)) + 1.0 + 4.0 * jitter


def suspect_wait(attempt: int) -> float:
    """Before a request that its fault meets alone is tried again."""
    return min(LONGEST_SUSPECT_WAIT, doubled(FIRST_SUSPECT_WAIT, attempt))


def probe_wait(jitter: float) -> float:
    """Before a halted destination is asked again."""
    return PROBE_AFTER * (1.0 + jitter)


def doubled(first: float, attempt: int) -> float:
    """The wait after so many attempts, each twice as long as the one before."""
    return first * 2.0 ** min(max(attempt - 1, 0), 10)
