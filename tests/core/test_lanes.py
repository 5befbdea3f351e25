"""Lanes: order per group, batches of the oldest heads first, and what a revoke takes out of them."""

from consumer.core.blame import Refusal
from consumer.core.entry import Entry, Update
from consumer.core.lanes import Lanes
from consumer.core.limits import Limits
from consumer.core.model import Assignment, Record
from consumer.core.room import Share
from consumer.core.runs import OVER, REPLAY, Run
from consumer.event.encode import group_part, opening_of, request_json, update_tail
from consumer.event.model import ADD, DELETE, REMOVE, SET, UNION, UNSET, Operation

A = Assignment("changes", 0)
B = Assignment("changes", 1)
OPENING = opening_of("t")


class Queue:
    """Lanes, with records pushed in the order of their offsets."""

    def __init__(self, max_updates: int = 2000, fold: bool = True, apart: bool = False) -> None:
        self.lanes = Lanes(len(OPENING), max_updates, fold, Share(Limits(), None), apart)
        self.order = 0
        self.max_updates = max_updates

    def push(self, group: str, verb: int = SET, assignment: Assignment = A, **values: object) -> Entry:
        """One more record of the group."""
        self.order += 1
        record = Record(assignment, self.order, None, b"x" * 10, None, -1, float(self.order))
        operation = Operation("company", group, verb, values or {"p": self.order})
        entry = Entry(record, verb, update_tail(operation), self.order)
        self.lanes.push(group_part(entry.json, verb), entry)
        return entry

    def take(self, max_bytes: int = 1_000_000, now: float = 0.0) -> list[Update]:
        """The updates of the next batch."""
        return self.lanes.take(self.max_updates, max_bytes, now)


def groups(updates: list[Update]) -> list[str]:
    """The group of each update."""
    return [update.operation.group_id for update in updates]


def size(updates: list[Update]) -> int:
    """The bytes of a request with these updates."""
    return len(request_json(OPENING, [update.json for update in updates]))


def decide(updates: list[Update], lanes: Lanes) -> None:
    """Every update is accepted: the runs are over."""
    for update in updates:
        if update.run.accepted(update) == OVER:
            lanes.release(update.run)


def test_a_batch_takes_the_oldest_heads_first():
    """Idle lanes are drained in the order in which their heads were read."""
    queue = Queue(max_updates=2)
    for group in ("a", "b", "a", "c"):
        queue.push(group)
    assert queue.lanes.oldest() == 1.0
    assert groups(queue.take()) == ["a", "b"]
    assert queue.lanes.oldest() == 4.0
    assert groups(queue.take()) == ["c"]
    assert (queue.lanes.oldest(), queue.lanes.ready) == (-1.0, 0)


def test_a_group_is_under_way_once():
    """What is read of a group while its run is under way waits, and is then first again by age."""
    queue = Queue()
    queue.push("a")
    first = queue.take()
    queue.push("a")
    queue.push("b")
    assert queue.lanes.ready == 1
    assert groups(queue.take()) == ["b"]
    decide(first, queue.lanes)
    queue.push("c")
    assert groups(queue.take()) == ["a", "c"]


def test_a_returned_lane_goes_before_younger_ones_and_after_older_ones():
    """Lanes that come back keep their place by the age of their head."""
    queue = Queue()
    for group in ("a", "b"):
        queue.push(group)
    under_way = queue.take()
    for group in ("c", "b", "d", "a", "e"):
        queue.push(group)
    decide(under_way, queue.lanes)
    assert groups(queue.take()) == ["c", "b", "d", "a", "e"]


def test_a_run_is_folded_and_its_lane_forgotten():
    """A group's records go out together, and nothing is kept of a group that has nothing open."""
    queue = Queue()
    entries = [queue.push("a", p=1), queue.push("a", UNSET, q=None), queue.push("a", p=2)]
    updates = queue.take()
    run = updates[0].run
    assert [update.operation.values for update in updates] == [{"p": 2}, {"q": None}]
    assert run.entries == entries
    assert [(update.start, update.end) for update in updates] == [(0, 3), (0, 3)]
    assert len(queue.lanes) == 1
    decide(updates, queue.lanes)
    assert len(queue.lanes) == 0


def test_what_does_not_fold_waits_for_the_run_before_it():
    """A barrier begins the next run, which starts when the one before is over."""
    queue = Queue()
    queue.push("a", p=1)
    barrier = queue.push("a", ADD, p=1)
    first = queue.take()
    assert [update.operation.values for update in first] == [{"p": 1}]
    assert queue.lanes.ready == 0
    decide(first, queue.lanes)
    [second] = queue.take()
    assert second.run.entries == [barrier]


