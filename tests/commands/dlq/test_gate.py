"""The gate before the pool of a replay: nothing goes before what came before it is noted."""

from collections.abc import Collection

from consumer.commands.dlq.receipts import RecordIdentity
from consumer.commands.dlq.recorder import Gate
from consumer.core.batch import Batch
from consumer.core.entry import Entry
from consumer.core.model import Assignment, Record
from consumer.core.runs import Run
from consumer.event.encode import update_tail
from consumer.event.model import ADD, SET, Operation


class Receipts:
    """Receipts whose confirmation the test decides on."""

    def __init__(self) -> None:
        self.last = 0
        self.confirmed = 0
        self.written: list[tuple[str, str]] = []

    def write(self, identity, receipt, confirmed=lambda: None) -> None:
        self.last += 1
        self.written.append((identity, receipt.state))


class Pool:
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[Batch] = []

    def send(self, batch: Batch) -> None:
        self.sent.append(batch)

    def withdraw(self, gone: Collection[Assignment]) -> int:
        return 0

    def close(self, timeout: float) -> None:
        """Nothing."""


class Fixture:
    """A gate with what surrounds it."""

    def __init__(self, *, at_most_once: bool = False) -> None:
        self.receipts, self.pool = Receipts(), Pool()
        self.identities: dict[Record, RecordIdentity] = {}
        self.gate = Gate(
            self.pool,
            self.receipts,  # type: ignore[arg-type]
            self.identities,
            at_most_once=at_most_once,
        )

    def batch(self, verb: int, name: str) -> Batch:
        """A batch of one update of one record."""
        assignment = Assignment("t", 0)
        record = Record(assignment, 0, None, b"", None, 0, 0.0)
        self.identities[record] = RecordIdentity(name, "")
        operation = Operation("k", name, verb, {"a": 1})
        json = update_tail(operation)
        entry = Entry(record, verb, json, 0)
        Run(name.encode(), entry, -1).made(entry)
        return Batch(1, "default", [entry])


def test_a_request_waits_for_the_marks_before_it():
    """What an earlier answer settled is confirmed first; receipts that come later are not waited for."""
    case = Fixture()
    case.receipts.last = 3
    batch = case.batch(SET, "a")
    case.gate.send(batch)
    case.receipts.last, case.receipts.confirmed = 9, 2
    case.gate.turn()
    assert not case.pool.sent
    assert case.gate.withdraw(()) == 1  # it has not begun
    case.receipts.confirmed = 3
    case.gate.turn()
    assert case.pool.sent == [batch]


def test_an_add_that_may_go_once_is_announced():
    """With at_most_once the $add has a receipt, once, and goes when that is confirmed; a $set needs none."""
    case = Fixture(at_most_once=True)
    case.gate.send(case.batch(SET, "set"))
    batch = case.batch(ADD, "add")
    case.gate.send(batch)
    assert case.receipts.written == [("add", "sending")]
    assert len(case.pool.sent) == 1
    case.receipts.confirmed = 1
    case.gate.turn()
    case.gate.send(batch)  # again, after a refused connection
    assert case.pool.sent[1:] == [batch, batch]
    assert case.receipts.written == [("add", "sending")]


def test_what_was_revoked_never_goes():
    """A batch that waited while the lock was lost is forgotten."""
    case = Fixture()
    batch = case.batch(SET, "a")
    case.receipts.last = 1
    case.gate.send(batch)
    batch.updates[0].run.live = False
    case.receipts.confirmed = 1
    case.gate.turn()
    assert not case.pool.sent
