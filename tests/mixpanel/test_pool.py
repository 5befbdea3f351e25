"""The pool: each batch comes back exactly once, whatever happens on its way."""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from consumer.core.batch import Batch
from consumer.core.entry import Entry, Update
from consumer.core.model import NOT_SENT, UNKNOWN, Answer, Assignment, Record
from consumer.core.runs import Run
from consumer.event.model import SET
from consumer.mixpanel.lease import Lease
from consumer.mixpanel.pool import Pool, Response, TokenChanged

PATIENCE = 10.0


class Poster:
    """Answers with the body, once it is let to, and it may begin then."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.arrived: SimpleQueue[bytes] = SimpleQueue()
        self.closed = False
        self.hung_up = 0

    def use_token(self, token: str) -> int:
        self.token = token
        return len(token)

    def post(self, tails: Sequence[bytes], may_begin: Callable[[], bool]) -> Answer:
        [body] = tails
        self.arrived.put(body)
        if body == b"raise":
            raise ZeroDivisionError("marked payload")
        assert self.let.acquire(timeout=PATIENCE)
        return Answer(200, body) if may_begin() else Answer(0, failure=NOT_SENT, cause="lease")

    def hang_up(self) -> None:
        self.hung_up += 1

    def close(self) -> None:
        self.closed = True
        for _ in range(100):
            self.let.release()


LEASE = Lease(lambda: 0.0, 1.0)


PLACE = Assignment("changes", 0)


def batch(number: int, tail: bytes = b"x", place: Assignment = PLACE) -> Batch:
    """A batch of one update; what is in it is nothing to the pool."""
    record = Record(place, 0, None, None, None, -1, 0.0)
    update = Update(SET, tail, 0, 1)
    Run(b"acme", Entry(record, SET, tail, 0), -1).made(update)
    return Batch(number, "default", [update])


class Watched(bytes):
    """An update that tells when nobody has it any more."""

    freed = threading.Event()

    def __del__(self) -> None:
        self.freed.set()


def test_a_thread_that_waits_keeps_nothing_of_its_last_batch():
    """Eight of 2,000 updates would be what a burst leaves in memory."""
    poster, results = Poster(), SimpleQueue()
    pool = Pool({"default": poster}, 1, results, LEASE)
    pool.send(batch(1, Watched(b"x")))
    poster.let.release()
    poster.arrived.get(timeout=PATIENCE)
    results.get(timeout=PATIENCE)
    assert Watched.freed.wait(PATIENCE)
    pool.close(PATIENCE)


def test_another_token_is_told_in_the_order_of_answers():
    """The client has it first, so what starts after the fact is posted with it."""
    poster, results = Poster(), SimpleQueue()
    pool = Pool({"default": poster}, 3, results, LEASE)
    pool.use_token("default", "another")
    assert poster.token == "another"
    assert results.get_nowait() == TokenChanged("default", 7)
    pool.close(PATIENCE)


def test_each_batch_comes_back_with_its_answer():
    """So many at once as there are threads, each with its own answer, in any order."""
    poster, results = Poster(), SimpleQueue()
    pool = Pool({"default": poster}, 3, results, LEASE)
    batches = [batch(number, b"%d" % number) for number in range(3)]
    for one in batches:
        pool.send(one)
    bodies = {poster.arrived.get(timeout=PATIENCE) for _ in range(3)}
    assert bodies == {b"0", b"1", b"2"}
    for _ in range(3):
        poster.let.release()
    found = [results.get(timeout=PATIENCE) for _ in range(3)]
    assert {one.batch: one.answer.body for one in found} == dict(zip(batches, (b"0", b"1", b"2"), strict=True))
    pool.close(PATIENCE)
    assert poster.closed


def test_a_mistake_comes_back_as_an_unknown_outcome(caplog):
    """Whatever is raised on a thread ends neither the thread nor the wait of the batch's groups."""
    poster, results = Poster(), SimpleQueue()
    pool = Pool({"default": poster}, 1, results, LEASE)
    pool.send(batch(1, b"raise"))
    failed = results.get(timeout=PATIENCE)
    assert isinstance(failed, Response)
    assert (failed.answer.status, failed.answer.failure, failed.answer.cause) == (0, UNKNOWN, "internal")
    assert "a request could not be made" in caplog.text
    poster.let.release()
    pool.send(batch(2, b"x"))
    assert results.get(timeout=PATIENCE).answer.status == 200
    pool.close(PATIENCE)


def test_connections_are_closed_only_while_no_request_is_under_way():
    """One that is being written needs its connection."""
    poster, results = Poster(), SimpleQueue()
    pool = Pool({"default": poster}, 2, results, LEASE)
    pool.send(batch(1))
    assert not pool.hang_up()
    assert poster.hung_up == 0
    poster.let.release()
    results.get(timeout=PATIENCE)
    assert pool.hang_up()
    assert poster.hung_up == 1
    pool.close(PATIENCE)


def test_no_thread_is_started_for_a_request():
    """What a thread keeps as long as it lives would stand in the memory that a burst takes."""
    poster, results = Poster(), SimpleQueue()
    pool = Pool({"default": poster}, 4, results, LEASE)
    before = set(threading.enumerate())
    poster.let.release()
    pool.send(batch(1))
    results.get(timeout=PATIENCE)
    assert {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("sender")} == set()
    pool.close(PATIENCE)


def test_close_ends_the_threads():
    """After it no thread of the pool is left, once what was under way has been cut off."""
    poster, results = Poster(), SimpleQueue()
    pool = Pool({"default": poster}, 2, results, LEASE)
    for number in range(2):
        pool.send(batch(number, b"x"))
    for _ in range(2):
        poster.arrived.get(timeout=PATIENCE)
    pool.close(PATIENCE)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sender-")]
    assert results.qsize() == 2


def test_nothing_is_posted_once_the_lease_has_run_out():
    """A process that slept posts nothing when it wakes: its batch comes back as not sent, and goes again."""
    poster, results, now = Poster(), SimpleQueue(), [0.0]
    lease = Lease(lambda: now[0], 5.0)
    pool = Pool({"default": poster}, 1, results, lease)
    now[0] = 5.1
    poster.let.release()
    pool.send(batch(1, b"stale"))
    declined = results.get(timeout=PATIENCE).answer
    assert (declined.status, declined.failure, declined.cause) == (0, NOT_SENT, "lease")
    lease.renew()
    poster.let.release()
    pool.send(batch(1, b"fresh"))
    assert results.get(timeout=PATIENCE).answer.status == 200
    pool.close(PATIENCE)


def test_what_has_not_begun_begins_no_more_once_its_partitions_are_gone():
    """Of the requests under way those that are still to begin are withdrawn, by partition; the others go on."""
    poster, results = Poster(), SimpleQueue()
    pool = Pool({"default": poster}, 2, results, LEASE)
    going, staying = Assignment("changes", 1), Assignment("changes", 2)
    pool.send(batch(1, b"goes", going))
    pool.send(batch(2, b"stays", staying))
    assert {poster.arrived.get(timeout=PATIENCE) for _ in range(2)} == {b"goes", b"stays"}
    assert pool.withdraw({going}) == 1
    for _ in range(2):
        poster.let.release()
    answers = {one.batch.number: one.answer for one in (results.get(timeout=PATIENCE) for _ in range(2))}
    assert (answers[1].failure, answers[1].cause) == (NOT_SENT, "lease")
    assert answers[2].status == 200
    assert pool.withdraw({staying}) == 0  # it is over
    pool.close(PATIENCE)
