"""A pipeline in a world without a clock, Kafka or HTTP: events go in, answers come, what it asks for is kept.

machine = Machine(linger=0.0)
partition = machine.assign()
machine.read(partition, ("SET", {"a": 1}), ("UNSET", ["a"]))
[batch] = machine.work()
machine.answer(batch, refuse(1))
machine.commit(partition) == 1
"""

import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import fastavro

from consumer.core.batch import Batch
from consumer.core.limits import Limits
from consumer.core.model import Answer, Assignment, DeadLetter, Record
from consumer.core.pipeline import Pipeline
from consumer.core.quarantine import Quarantine
from consumer.core.room import Open
from consumer.core.settlement import Delivered
from consumer.event.decode import resolve
from consumer.event.encode import opening_of, request_json
from consumer.event.model import VERB_NAMES, Headers
from consumer.mapping.mapper import TopicMap

TOKEN = "token"
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "group_change.avsc").read_text())
PARSED = fastavro.parse_schema(SCHEMA)
DECODER = resolve(SCHEMA, SCHEMA)
KNOWN = 1
OPENING = opening_of(TOKEN)
ACCEPTED = Answer(200, b'{"error":null,"errors":{},"status":1}')

# ("SET", {"a": 1}), ("UNSET", ["a"]) or ("DELETE",); a third member is the group's id, a fourth the project,
# a fifth the company.
Event: TypeAlias = tuple[Any, ...]


def value(event: Event, schema: int = KNOWN) -> bytes:
    """The event as Confluent's frame."""
    operation, values, group, project, company = (*event, None, None, None, None)[:5]
    names = values if isinstance(values, list) else []
    datum = {
        "event_id": "e",
        "occurred_at": 0,
        "project": project,
        "group_key": "company",
        "group_id": group or "acme",
        "operation": operation,
        "properties": {} if values is None or names else values,
        "property_names": names,
        "company_id": company,
    }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED, datum)
    return b"\0" + schema.to_bytes(4, "big") + out.getvalue()


def refuse(*indexes: int, status: int = 200, reason: str = "bad", taken: int | None = None) -> Answer:
    """The answer that refuses the updates at these indexes and takes all others: so many, where it says so."""
    errors = {str(index): reason for index in indexes}
    counted = {"status": 1} if taken is None else {"status": 0, "num_good_events": taken}
    return Answer(status, json.dumps({"error": "some failed", "errors": errors} | counted).encode())


def opaque(count: int | None = None) -> Answer:
    """The answer that refuses without saying what; `count` is how many it says it took."""
    counted = {} if count is None else {"num_good_events": count}
    return Answer(200, json.dumps({"error": "bad", "status": 0} | counted).encode())


def body(batch: Batch) -> bytes:
    """The body of the request, as it is posted."""
    return request_json(OPENING, batch.tails())


def sent(batch: Batch) -> list[tuple[str, str, object]]:
    """What the body of the batch says: (group id, verb, value) of each update."""
    found: list[tuple[str, str, object]] = []
    for update in json.loads(body(batch)):
        assert update.pop("$token") == TOKEN
        assert update.pop("$group_key") == "company"
        group = update.pop("$group_id")
        update.pop("$company_id", None)
        [(verb, values)] = update.items()
        assert verb in VERB_NAMES
        found.append((group, verb, values))
    assert len(found) == len(batch.updates)
    return found


def has_left(counted: Open) -> bool:
    """Whether anything counts as open."""
    return (counted._records, counted._bytes) != (0, 0)


