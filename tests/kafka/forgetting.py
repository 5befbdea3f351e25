"""Reports of a client on itself: with brokers, and as one makes them that was told that its cluster has none."""

import json

from consumer.kafka.known_brokers import SEVERAL, KnownBrokers

COORDINATOR = {"GroupCoordinator": {"nodeid": -1, "source": "logical", "state": "INIT"}}


def report(*sources: str) -> str:
    """Of one that knows such brokers, none of them connected."""
    brokers = {source: {"nodeid": -1, "source": source, "state": "DOWN"} for source in sources}
    return json.dumps({"brokers": COORDINATOR | brokers, "topics": {}})


def forget(known: KnownBrokers) -> None:
    """It knows of none from now on."""
    for _ in range(SEVERAL):
        known.report(report())
