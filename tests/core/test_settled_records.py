"""Which records an answer settles: what `dlq replay` remembers, record by record."""

from consumer.core.model import Answer
from tests.core.machine import Machine

SECOND_REFUSED = (
    b'{"code":400,"failed_records":[{"index":1,"message":"no"}],"num_good_events":1,"status":"Bad Request"}'
)


def test_an_answer_names_the_records_that_it_settled():
    """Folded records settle together; one whose update is refused is not among them."""
    machine = Machine(only={})
    records = machine.read(machine.assign(), ("SET", {"a": 1}, "a"), ("SET", {"a": 2}, "a"), ("SET", {"a": 1}, "b"))
    delivered = machine.answer(machine.one(), Answer(400, SECOND_REFUSED))
    assert delivered.records == records[:2]
    assert delivered.settled == 2
