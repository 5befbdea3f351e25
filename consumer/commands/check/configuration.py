"""A topic's configuration, as far as this user may see it."""

from collections.abc import Mapping

from consumer.kafka.broker_errors import BrokerError
from consumer.kafka.brokers import Brokers


def configuration(brokers: Brokers, topic: str) -> Mapping[str, str] | None:
    """The topic's configuration; None where it may not be seen."""
    try:
        return brokers.config(topic)
    except BrokerError:
        return None