class Machine:
    """The pipeline, with what it asked for so far; `now` goes on as the test says."""

    def __init__(
        self,
        quarantine: Quarantine | None = None,
        projects: Sequence[str] = ("default",),
        mapped: Mapping[str, TopicMap] | None = None,
        only: Mapping[Record, Collection[str]] | None = None,
        **limits: Any,
    ) -> None:
        openings = dict.fromkeys(projects, len(OPENING))
        self.pipeline = Pipeline(openings, Limits(**({"linger": 0.0} | limits)), quarantine, mapped, only)
        self.pipeline.schema_known(KNOWN, DECODER, 0.0)
        self.now = 0.0
        self.letters: list[DeadLetter] = []  # asked for, and neither confirmed nor failed
        self.schemas: list[object] = []
        self._next: dict[Assignment, int] = {}

    def assign(self, number: int = 0, topic: str = "changes") -> Assignment:
        """Give the pipeline one partition; the same number again is a new epoch."""
        assignment = Assignment(topic, number)
        self._next[assignment] = 0
        self.pipeline.assigned([assignment])
        return assignment

    def record(
        self, assignment: Assignment, payload: bytes | None, offset: int | None = None, headers: Headers | None = None
    ) -> Record:
        """A record at the next offset, or at the one given."""
        at = self._next[assignment] if offset is None else offset
        self._next[assignment] = at + 1
        return Record(assignment, at, b"key", payload, headers, 0, self.now)

    def read(self, assignment: Assignment, *events: Event | bytes | None, schema: int = KNOWN) -> list[Record]:
        """Poll events, or raw values, at the next offsets of the partition."""
        payloads = [value(event, schema) if isinstance(event, tuple) else event for event in events]
        records = [self.record(assignment, payload) for payload in payloads]
        self.pipeline.polled(records, self.now)
        return records

    def work(self, after: float = 0.0) -> list[Batch]:
        """The requests to send, `after` seconds later; letters and schemas are kept."""
        self.now += after
        work = self.pipeline.work(self.now)
        self.letters += work.dead_letters
        self.schemas += work.schemas
        return work.batches

    def one(self, after: float = 0.0) -> Batch:
        """The one request to send."""
        [batch] = self.work(after)
        return batch

    def answer(self, batch: Batch, answer: Answer = ACCEPTED, jitter: float = 0.0) -> Delivered:
        """The request came back."""
        return self.pipeline.delivered(batch, answer, self.now, jitter)

    def confirm(self) -> list[tuple[int, str]]:
        """Confirm every dead letter asked for: (offset, reason) of each."""
        letters, self.letters = self.letters, []
        for letter in letters:
            self.pipeline.dead_lettered(letter)
        return [(letter.record.offset, letter.reason) for letter in letters]

    def finish_but_letters(self) -> list[list[tuple[str, str, object]]]:
        """Accept until nothing is left to send; what was sent, request by request."""
        requests = []
        batches = self.work()
        while batches:
            for batch in batches:
                requests.append(sent(batch))
                self.answer(batch)
            batches = self.work()
        return requests

    def finish(self) -> list[list[tuple[str, str, object]]]:
        """The same, and every dead letter is confirmed."""
        requests = self.finish_but_letters()
        self.confirm()
        return requests

    def commit(self, assignment: Assignment) -> int:
        """What may be committed of the partition; -1 for nothing."""
        return self.pipeline.partitions.committable().get(assignment, -1)

    def leftovers(self) -> list[str]:
        """The names of what the pipeline still keeps, when nothing is open: nothing, or it grows for ever."""
        pipeline = self.pipeline
        kept: dict[str, Any] = {
            "dead letters": pipeline.unconfirmed._to_produce,
            "failed": len(pipeline.unconfirmed.unwritten()),
            "schemas": pipeline._intake.schemas.wanted,
            "open": has_left(pipeline.partitions._open),
            "standing": pipeline.destinations.standing and has_left(pipeline.destinations.standing),
        }
        for name, delivery in pipeline.destinations.by_name.items():
            dispatch = delivery.dispatch
            kept |= {
                f"{name} lanes": dispatch.lanes._lanes,
                f"{name} ready": dispatch.lanes.ready,
                f"{name} runs": dispatch.lanes.runs(),
                f"{name} pending": dispatch.backlog.batches(),
                f"{name} flying": dispatch.under_way.batches,
                f"{name} probe": dispatch.halt.probe,
                f"{name} share": has_left(dispatch.share._own),
                f"{name} wire": (dispatch._wire._flying, dispatch._wire._standing, dispatch._wire._suspects)
                != (0, 0, 0),
            }
        for assignment, partition in pipeline.partitions.by_assignment.items():
            ledger = partition.ledger
            kept |= {
                f"{assignment} open": partition.open,
                f"{assignment} parts": partition.parts,
                f"{assignment} bytes": partition.bytes,
                f"{assignment} blocked": partition.blocked,
                f"{assignment} blocked bytes": partition.blocked_bytes,
                f"{assignment} held": partition.held,
                f"{assignment} ledger": (*ledger._stretches, *ledger._polls),
            }
        return [name for name, left in kept.items() if left]
