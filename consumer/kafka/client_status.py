"""What is known of the broker and of the group: for readiness, and for one line in the log when it changes."""

import logging
from collections.abc import Callable

import orjson
from confluent_kafka import KafkaError

from consumer.kafka.assignments import Place
from consumer.kafka.known_brokers import KnownBrokers

log = logging.getLogger("consumer.source")

ADVICE = {
    KafkaError._ALL_BROKERS_DOWN: (
        "no broker can be reached: check KAFKA_BOOTSTRAP_SERVERS, the network, KAFKA_SECURITY_PROTOCOL, and"
        " KAFKA_SSL_CERTIFICATE_LOCATION where the broker wants a client certificate"
    ),
    KafkaError._TRANSPORT: "a connection to a broker failed",
    KafkaError._RESOLVE: "a broker's host has no address: check KAFKA_BOOTSTRAP_SERVERS",
    KafkaError._AUTHENTICATION: (
        "the broker refused the credentials: check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"
    ),
    KafkaError._SSL: (
        "TLS failed: check KAFKA_SSL_CA_LOCATION, that the certificate is the broker's, and"
        " KAFKA_SSL_CERTIFICATE_LOCATION where the broker wants a client certificate"
    ),
    KafkaError.UNKNOWN_TOPIC_OR_PART: "a topic of KAFKA_TOPICS does not exist: it is read once it is created",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "no right to read a topic of KAFKA_TOPICS",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "no right to use the group KAFKA_GROUP_ID",
}
# With OAUTHBEARER, by who refused what.
REFUSED = "the broker refused the token: check KAFKA_SASL_MECHANISM, and what the broker lets this client's role do"
NONE = "no token to log in with: check KAFKA_SASL_MECHANISM, and sasl.oauthbearer.* of KAFKA_PROPERTIES_FILE"
ASKING = "Failed to acquire SASL OAUTHBEARER token"
# What is over once any broker is connected; other trouble is, once partitions are assigned.
CONNECTING = frozenset(
    (KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._AUTHENTICATION, KafkaError._SSL)
)
# Single connections come and go; the client says when all of them are gone.
QUIET = frozenset((KafkaError._TRANSPORT, KafkaError._TIMED_OUT))


# Where joining may stand: no coordinator is known, the group cannot be asked for, or it is joined.
AT_REST = frozenset(("", "init", "steady"))


class ClientStatus:
    """`joined` once the group has given an assignment, an empty one too; `broker` while any broker is connected.

    `known` says whether the client still knows of any broker. `ends` has, of each partition that is fetched, the last
    stable offset and the end, as of the last report.
    """

    def __init__(self, *, tokens: bool, clock: Callable[[], float], patience: float) -> None:
        """`tokens` says that the client logs in with tokens in the place of a password.

        Joining may stand in one state for `patience` seconds.
        """
        self._tokens = tokens
        self._clock = clock
        self._patience = patience
        self._join_state = ""
        self._join_since = 0.0
        self.joined = False
        self.broker = False
        self.known = KnownBrokers()
        self.ends: dict[Place, tuple[int, int]] = {}
        self._trouble: KafkaError | None = None  # what was logged last; None while all is well
        self._words = ""  # as it was logged
        self._topics: set[str] = set()  # of which it was logged
        self._last = ""  # of a single connection

    def error(self, error: KafkaError, topic: str = "") -> None:
        """The client met an error that it goes on trying to overcome; `topic` is the one that it is of."""
        code = error.code()
        if code == KafkaError._ALL_BROKERS_DOWN:
            self.broker = False
        advice = ADVICE.get(code, error.str())
        token = self._tokens and code == KafkaError._AUTHENTICATION
        if token:
            advice = NONE if ASKING in error.str() else REFUSED
        if code in QUIET:
            self._last = error.str()
            log.debug("kafka: %s", advice, extra={"cause": error.name()})
        elif (
            self._trouble is None
            or self._trouble.code() != code
            or (token and self._words != advice)
            or (topic and topic not in self._topics)
        ):
            self._trouble, self._words = error, advice
            self._topics.add(topic)
            extra = {"cause": error.name()} | ({"topic": topic} if topic else {})
            log.warning("kafka: %s", advice, extra=extra | {"last": self._last} if self._last else extra)

    def assigned(self, partitions: int) -> None:
        """The group gave an assignment."""
        self.joined = True
        if partitions:
            self._well()

    def left(self) -> None:
        """The client leaves the group, and another one takes its place."""
        self.joined = self.broker = False
        self.known = KnownBrokers()

    def statistics(self, text: str) -> None:
        """The client's regular report on itself."""
        figures = orjson.loads(text)
        self.known.figures(figures)
        up = any(broker["state"] == "UP" and broker["nodeid"] >= 0 for broker in figures["brokers"].values())
        if up and not self.broker:
            log.info("kafka: connected to a broker")
        if up and self._trouble is not None and self._trouble.code() in CONNECTING:
            self._well()
        self.broker = up
        group = figures.get("cgrp", {})
        state = str(group.get("join_state", "")) if up and group.get("state") == "up" else ""
        if state != self._join_state:
            self._join_state, self._join_since = state, self._clock()
        self.ends = {
            (topic, number): (partition["ls_offset"], partition["hi_offset"])
            for topic, all_of_it in figures["topics"].items()
            for partition in all_of_it["partitions"].values()
            if (number := partition["partition"]) >= 0 and partition["fetch_state"] == "active"
        }

    def stuck(self) -> str:
        """Why the client has to be recreated: joining the group stands in one state; empty while it does not."""
        seconds = self._clock() - self._join_since
        if self._join_state in AT_REST or seconds < self._patience:
            return ""
        return f"joining the group has stood at {self._join_state} for {seconds:.0f} s"

    def _well(self) -> None:
        if self._trouble is not None:
            log.info("kafka: well again", extra={"was": self._trouble.name()})
            self._trouble = None
            self._topics.clear()