def test_all_before_a_delete_is_one_run_with_it():
    """The last `$delete` that waits replaces all before it, barriers and other deletes too; what follows waits."""
    queue = Queue()
    entries = [
        queue.push("a", UNION, l=["x"]),
        queue.push("a", REMOVE, l="x"),
        queue.push("a", DELETE),
        queue.push("a", ADD, p=1),
        queue.push("a", UNSET, p=None),
        queue.push("a", DELETE),
    ]
    after = queue.push("a", p=1)
    [first] = queue.take()
    assert (first.operation.verb, first.end, first.run.entries) == (DELETE, 6, entries)
    decide([first], queue.lanes)
    [second] = queue.take()
    assert second.run.entries == [after]


def test_a_delete_that_is_first_is_a_run_of_its_own():
    """Nothing before it is folded into it, so it alone is to blame for its update."""
    queue = Queue()
    delete = queue.push("a", DELETE)
    queue.push("a")
    [update] = queue.take()
    assert (update.end, update.run.entries) == (1, [delete])


def test_a_delete_does_not_reach_into_another_partition():
    """It replaces what is before it in its own partition; without folding it replaces nothing."""
    queue = Queue()
    ours = [queue.push("a", p=1), queue.push("a", ADD, p=1)]
    theirs = [queue.push("a", assignment=B), queue.push("a", DELETE, assignment=B)]
    taken = []
    for _ in range(3):
        updates = queue.take()
        taken.append([(update.operation.verb, list(update.run.entries)) for update in updates])
        decide(updates, queue.lanes)
    assert taken == [[(SET, ours[:1])], [(ADD, ours[1:])], [(DELETE, theirs)]]
    apart = Queue(fold=False)
    apart.push("a")
    apart.push("a", DELETE)
    assert [update.operation.verb for update in apart.take()] == [SET]


def test_a_delete_that_was_stripped_replaces_nothing():
    """What a revoke took out of the lane is not looked for."""
    queue = Queue()
    queue.push("a", p=1)
    queue.push("a", ADD, p=1)
    gone = queue.push("a", DELETE)
    queue.lanes.strip({A: gone.record.offset})
    assert [update.operation.verb for update in queue.take()] == [SET]


def test_without_folding_every_record_is_an_update_of_its_own():
    """`FOLD=off`: one record of a group in a request, in its own words."""
    queue = Queue(fold=False)
    queue.push("a")
    queue.push("a")
    queue.push("b")
    first = queue.take()
    assert groups(first) == ["a", "b"]
    assert [update.end for update in first] == [1, 1]
    decide(first, queue.lanes)
    assert groups(queue.take()) == ["a"]


def test_a_run_never_mixes_partitions():
    """Records of one group from two partitions are two runs: each settles in its own partition."""
    queue = Queue()
    queue.push("a")
    queue.push("a", assignment=B)
    first = queue.take()
    assert [entry.record.assignment for entry in first[0].run.entries] == [A]
    decide(first, queue.lanes)
    [second] = queue.take()
    assert second.run.assignment is B


def test_a_batch_stays_within_its_bytes():
    """The lane that would make it too large is first in the next; a single run that is larger goes alone."""
    queue = Queue()
    for group in ("a", "b", "c"):
        queue.push(group, p="x" * 100)
    first = queue.take(400)
    assert groups(first) == ["a", "b"]
    assert 300 < size(first) <= 400
    assert queue.lanes.ready == 1
    queue.push("d")
    queue.push("c", q=1)
    second = queue.take(10)
    assert groups(second) == ["c"]
    assert [len(update.run.entries) for update in second] == [2]
    assert size(second) > 10
    assert groups(queue.take()) == ["d"]


def test_a_batch_may_have_exactly_its_bytes():
    """The cap is on the body as sent, brackets included."""
    queue = Queue()
    for group in ("a", "b"):
        queue.push(group, p="x")
    whole = size(queue.take(1_000))
    for room, expected in ((whole, ["a", "b"]), (whole - 1, ["a"])):
        again = Queue()
        for group in ("a", "b"):
            again.push(group, p="x")
        assert groups(again.take(room)) == expected


def test_a_run_is_not_cut_by_the_number_of_updates():
    """A run of two updates that has no room left waits whole, and is as it was."""
    queue = Queue(max_updates=3)
    queue.push("a", p=1)
    queue.push("b", p=1)
    queue.push("b", UNSET, q=None)
    queue.push("c", p=1)
    queue.push("c", ADD, q=1)
    assert groups(queue.take()) == ["a", "b", "b"]
    queue.push("c", p=2)
    assert queue.lanes.oldest() == 4.0
    last = queue.take()
    assert [update.operation.values for update in last] == [{"p": 2}, {"q": 1}]


