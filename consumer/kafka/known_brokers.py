"""Whether a client still knows of a broker: one that knows of none never connects again, and is to be replaced.

A broker that stops may answer that its cluster has no brokers. librdkafka (2.16, its issue 5301) then forgets those
that it knew, at times its bootstrap servers too, and waits for ever.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

# Reports in a row: a client that goes back to its bootstrap servers may know of none for a moment.
SEVERAL: Final = 3
REPORT_MS: Final = 2000
WHY: Final = "the client knows of no broker any more, and would never connect again"


class KnownBrokers:
    """Fed with a client's regular reports on itself."""

    def __init__(self) -> None:
        self._reports_without = 0

    def told(self, config: Mapping[str, object]) -> dict[str, Any]:
        """The configuration of a client that reports to this."""
        return {**config, "stats_cb": self.report, "statistics.interval.ms": REPORT_MS}

    def report(self, text: str) -> None:
        """The client's `stats_cb`."""
        self.figures(orjson.loads(text))

    def figures(self, figures: dict[str, Any]) -> None:
        """A report that is parsed already."""
        known = any(broker["source"] != "logical" for broker in figures["brokers"].values())
        self._reports_without = 0 if known else self._reports_without + 1

    def none(self) -> bool:
        """Whether the client knows of no broker."""
        return self._reports_without >= SEVERAL
