"""What goes wrong when the brokers are asked, and what to do about it."""

import logging
from typing import Final

from confluent_kafka import KafkaError

# What the client tells of on the side, the most telling first, with what to do about it.
ADVICE: Final = {
    KafkaError._AUTHENTICATION: "the brokers refuse the login: check KAFKA_SASL_MECHANISM, user, password or role",
    KafkaError._SSL: "TLS fails: check KAFKA_SECURITY_PROTOCOL and the KAFKA_SSL_ settings",
    KafkaError._RESOLVE: "a name does not resolve: check KAFKA_BOOTSTRAP_SERVERS and what the brokers advertise",
    KafkaError._TRANSPORT: "no connection: check KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL, and the brokers",
}
# A cluster in which no group ever was makes the topic of their offsets first.
NO_COORDINATOR: Final = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)


class BrokerError(Exception):
    """The brokers gave no answer of use. `code` is librdkafka's; the message says what to do."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class Denied(BrokerError):
    """This user may not know, or not do, this."""


class Missing(BrokerError):
    """There is no such topic."""


class Overheard(logging.Handler):
    """What the client says on the side, which often tells why: errors, and the last line of its log. Shows none."""

    def __init__(self) -> None:
        super().__init__()
        self.logger = logging.Logger("consumer.brokers")  # noqa: LOG001  # of this connection alone
        self.logger.addHandler(self)
        self._told: dict[int, str] = {}
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self._last = record.getMessage()

    def hear(self, error: KafkaError) -> None:
        """Keep the error."""
        self._told[error.code()] = error.str()

    def refuses_login(self) -> bool:
        """Whether the brokers refuse the login: there is nothing to wait for."""
        return KafkaError._AUTHENTICATION in self._told

    def error(self, error: KafkaError) -> BrokerError:
        """What the brokers' or the client's error means to a person."""
        if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            return Denied("this user may not even describe it", error.code())
        if error.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return Denied("this user may not describe the cluster", error.code())
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return Missing("there is no such topic", error.code())
        if error.code() in NO_COORDINATOR:
            return BrokerError("the brokers have no coordinator for groups yet: try again", error.code())
        return self.why(error.str())

    def why(self, otherwise: str) -> BrokerError:
        """The most telling of what was heard on the side; or else `otherwise`."""
        for code, advice in ADVICE.items():
            if code in self._told:
                return BrokerError(f"{advice} ({brief(self._told[code])})", code)
        advice = "no answer from the brokers: check KAFKA_BOOTSTRAP_SERVERS and KAFKA_SECURITY_PROTOCOL"
        return BrokerError(f"{advice} ({brief(self._last) or otherwise})")


def brief(text: str) -> str:
    """librdkafka's words without the client's name, its thread and its timing."""
    return text.rpartition("]: ")[2].partition(" (after ")[0].strip()