def test_a_lane_put_back_takes_more_and_is_drained_again():
    """A lane that was put back is idle: what is read of its group joins it in order, also after it returned."""
    queue = Queue(max_updates=1)
    queue.push("a")
    queue.push("b")
    first = queue.take()
    queue.push("a")
    decide(first, queue.lanes)
    second = queue.take(max_bytes=1)
    assert groups(second) == ["b"]
    assert groups(queue.take()) == ["a"]


def replayed(queue: Queue) -> Run:
    """Two SETs of group a, folded and refused together: the run waits to be replayed, one half after the other."""
    queue.push("a", p=1)
    queue.push("a", q=1)
    [update] = queue.take()
    assert update.run.refused(update, Refusal("rejected", "")) == REPLAY
    queue.lanes.replay(update.run)
    return update.run


def test_a_replay_sends_one_half_after_the_other():
    """Each step of a replay is a part of the run; the group's later records wait for the last step."""
    queue = Queue()
    run = replayed(queue)
    queue.push("a", p=3)
    queue.push("b")
    [first, other] = queue.take()
    assert (first.start, first.end, first.operation.values) == (0, 1, {"p": 1})
    assert other.operation.group_id == "b"
    assert run.accepted(first) == REPLAY
    queue.lanes.replay(run)
    [second] = queue.take()
    assert (second.start, second.end, second.operation.values) == (1, 2, {"q": 1})
    assert queue.lanes.ready == 0


def test_a_replay_put_back_is_the_same_step_again():
    """A step that has no room left is neither lost nor done twice."""
    queue = Queue()
    queue.push("z")
    under_way = queue.take()
    queue.push("z")
    replayed(queue)
    decide(under_way, queue.lanes)
    assert groups(queue.take(max_bytes=1)) == ["z"]
    assert queue.lanes.ready == 1
    [step] = queue.take()
    assert (step.start, step.end) == (0, 1)


def test_stripping_forgets_what_waits_at_or_above_a_bound():
    """A drain keeps what closes a gap, and returns what it forgot; lanes without anything are forgotten."""
    queue = Queue()
    kept = queue.push("a")
    dropped = [queue.push("a"), queue.push("b")]
    queue.push("c", assignment=B)
    assert queue.lanes.strip({A: 2}) == dropped
    assert queue.lanes.ready == 2
    updates = queue.take()
    assert groups(updates) == ["a", "c"]
    assert updates[0].run.entries == [kept]
    assert len(queue.lanes) == 2


def test_stripping_leaves_what_is_under_way():
    """A lane with a run in flight stays until the answer: its group must not be in two requests."""
    queue = Queue()
    queue.push("a")
    under_way = queue.take()
    queue.push("a")
    under_way[0].run.abandoned()
    queue.lanes.strip({A: -1})
    queue.push("a", assignment=B)
    assert queue.lanes.ready == 0
    decide(under_way, queue.lanes)
    [update] = queue.take()
    assert update.run.assignment is B


def test_stripping_ends_a_replay_between_two_steps():
    """A revoked run that waits for its next step is over; another partition's records of the group go on."""
    queue = Queue()
    run = replayed(queue)
    queue.push("a", assignment=B)
    run.abandoned()
    queue.lanes.strip({A: -1})
    [update] = queue.take()
    assert update.run.assignment is B
    decide([update], queue.lanes)
    assert len(queue.lanes) == 0


def test_stripping_keeps_a_live_replay_in_its_place():
    """A replay of a partition that stays goes on, and a step in flight is not queued twice."""
    queue = Queue()
    run = replayed(queue)
    queue.push("b", assignment=B)
    queue.lanes.strip({B: -1})
    assert queue.lanes.ready == 1
    [step] = queue.take()
    assert step.run is run
    queue.lanes.strip({B: -1})
    assert queue.lanes.ready == 0


def test_stripping_keeps_the_order_of_a_replay():
    """The last step of a replay is as old as its record: between what was read before it and after it."""
    queue = Queue()
    queue.push("older")
    under_way = queue.take()
    queue.push("older")
    run = replayed(queue)
    queue.push("younger")
    [step, younger] = queue.take()
    assert run.accepted(step) == REPLAY
    queue.lanes.replay(run)
    decide([*under_way, younger], queue.lanes)
    queue.push("youngest")
    queue.lanes.strip({B: -1})
    assert groups(queue.take()) == ["older", "a", "youngest"]


def test_the_oldest_of_a_replay_is_its_next_record():
    """A replay waits as long as its next record does."""
    queue = Queue()
    run = replayed(queue)
    assert queue.lanes.oldest() == run.entries[0].record.polled_at


