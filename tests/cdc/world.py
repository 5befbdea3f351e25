"""All of it together: PostgreSQL, Connect with a connector for each mode, Kafka, a real registry, a Mixpanel."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from confluent_kafka import Consumer, TopicPartition

from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from tests.cdc.columns import MODES, TIER
from tests.cdc.connect import Connect
from tests.cdc.postgres import USER, Postgres
from tests.cdc.tables import OWED, PARTITIONS, SCHEMAS, TABLES, ddl, group_key, topic
from tests.integration.service import Service
from tests.integration.watching import until

TOKEN = "token-of-cdc"
GROUP = "cdc"
LETTERS = f"{GROUP}.dead-letters"
PLACES = [(mode, schema, table) for mode in MODES for schema in SCHEMAS for table in TABLES]
TOPICS = [topic(*place) for place in PLACES]
MARK = 1_000_000_000
CATCH_UP = 90.0


class World:
    """What runs, and what is asked of it. `service` is the one instance, None where there is none."""

    def __init__(
        self, folder: Path, postgres: Postgres, broker: Broker, registry: str, mixpanel: MixpanelSandbox
    ) -> None:
        """`registry` is the URL of the registry's Confluent API."""
        self.folder = folder
        self.postgres = postgres
        self.broker = broker
        self.registry = registry
        self.mixpanel = mixpanel
        root = registry.removesuffix("/apis/ccompat/v7")
        sources = {mode: self._source(mode) for mode in MODES}
        self.connect = Connect(folder / "connect", broker.bootstrap, root, sources)
        self.service: Service | None = None
        self._instances = 0
        self._marks = 0

    def prepare(self) -> None:
        """The tables and the topics are there."""
        made = "".join(ddl(schema, table) for schema in SCHEMAS for table in TABLES)
        self.postgres.sql("".join(f"CREATE SCHEMA {schema};" for schema in SCHEMAS) + OWED + made)
        self.broker.create_topic(LETTERS, 1, {"retention.ms": "-1"})
        for _, schema, table in PLACES[: len(SCHEMAS) * len(TABLES)]:
            for mode in MODES:
                self.broker.create_topic(topic(mode, schema, table), PARTITIONS.get(f"{schema}.{table}", 1))

    def run(self, mapping: str) -> None:
        """The service runs under this mapping file."""
        self._instances += 1
        file = self.folder / f"mapping-{self._instances}.toml"
        file.write_text(mapping, "utf-8")
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap,
            "KAFKA_TOPICS": ",".join(TOPICS),
            "KAFKA_GROUP_ID": GROUP,
            "SCHEMA_REGISTRY_URL": self.registry,
            "MIXPANEL_TOKEN": TOKEN,
            "MIXPANEL_URL": self.mixpanel.url,
            "MAPPING_FILE": str(file),
            "BATCH_LINGER": "50ms",
            "DRAIN_TIMEOUT": "10s",
        }
        self.service = Service(self.folder / f"service-{self._instances}", settings)

    def trouble(self) -> None:
        """Mixpanel refuses some requests, and of others it applies what it never acknowledges."""
        self.mixpanel.faults.on("status", status=503, times=5)
        self.mixpanel.faults.on("reset", at="after-applying", times=5)

    def caught_up(self) -> None:
        """Everything that was written to the tables is settled by the service."""
        self._marks += 1
        self.postgres.sql("".join(self._mark(schema, table) for schema in SCHEMAS for table in TABLES))
        marked = {(group_key(*place), self._mark_id(*place[1:])) for place in PLACES}
        until(
            lambda: self._alive() and marked <= self.profiles().keys(), "every marked row has its profile", CATCH_UP
        )
        until(lambda: self._alive() and self._lag() == 0, "every record is committed", CATCH_UP)

    def profiles(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What Mixpanel holds, by the group's key and id."""
        found = self.mixpanel.profiles.snapshot()
        return {(one["group_key"], one["group_id"]): one["properties"] for one in found if one["token"] == TOKEN}

    def versions(self, subject: str) -> list[dict[str, Any]]:
        """The schemas that are registered under a subject, oldest first; none where it is not known."""
        numbers = requests.get(f"{self.registry}/subjects/{subject}/versions", timeout=10)
        if not numbers.ok:
            return []
        url = f"{self.registry}/subjects/{subject}/versions/"
        return [json.loads(requests.get(f"{url}{number}", timeout=10).json()["schema"]) for number in numbers.json()]

    def column_is_known(self) -> None:
        """Every topic has a schema with the new column."""
        for name in TOPICS:
            until(
                lambda name=name: f'"{TIER.name}"' in json.dumps(self.versions(f"{name}-value")),
                f"{name} has {TIER.name}",
            )

    def letters(self) -> list[dict[str, str]]:
        """The headers of every dead letter."""
        client = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "looking"})
        try:
            partitions = client.list_topics(LETTERS, timeout=10).topics[LETTERS].partitions
            places = [TopicPartition(LETTERS, number, 0) for number in partitions]
            left = sum(client.get_watermark_offsets(place, timeout=10)[1] for place in places)
            client.assign(places)
            found = client.consume(left, 20) if left else []
        finally:
            client.close()
        assert len(found) == left
        return [{key: (value or b"").decode() for key, value in one.headers() or []} for one in found]

    def _alive(self) -> bool:
        self.connect.check()
        assert self.service is None or self.service.running, self.service.log_file.read_text()[-4000:]
        return True

    def _lag(self) -> int:
        """How many records are not committed."""
        client = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP})
        try:
            known = client.list_topics(timeout=10).topics
            places = [TopicPartition(name, number) for name in TOPICS for number in known[name].partitions]
            ends = sum(client.get_watermark_offsets(place, timeout=10)[1] for place in places)
            return ends - sum(max(place.offset, 0) for place in client.committed(places, timeout=10))
        finally:
            client.close()

    def _mark(self, schema: str, table: str) -> str:
        number = MARK + self._marks
        if table == "companies":
            return f"INSERT INTO {schema}.{table} (id, name, created) VALUES ({number}, 'mark', now());\n"
        values = f"('mark', {number}, 'mark {number}', 'open')"
        return f"INSERT INTO {schema}.{table} (tenant, number, code, status) VALUES {values};\n"

    def _mark_id(self, schema: str, table: str) -> str:
        number = MARK + self._marks
        if table == "companies":
            return str(number)
        return f"mark {number}" if schema == "whole" else f"mark/{number}"

    def _source(self, mode: str) -> dict[str, object]:
        return {
            "name": mode,
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "plugin.name": "pgoutput",
            "database.hostname": "127.0.0.1",
            "database.port": self.postgres.port,
            "database.user": USER,
            "database.password": "not-asked-for",
            "database.dbname": USER,
            "topic.prefix": mode,
            "schema.include.list": ",".join(SCHEMAS),
            "publication.autocreate.mode": "filtered",
            "publication.name": mode,
            "slot.name": mode,
            "skipped.operations": "none",  # so that truncates are written, too
            "topic.creation.default.replication.factor": 1,
            "topic.creation.default.partitions": 3,
            **MODES[mode],
        }


@contextmanager
def world(folder: Path, broker: Broker, registry: str) -> Iterator[World]:
    """A world with tables and topics; nothing of it is left behind."""
    with Postgres() as postgres, MixpanelSandbox(shuffle=1) as mixpanel:
        made = World(folder, postgres, broker, registry, mixpanel)
        made.prepare()
        try:
            yield made
        finally:
            made.connect.kill()
            if made.service is not None:
                made.service.kill()
