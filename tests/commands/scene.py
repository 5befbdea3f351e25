"""A topic with changes, what is committed of it, and the profiles beside it: for `verify` and `trace`."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fastavro
from click.testing import Result
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.app import reader
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.kafka.dead_letter_format import headers_of
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.mixpanel.server import MixpanelSandbox

SCHEMA = fastavro.parse_schema(reader())
TOKEN = "token"


def event(group: str, operation: str, values: Any, project: str | None = None, company: str | None = None) -> bytes:
    """A change, framed with the schema's id 1; of a company where one is given."""
    content = {
        "event_id": "e",
        "occurred_at": 0,
        "project": project,
        "group_key": "company",
        "group_id": group,
        "operation": operation.upper(),
        "properties": {} if operation in ("unset", "delete") else values,
        "property_names": values if operation == "unset" else [],
        "company_id": company,
    }
    written = io.BytesIO(b"\0\0\0\0\1")
    written.seek(5)
    fastavro.schemaless_writer(written, SCHEMA, content)
    return written.getvalue()


def partition_row(topic: str) -> dict[str, Any]:
    """What an instance says in `/status` of partition 0, of which it knows nothing yet."""
    unknown = dict.fromkeys(("committed", "read", "lag_records", "lag_seconds", "blocked"))
    return {"topic": topic, "partition": 0, "open": 0, **unknown}


@dataclass
class Scene:
    """A topic with changes, what is committed of it, and the profiles beside it."""

    broker: Broker
    topic: str
    group: str
    mixpanel: MixpanelSandbox
    environ: dict[str, str]
    run: Callable[..., Result]

    def change(
        self,
        group: str,
        operation: str,
        values: Any = None,
        *,
        applied: bool = True,
        project: str | None = None,
        company: str | None = None,
    ) -> int:
        """A change in partition 0, applied as the service would; its offset."""
        told: list[Any] = []
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        producer.produce(
            self.topic,
            event(group, operation, values, project, company),
            f"company:{group}".encode(),
            partition=0,
            on_delivery=lambda error, message: told.append(message.offset()),
        )
        assert producer.flush(30) == 0
        if applied:
            value = "" if operation == "delete" else values
            update = {"$token": TOKEN, "$group_key": "company", "$group_id": group, f"${operation}": value}
            update |= {"$company_id": company} if company is not None else {}
            self.mixpanel.profiles.change([update])
            self.mixpanel.reading.note([update], placed=True)
        return int(told[0])

    def commit(self, offset: int) -> None:
        """What the service has committed."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group})
        consumer.commit(offsets=[TopicPartition(self.topic, 0, offset)], asynchronous=False)
        consumer.close()

    def letter(self, offset: int, group: str, operation: str, values: Any, reason: str) -> None:
        """The dead letter of a change."""
        key = f"company:{group}".encode()
        record = Record(Assignment(self.topic, 0), offset, key, event(group, operation, values), None, 0, 0.0)
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        headers: Any = headers_of(DeadLetter(record, reason, "TASK_PUT", "why", 1), self.group)
        producer.produce(f"{self.group}.dead-letters", record.value, key, partition=0, headers=headers)
        assert producer.flush(30) == 0

    def call(self, *arguments: str, **environ: str) -> Result:
        """`group-consumer verify ... --settle 0s`"""
        return self.run("verify", "--settle", "0s", *arguments, **{**self.environ, **environ})

    def verify(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """What it prints with --output json, with this exit status."""
        result = self.call(*arguments, "--output", "json")
        assert result.exit_code == status, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found
