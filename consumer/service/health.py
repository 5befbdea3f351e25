"""Whether the service lives, whether it can do its work, and what it waits for: see service/health_server.py."""

from collections.abc import Callable, Mapping

from consumer.service.status import starting

# A turn may wait for a broker that answers late, several times; a loop that hangs has no end.
STILL_AFTER = 60.0


class Health:
    """What the loop said last. Read from other threads; written by the loop alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._turned = clock()
        self.stuck = ""  # what only a restart helps; empty while there is nothing
        self.unready: tuple[str, ...] = ("starting",)
        self.status: Mapping[str, object] = starting()  # replaced as a whole

    def turned(self, now: float) -> None:
        """The loop has turned."""
        self._turned = now

    def observed(self, unready: tuple[str, ...], stuck: str, status: Mapping[str, object]) -> None:
        """What holds from now on; `stuck` and `unready` are empty where all is well."""
        self.unready = unready
        self.stuck = stuck
        self.status = status

    def still(self) -> tuple[str, ...]:
        """Why the service does not live; empty while it does."""
        seconds = self._clock() - self._turned
        if seconds > STILL_AFTER:
            return (f"the loop has not turned for {seconds:.0f} s",)
        return (self.stuck,) if self.stuck else ()
