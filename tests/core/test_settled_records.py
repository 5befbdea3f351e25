"""Which records an answer settles: what `dlq replay` remembers, record by record."""

import json

from consumer.core.limits import Limits
from consumer.core.model import Answer, Assignment, Record
from consumer.core.pipeline import Pipeline
from consumer.event.decode import resolve

WRITER = json.dumps(
    {
        "type": "record",
        "name": "GroupChange",
        "fields": [
            {"name": "event_id", "type": "string"},
            {"name": "occurred_at", "type": "long"},
            {"name": "project", "type": ["null", "string"]},
            {"name": "group_key", "type": "string"},
            {"name": "group_id", "type": "string"},
            {"name": "operation", "type": {"type": "enum", "name": "Operation", "symbols": ["SET"]}},
            {"name": "properties", "type": {"type": "map", "values": "long"}},
            {"name": "property_names", "type": {"type": "array", "items": "string"}},
        ],
    }
)


def text(value: str) -> bytes:
    """A short string in Avro."""
    return bytes([len(value) * 2]) + value.encode()


def record(assignment: Assignment, offset: int, group: str) -> Record:
    """A SET of one property on the group."""
    body = text("e") + b"\0\0" + text("company") + text(group) + b"\0" + b"\2" + text("a") + b"\2\0" + b"\0"
    return Record(assignment, offset, None, b"\0\0\0\0\1" + body, None, -1, 0.0)


def test_an_answer_names_the_records_that_it_settled():
    """Folded records settle together; one whose update is refused is not among them."""
    pipeline = Pipeline({"default": 20}, Limits(linger=0.0))
    assignment = Assignment("t", 0)
    pipeline.assigned([assignment])
    schema = json.loads(WRITER)
    pipeline.schema_known(1, resolve(schema, schema), 0.0)
    records = [record(assignment, 3, "a"), record(assignment, 5, "a"), record(assignment, 6, "b")]
    pipeline.polled(records, 0.0)
    (batch,) = pipeline.work(0.0).batches
    body = b'{"code":400,"failed_records":[{"index":1,"message":"no"}],"num_good_events":1,"status":"Bad Request"}'
    delivered = pipeline.delivered(batch, Answer(400, body), 0.1, 0.5)
    assert delivered.records == records[:2]
    assert delivered.settled == 2
