"""Who goes next among batches that wait."""

from consumer.core.batch import Batch
from consumer.core.queues import PARTS_FIRST, Waiting


def suspect(due: float, alone: int) -> Batch:
    """One that is due then, and failed so often alone."""
    batch = Batch(0, "default", [])
    batch.suspect = True
    batch.due = due
    batch.history.alone = alone
    return batch


def test_what_was_cut_off_goes_before_suspects_that_failed_alone():
    """Healthy groups may be in it: it waits for one of many that fail now and then, not for all."""
    queue = Waiting()
    alone = [suspect(number, 1) for number in range(3)]
    parts = [suspect(5.0 + number, 0) for number in range(PARTS_FIRST + 2)]
    queue.batches += [*alone, *parts]
    taken = [queue.take_suspect(20.0) for _ in range(len(queue))]
    assert taken == [*parts[:PARTS_FIRST], alone[0], *parts[PARTS_FIRST:], *alone[1:]]
    assert queue.take_suspect(20.0) is None


def test_a_suspect_that_is_not_due_keeps_nobody_waiting():
    """Whatever is due goes, and nothing else."""
    queue = Waiting()
    lone, part = suspect(1.0, 1), suspect(9.0, 0)
    queue.batches += [lone, part]
    assert [queue.take_suspect(at) for at in (0.5, 5.0, 5.0, 9.0)] == [None, lone, None, part]