def test_blame_falls_on_all_that_may_have_made_an_update():
    """The contributors of a folded update are the records with one of its properties; so many as are asked for."""
    queue = Queue()
    queue.push("a", p=1, q=1)
    queue.push("a", r=1)
    queue.push("a", UNSET, q=None)
    sets, unset = queue.take()
    run = sets.run
    assert run.contributors(sets, 9) == [0, 1]
    assert run.contributors(unset, 9) == [0, 2]
    assert run.contributors(unset, 1) == [0]
    assert run.contributors(Update(SET, b"", 1, 2), 9) == [1]


def test_a_delete_is_its_own_record():
    """A `$delete` that replaces others is as its record has it: that one is to blame."""
    queue = Queue()
    queue.push("b")
    queue.push("b", DELETE)
    (deleted,) = queue.take()
    assert deleted.run.contributors(deleted, 9) == [1]


def test_full_requests_have_only_adds_or_none():
    """Where `$add`s are kept apart each kind fills requests of its own, that with the oldest head first."""
    queue = Queue(max_updates=2, apart=True)
    for number in range(2):
        queue.push(f"add{number}", ADD, n=1)
        queue.push(f"set{number}")
    assert queue.lanes.fills(2)
    assert groups(queue.take()) == ["add0", "add1"]
    assert groups(queue.take()) == ["set0", "set1"]
    assert queue.lanes.ready == 0


def test_what_fills_no_request_goes_together():
    """One request costs less than two: what is not full of one kind takes both, by age."""
    queue = Queue(max_updates=3, apart=True)
    for number in range(2):
        queue.push(f"add{number}", ADD, n=1)
        queue.push(f"set{number}")
    assert not queue.lanes.fills(3)
    assert groups(queue.take()) == ["add0", "set0", "add1"]
    queue.push("add2", ADD, n=1)
    for number in range(4):
        queue.push(f"more{number}", ADD if number % 2 else SET, n=1)
    assert queue.lanes.fills(3)


def test_twice_as_many_as_a_request_takes_do_not_wait():
    """However the kinds are mixed."""
    queue = Queue(max_updates=3, fold=False, apart=True)
    for number in range(2):
        queue.push(f"add{number}", ADD, n=1)
        queue.push(f"set{number}")
    assert not queue.lanes.fills(3)
    assert queue.lanes.fills(2)


def test_adds_go_with_full_requests_of_others_from_time_to_time():
    """A busy group that adds now and then does not wait until its kind fills a request."""
    queue = Queue(max_updates=2, apart=True)
    queue.push("add0", ADD, n=1)
    for number in range(7):
        queue.push(f"set{number}")
    assert groups(queue.take(now=10.0)) == ["add0", "set0"]
    queue.push("add1", ADD, n=1)
    assert groups(queue.take(now=10.02)) == ["set1", "set2"]
    assert groups(queue.take(now=10.12)) == ["set3", "set4"]
    for number in range(7, 9):
        queue.push(f"set{number}")
    assert groups(queue.take(now=10.13)) == ["set5", "set6"], "by the age of their heads"
    assert groups(queue.take(now=10.14)) == ["set7", "set8"]
    queue.push("set9")
    queue.push("set10")
    assert groups(queue.take(now=10.26)) == ["add1", "set9"], "an eighth of a second later"


def test_a_group_to_which_an_add_comes_is_one_with_an_add():
    """It leaves those without, however old it is, and goes with those of its kind."""
    queue = Queue(max_updates=2, apart=True)
    for group in ("a", "b", "c"):
        queue.push(group)
    queue.push("a", ADD, n=1)
    assert groups(queue.take()) == ["b", "c"]
    assert queue.lanes.oldest() == 1.0
    taken = queue.take()
    assert groups(taken) == ["a", "a"]
    queue.push("a", ADD, n=1)
    queue.push("d")
    decide(taken, queue.lanes)
    assert queue.lanes.returned()
    assert groups(queue.take()) == ["a", "d"]


def test_stripping_keeps_both_kinds_in_order():
    """What a revoke leaves is taken as before it."""
    queue = Queue(max_updates=2, apart=True)
    for number in range(3):
        queue.push(f"add{number}", ADD, n=1)
        queue.push(f"set{number}")
        queue.push(f"gone{number}", ADD if number else SET, assignment=B, n=1)
    queue.lanes.strip({B: -1})
    assert queue.lanes.ready == 6
    assert groups(queue.take()) == ["add0", "add1"]
    assert groups(queue.take()) == ["set0", "set1"]
    assert groups(queue.take()) == ["add2", "set2"]
