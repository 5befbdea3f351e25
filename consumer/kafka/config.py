"""What the clients of Kafka are configured with: our defaults, the settings, and the properties file, in this order.

Each property of the file goes to the clients that know it, as librdkafka's CONFIGURATION.md says.
"""

from collections.abc import Mapping
from typing import Final

from consumer.kafka import msk
from consumer.kafka.clients import TOKENS
from consumer.kafka.project_mark import NAME, client_id
from consumer.settings import Settings

# Never the limit of a dead letter; the topic has one of its own.
LARGEST: Final = 1_000_000_000
# The largest response, and what a batch under zstd may take once decompressed.
LARGEST_RESPONSE: Final = 64 * 1024 * 1024
SESSION_MS: Final = 45_000

# Our defaults, all of which but those in settings_properties.FIXED the properties file may change.
CONSUMER: Final[Mapping[str, object]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # the source starts at the earliest, and sees where retention has torn a gap
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "max.poll.interval.ms": 300_000,
    "queued.min.messages": 10_000,
    "fetch.queue.backoff.ms": 10,  # without it a small queue caps the throughput at one queue a second
    "fetch.min.bytes": 32_768,  # a fetch for each few records costs more than the records ...
    "fetch.wait.max.ms": 40,  # ... and this is how much later one may come for it
    "fetch.max.bytes": 1024 * 1024,  # compressed: a response is kept whole until its last message is read ...
    "max.partition.fetch.bytes": 256 * 1024,  # ... and comes on top of the queue's limit
    "receive.message.max.bytes": LARGEST_RESPONSE,
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 5_000,
    "topic.metadata.refresh.interval.ms": 60_000,  # how soon new partitions are seen
}
# The group protocol of KIP-848 leaves these to the broker, and librdkafka refuses them there.
CLASSIC: Final[Mapping[str, object]] = {
    "partition.assignment.strategy": "cooperative-sticky",
    "heartbeat.interval.ms": 3_000,
}
PRODUCER: Final[Mapping[str, object]] = {
    "enable.idempotence": True,
    "acks": "all",
    "message.max.bytes": LARGEST,
    "compression.type": "lz4",
    "linger.ms": 5,
    "partitioner": "murmur2_random",  # where Java's producers put the same key
    "message.timeout.ms": 30_000,
    "topic.metadata.propagation.max.ms": 5_000,
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 5_000,
}
CONSUMER_ONLY: Final = frozenset(
    """group.id group.instance.id partition.assignment.strategy session.timeout.ms heartbeat.interval.ms
    group.protocol.type group.protocol group.remote.assignor coordinator.query.interval.ms max.poll.interval.ms
    enable.auto.commit auto.commit.interval.ms auto.commit.enable enable.auto.offset.store queued.min.messages
    queued.max.messages.kbytes fetch.wait.max.ms fetch.queue.backoff.ms fetch.message.max.bytes
    max.partition.fetch.bytes fetch.max.bytes fetch.min.bytes fetch.error.backoff.ms offset.store.method
    offset.store.path offset.store.sync.interval.ms isolation.level enable.partition.eof check.crcs
    max.poll.records share.acknowledgement.mode auto.offset.reset consume.callback.max.messages""".split()  # noqa: SIM905
)
PRODUCER_ONLY: Final = frozenset(
    """transactional.id transaction.timeout.ms enable.idempotence enable.gapless.guarantee
    queue.buffering.max.messages queue.buffering.max.kbytes queue.buffering.max.ms linger.ms
    message.send.max.retries retries queue.buffering.backpressure.threshold compression.codec compression.type
    compression.level batch.num.messages batch.size delivery.report.only.error sticky.partitioning.linger.ms
    request.required.acks acks request.timeout.ms message.timeout.ms delivery.timeout.ms queuing.strategy
    produce.offset.report partitioner msg_order_cmp""".split()  # noqa: SIM905
)
# Every client knows it, but a consumer with the default limits of what is fetched is not made below those.
OF_THE_SERVICE: Final = frozenset(("receive.message.max.bytes",))
# The other names of properties that have a default here: the file's must replace ours, not stand beside it.
ALIASES: Final = {
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
    "queue.buffering.max.ms": "linger.ms",
    "compression.codec": "compression.type",
    "delivery.timeout.ms": "message.timeout.ms",
    "sasl.mechanism": "sasl.mechanisms",
}


def consumer_config(settings: Settings) -> dict[str, object]:
    """For the one consumer of the service."""
    properties = settings.kafka_properties
    config = {**CONSUMER, "queued.max.messages.kbytes": prefetch_kbytes(settings.max_open_bytes)}
    if properties.get("group.protocol", "classic").lower() != "consumer":
        longest = int(properties.get("max.poll.interval.ms", SESSION_MS))
        config |= {**CLASSIC, "session.timeout.ms": min(SESSION_MS, longest)}
    config |= connection(settings) | {"client.id": client_id(settings)} | chosen(properties, PRODUCER_ONLY)
    return config | {"group.id": settings.kafka_group_id}


def producer_config(settings: Settings) -> dict[str, object]:
    """For whatever writes to Kafka: dead letters above all."""
    return {**PRODUCER, **connection(settings), **chosen(settings.kafka_properties, CONSUMER_ONLY)}


def admin_config(settings: Settings) -> dict[str, object]:
    """For looking at brokers, topics and groups: only how to connect."""
    return connection(settings) | chosen(settings.kafka_properties, CONSUMER_ONLY | PRODUCER_ONLY | OF_THE_SERVICE)


def connection(settings: Settings) -> dict[str, object]:
    """Where the brokers are and how to log in, as far as it is set."""
    config: dict[str, object] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol.lower(),
        "sasl.mechanisms": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password,
        "ssl.ca.location": settings.kafka_ssl_ca_location,
        "ssl.certificate.location": settings.kafka_ssl_certificate_location,
        "ssl.key.location": settings.kafka_ssl_key_location,
        "ssl.key.password": settings.kafka_ssl_key_password,
    }
    if settings.kafka_sasl_mechanism == msk.MECHANISM:
        config |= {"sasl.mechanisms": "OAUTHBEARER", TOKENS: msk.tokens(settings.kafka_bootstrap_servers)}
    return {"client.id": NAME} | {name: value for name, value in config.items() if value}


def chosen(properties: Mapping[str, str], foreign: frozenset[str]) -> dict[str, object]:
    """The properties of the file for a client that does not know the foreign ones."""
    return {ALIASES.get(name, name): value for name, value in properties.items() if name not in foreign}


def prefetch_kbytes(max_open_bytes: int) -> int:
    """A quarter of what may be open: librdkafka's queue is memory too."""
    return max(64, min(4_096, max_open_bytes // 4 // 1024))
