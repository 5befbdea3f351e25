"""`KAFKA_PROPERTIES_FILE`: any librdkafka property but those that a promise rests on, or that a setting sets.

A line is `key=value`, a comment (`#`, `!`) or blank. A value is taken as it stands, without quotes and escapes;
only in properties that hold a PEM does `\\n` mean a line break. Whether librdkafka knows a property and takes
its value, librdkafka itself is asked.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from consumer.settings.values import reason

SECRET: Final = re.compile(
    r"password|passphrase|secret|jaas|\.pem$|^sasl\.oauthbearer\.(config|extensions)$|^ssl_key$"
)
HIDDEN: Final = "********"
MAX_FILE: Final = 1024 * 1024

COMMITS: Final = "an offset is committed only when everything before it is settled"
CONFIRMED: Final = "a dead letter counts only when all replicas have confirmed it"
# What the promises rest on, each with why.
FIXED: Final = {
    "enable.auto.commit": COMMITS,
    "auto.commit.enable": COMMITS,
    "auto.commit.interval.ms": COMMITS,
    "enable.auto.offset.store": COMMITS,
    "offset.store.method": COMMITS,
    "offset.store.path": COMMITS,
    "offset.store.sync.interval.ms": COMMITS,
    "auto.offset.reset": "the service starts at the earliest record, and reports a gap that retention has torn",
    "enable.partition.eof": "the service commits past what holds no record at the end of a partition",
    "group.protocol.type": "the service is a consumer group",
    "acks": CONFIRMED,
    "request.required.acks": CONFIRMED,
    "enable.idempotence": CONFIRMED,
    "enable.gapless.guarantee": CONFIRMED,
    "delivery.report.only.error": CONFIRMED,
    "transactional.id": CONFIRMED,
    "queuing.strategy": CONFIRMED,
    "message.max.bytes": "a dead letter is never refused by its own producer",
    "statistics.interval.ms": "the metrics and the readiness need it",
    "enabled_events": "the service takes events as callbacks",
    "log.queue": "the service writes librdkafka's lines to its own log",
}
# What a setting sets.
SET_BY: Final = {
    "bootstrap.servers": "KAFKA_BOOTSTRAP_SERVERS",
    "metadata.broker.list": "KAFKA_BOOTSTRAP_SERVERS",
    "group.id": "KAFKA_GROUP_ID",
}
# What may stand in the file, but not beside its setting.
SETTING_OF: Final = {
    "security.protocol": "KAFKA_SECURITY_PROTOCOL",
    "sasl.mechanism": "KAFKA_SASL_MECHANISM",
    "sasl.mechanisms": "KAFKA_SASL_MECHANISM",
    "sasl.username": "KAFKA_SASL_USERNAME",
    "sasl.password": "KAFKA_SASL_PASSWORD",
    "ssl.ca.location": "KAFKA_SSL_CA_LOCATION",
    "ssl.certificate.location": "KAFKA_SSL_CERTIFICATE_LOCATION",
    "ssl.key.location": "KAFKA_SSL_KEY_LOCATION",
    "ssl.key.password": "KAFKA_SSL_KEY_PASSWORD",
}
# What an empty value means to Java's clients, in librdkafka's words.
EMPTY: Final = {"ssl.endpoint.identification.algorithm": "none"}
# The properties that a client of its own reads, not librdkafka: they are functions.
FUNCTIONS: Final = ("logger", "default.topic.config", "on_delivery", "on_commit")
# What librdkafka refuses beside `group.protocol=consumer`, as the broker decides it there.
BROKER_SIDE: Final = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")


def read_properties(path: str) -> tuple[dict[str, str], list[str]]:
    """The properties of the file, and every problem that can be seen in it alone."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE + 1)
        text = content.decode("utf-8-sig")
    except OSError as failure:
        return {}, [f"{path}: cannot be read ({reason(failure)})"]
    except UnicodeDecodeError:
        return {}, [f"{path}: is not UTF-8 text"]
    if len(content) > MAX_FILE:
        return {}, [f"{path}: is larger than 1 MiB, which is no properties file"]
    properties: dict[str, str] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#!":
            continue
        name, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals or not name or re.search(r"\s", name):
            problems.append(f"{path}, line {number}: is not key=value")
        elif name in lines:
            problems.append(f"{path}, line {number}: {name} stands in line {lines[name]} already")
        else:
            lines[name] = number
            properties[name] = value.replace("\\n", "\n") if name.endswith(".pem") else value or EMPTY.get(name, "")
    problems += [f"{path}, line {lines[name]}: {wrong}" for name, wrong in refused(properties).items()]
    return properties, problems


def refused(properties: Mapping[str, str]) -> dict[str, str]:
    """By name, what is wrong with each property that cannot stand."""
    problems: dict[str, str] = {}
    for name, value in properties.items():
        if name in SET_BY:
            problems[name] = f"{name} is set by {SET_BY[name]}"
        elif name in FIXED:
            problems[name] = f"{name} cannot be changed: {FIXED[name]}"
        elif name.endswith("_cb") or name in FUNCTIONS:
            problems[name] = f"{name} is a function of a program, not a property"
        elif not value:
            problems[name] = f"{name} has no value"
        elif name in BROKER_SIDE and properties.get("group.protocol", "").lower() == "consumer":
            problems[name] = f"{name} has no place beside group.protocol=consumer, where the broker decides it"
        else:
            wrong = asked(name, value)
            if wrong:
                problems[name] = wrong
    return problems


def asked(name: str, value: str) -> str:
    """What librdkafka says against the property alone; empty where it takes it."""
    from confluent_kafka import KafkaException, Producer

    try:
        # A producer without brokers takes the properties of consumers too, and connects to nothing.
        Producer({name: value}, logger=silent())
    except KafkaException as failure:
        return said(failure, name, value)
    except (TypeError, ValueError, AttributeError):
        return f"{name} is a function of a program, not a property"
    return ""


def said(failure: Exception, name: str, value: str) -> str:
    """librdkafka's own words, without a secret."""
    message = " ".join(str(failure.args[0].str()).split())
    if message.startswith("Failed to create"):
        return ""  # it lacks another property; all of them together are asked about later
    if message.startswith("No such configuration property"):
        return f"{name} is no property of librdkafka"
    if is_secret(name):
        message = message.replace(value, HIDDEN)
    elif f'"{value}"' not in message:
        message = f'{message} (it is "{value}")'
    return message if name in message else f"{name}: {message}"


def silent() -> logging.Logger:
    """A logger for clients that only look at their configuration."""
    logger = logging.getLogger("consumer.silent")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def shown(name: str, value: object) -> str:
    """The property's value as it may be shown."""
    return HIDDEN if is_secret(name) else str(value)


def is_secret(name: str) -> bool:
    """Whether the property's value must not be shown."""
    return bool(SECRET.search(name))
