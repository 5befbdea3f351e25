"""Producers that say whether they can go on."""

import logging

from confluent_kafka import Producer

from consumer.kafka.clients import client
from consumer.kafka.known_brokers import KnownBrokers


class WatchedProducer(Producer):
    """librdkafka's producer; `known` says whether it still knows of a broker."""

    def __init__(self, config: dict[str, object]) -> None:
        self.known = KnownBrokers()
        super().__init__(self.known.told(config))


def made(config: dict[str, object]) -> WatchedProducer:
    """A producer. Raises `ClientFailed`."""
    return client(WatchedProducer, {**config, "logger": logging.getLogger("consumer.librdkafka")})
