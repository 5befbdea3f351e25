"""The life of a batch: when it goes, how long it waits after which answer, how it is split, what is remembered."""

import itertools
import json

import pytest

from consumer.core.batch import AMBIGUOUS, REFUSED, Batch, Report
from consumer.core.clock import NEVER
from consumer.core.delivery import Delivery
from consumer.core.dispatch import Dispatch
from consumer.core.entry import Entry
from consumer.core.limits import Limits
from consumer.core.model import NOT_SENT, UNKNOWN, Answer, Assignment, Record
from consumer.core.retry import SAVED_RETRIES
from consumer.core.room import Share
from consumer.core.runs import OVER
from consumer.core.wire import PACE, Wire
from consumer.event.encode import group_part, update_tail
from consumer.event.model import ADD, SET, UNSET, Operation
from tests.core.machine import ACCEPTED as OK
from tests.core.machine import OPENING, Machine, body, opaque, refuse

A = Assignment("changes", 0)
TIMEOUT = Answer(0, failure=UNKNOWN, cause="timeout")
DOWN = Answer(0, failure=NOT_SENT, cause="refused")


class Sending:
    """Lanes and delivery, with a clock that the test moves."""

    def __init__(
        self,
        *,
        max_updates: int = 2000,
        max_bytes: int = 1_000_000,
        linger: float = 0.0,
        slots: int = 8,
        resend: bool = True,
        fold: bool = True,
    ) -> None:
        limits = Limits(max_updates, max_bytes, linger, slots, fold=fold, resend_adds=resend)
        share = Share(limits, None)
        self.dispatch = Dispatch("default", len(OPENING), Wire(slots, shared=False), share, limits)
        self.lanes = self.dispatch.lanes
        self.delivery = Delivery(self.dispatch, resend)
        self.now = 0.0
        self.order = 0
        self.number = 0

    def push(self, *groups: str, verb: int = SET, size: int = 1) -> None:
        """One more record of each group."""
        for group in groups:
            self.order += 1
            record = Record(A, self.order, None, b"x", None, -1, self.now)
            item: object = 1 if verb == ADD else "x" * size
            tail = update_tail(Operation("company", group, verb, {f"p{verb}": item}))
            self.lanes.push(group_part(tail, verb), Entry(record, verb, tail, self.order))

    def start(self, after: float = 0.0) -> Batch | None:
        """What goes now; and `wake_at` knew whether there would be anything."""
        self.now += after
        self.number += 1
        awake = self.dispatch.wake_at(self.now) <= self.now
        batch = self.dispatch.start(self.now, self.number)
        assert awake == (batch is not None)
        return batch

    def batch(self, after: float = 0.0) -> Batch:
        """The batch that goes now."""
        batch = self.start(after)
        assert batch is not None
        return batch

    def all(self) -> list[Batch]:
        """Everything that goes now."""
        found = []
        batch = self.start()
        while batch is not None:
            found.append(batch)
            batch = self.start()
        return found

    def answer(self, batch: Batch, answer: Answer = OK, jitter: float = 0.0) -> Report:
        """The batch came back; what was decided is over."""
        report = self.delivery.answered(batch, answer, self.now, jitter)
        for update in [*report.accepted, *[decision.update for decision in report.decisions]]:
            if update.run.accepted(update) == OVER:
                self.lanes.release(update.run)
        return report

    def wait(self) -> float:
        """How long until something goes; NEVER while only an answer can change it."""
        at = self.dispatch.wake_at(self.now)
        return at if at >= NEVER else at - self.now


ACCEPTED = -1


def groups(batch: Batch) -> list[str]:
    """The group of each update, as the body says."""
    found = [update["$group_id"] for update in json.loads(body(batch))]
    assert found == [update.operation.group_id for update in batch.updates]
    return found


def kinds(report: Report) -> list[tuple[str, int]]:
    """What was decided on which group: those that are accepted first."""
    accepted = [(update.operation.group_id, ACCEPTED) for update in report.accepted]
    return accepted + [(decision.update.operation.group_id, decision.kind) for decision in report.decisions]


# When a batch goes.


def test_a_batch_waits_for_the_linger_of_its_oldest_record():
    """While another is under way a batch that is not full goes once its oldest record has waited."""
    sending = Sending(linger=1.0)
    assert sending.wait() == NEVER
    sending.push("first")
    sending.batch()
    sending.push("a")
    assert sending.wait() == 1.0
    sending.now = 0.5
    sending.push("b")
    assert sending.start() is None
    assert groups(sending.batch(after=0.5)) == ["a", "b"]


def test_while_nothing_is_under_way_a_batch_goes_at_a_pace():
    """At once after a rest; else eight a second, whatever it holds, and never later than the linger."""
    sending = Sending(linger=1.0)
    sending.now = 10.0
    sending.push("a")
    sending.answer(sending.batch())
    sending.push("b")
    assert sending.wait() == PACE
    assert sending.start(after=PACE / 2) is None
    sending.push("c")
    assert groups(sending.batch(after=PACE / 2)) == ["b", "c"]


def test_a_healthy_group_among_failing_batches_is_parted_from_the_poison_after_three():
    """Nothing else is fresh, and nothing succeeds: a few of each batch ask, so that one of them may."""
    sending = Sending()
    sending.push("poison-1")
    lone = sending.batch()
    sending.push("poison-2", "g")
    both = sending.batch()
    fails = Answer(500, b"")
    for _ in range(3):
        assert groups(both) == ["poison-2", "g"]
        sending.answer(lone, fails)
        sending.answer(both, fails)
        sending.now += 60.0
        going = sending.all()
        lone, both = going[0], going[1]
    assert sorted(groups(batch)[0] for batch in going) == ["g", "poison-1", "poison-2"]


def test_while_requests_fail_no_batch_goes_before_its_linger():
    """Small batches would only be more of what fails."""
    sending = Sending(linger=1.0)
    sending.push("a")
    sending.answer(sending.batch(), Answer(503, b""))
    sending.push("b")
    assert groups(sending.batch(after=0.9)) == ["a"]
    assert sending.wait() == pytest.approx(0.1)


def apart() -> tuple[Sending, Batch, Batch]:
    """Two groups, each with a change that waits behind its request; one was sent 50 ms after the other."""
    sending = Sending(linger=1.0, fold=False)
    sending.dispatch.under_way.took(0.1)
    sending.push(*"aabb")
    sending.now = 1.0
    sending.dispatch.throttle.fresh_updates = 1
    first, second = sending.batch(), sending.batch(after=0.05)
    sending.dispatch.throttle.fresh_updates = 2000
    assert (groups(first), groups(second)) == (["a"], ["b"])
    sending.now += 0.05
    return sending, first, second


def test_groups_that_came_back_go_on_with_those_of_the_next_request():
    """What was torn apart is one chain again."""
    sending, first, second = apart()
    sending.answer(first)
    assert sending.wait() == pytest.approx(0.1)  # a request that takes half as long again as usual is late
    sending.now += 0.05
    sending.answer(second)
    assert groups(sending.batch()) == ["a", "b"]


def test_groups_that_came_back_do_not_wait_for_a_late_request():
    """It may never come back."""
    sending, first, _ = apart()
    sending.answer(first)
    assert sending.start() is None
    assert groups(sending.batch(after=0.1)) == ["a"]


@pytest.mark.parametrize("usual", [1.0, 20.0])
def test_groups_that_came_back_wait_a_quarter_of_a_second_at_most(usual: float):
    """However slow Mixpanel is."""
    sending, first, _ = apart()
    for _ in range(16):
        sending.dispatch.under_way.took(usual)
    sending.answer(first)
    assert sending.wait() == pytest.approx(0.25)


def test_groups_that_came_back_do_not_wait_for_one_that_failed():
    """They go at once."""
    sending, first, second = apart()
    sending.answer(first)
    sending.answer(second, Answer(500))
    assert groups(sending.batch()) == ["a"]


def test_a_full_batch_does_not_wait():
    """As many ready groups as updates fit in a request: it goes at once, and the rest waits."""
    sending = Sending(linger=1.0, max_updates=2)
    sending.push("a", "b", "c")
    assert groups(sending.batch()) == ["a", "b"]
    assert sending.start() is None
    assert sending.wait() == 1.0


def test_a_drain_does_not_wait():
    """While partitions drain nothing lingers."""
    sending = Sending(linger=1.0)
    sending.push("a")
    sending.dispatch.draining = True
    assert groups(sending.batch()) == ["a"]


def test_no_more_than_the_slots_are_in_flight():
    """`MAX_IN_FLIGHT` requests at once; a slot is free with the answer."""
    sending = Sending(slots=2, max_updates=1)
    sending.push("a", "b", "c")
    first, _ = sending.all()
    assert sending.wait() == NEVER
    sending.answer(first)
    assert groups(sending.batch()) == ["c"]


def test_batches_have_numbers_of_their_own():
    """The number tells one batch from another in the logs, through all its attempts."""
    sending = Sending(max_updates=1)
    sending.push("a", "b")
    first, second = sending.all()
    sending.answer(first, TIMEOUT)
    assert sending.batch(after=1.0) is first
    assert (first.number, second.number) == (1, 2)


def test_nothing_starts_that_cannot_finish_before_the_deadline():
    """Recent latency says what can still finish: beyond the deadline of a drain nothing is started."""
    sending = Sending()
    sending.push("a", "b")
    sending.dispatch.deadline = 10.0
    sending.answer(sending.batch(), Answer(200, b"1", seconds=3.0))
    sending.push("a")
    sending.now = 7.0
    assert sending.wait() <= 0.0
    sending.now = 7.5
    assert sending.start() is None
    assert sending.wait() == NEVER


def test_only_recent_latency_counts():
    """One slow request is forgotten after sixteen others."""
    sending = Sending()
    for seconds in [9.0] + [0.5] * 15:
        sending.push("a")
        sending.answer(sending.batch(), Answer(200, b"1", seconds=seconds))
    assert sending.dispatch.under_way.expected == 9.0
    sending.push("a")
    sending.answer(sending.batch(), Answer(200, b"1", seconds=0.25))
    assert sending.dispatch.under_way.expected == 0.5


# What answers decide.


def test_an_accepted_request_decides_everything():
    """All its updates are accepted, and its groups go on."""
    sending = Sending()
    sending.push("a", "b")
    report = sending.answer(sending.batch())
    assert (report.outcome, kinds(report)) == ("accepted", [("a", ACCEPTED), ("b", ACCEPTED)])
    assert len(sending.lanes) == 0


def test_a_partial_answer_decides_each_by_its_index():
    """Those at the indexes are refused in Mixpanel's words, the others accepted."""
    sending = Sending()
    sending.push("a", "b", "c")
    report = sending.answer(sending.batch(), refuse(1, status=400, reason="no", taken=2))
    assert (report.outcome, kinds(report)) == ("partial", [("a", ACCEPTED), ("c", ACCEPTED), ("b", REFUSED)])
    [refused] = report.decisions
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.refusal.status, refused.refusal.message) == ("rejected", 400, "no")


# Waiting.


@pytest.mark.parametrize("answer", [TIMEOUT, DOWN, Answer(500), Answer(408), Answer(200), Answer(504)])
@pytest.mark.parametrize("jitter", [0.0, 0.999])
def test_the_first_retry_comes_at_once_and_waits_double_to_thirty_seconds(answer: Answer, jitter: float):
    """Equal jitter: half of the wait is fixed, half is chance. No attempt is the last."""
    sending = Sending(slots=1)
    sending.push("a")
    batch = sending.batch()
    for longest in (*(0.04 * 2**number for number in range(10)), 30, 30, 30, 30, 30, 30, 30, 30):
        report = sending.answer(batch, answer, jitter)
        assert report.outcome == "retry"
        assert report.wait == pytest.approx(longest / 2 * (1 + jitter))
        assert sending.wait() == pytest.approx(report.wait)
        assert sending.batch(after=sending.wait()) is batch


def test_a_batch_that_waits_keeps_its_place():
    """A failing Mixpanel never sees more requests than a healthy one."""
    sending = Sending(slots=2, max_updates=1)
    sending.push("a", "b", "c")
    first, second = sending.all()
    for batch in (first, second):
        sending.answer(batch, TIMEOUT)
        assert sending.start() is None
    sending.now = 1.0
    for batch in sending.all():
        sending.answer(batch, TIMEOUT)
    sending.now = 1.01
    assert sending.start() is None
    assert {groups(batch)[0] for batch in (sending.batch(after=3.0), sending.batch())} == {"a", "b"}


def test_one_success_ends_the_waiting_of_the_others():
    """Mixpanel is back: whoever waited for it goes at once."""
    sending = Sending(slots=3, max_updates=1)
    sending.push("a", "b", "c")
    first, second, third = sending.all()
    for _ in range(12):
        for batch in (first, second):
            sending.answer(batch, Answer(500))
        sending.now += 30.0
        assert set(sending.all()) == {first, second}
    for batch in (first, second):
        sending.answer(batch, Answer(500))
    assert sending.wait() == 15.0
    sending.answer(third)
    assert set(sending.all()) == {first, second}


def test_most_of_an_outage_is_waited_through():
    """Once failures dominate, the first retry of a batch waits, too."""
    sending = Sending(max_updates=1, slots=8)
    sending.push(*"abcdefgh")
    waits = [sending.answer(batch, Answer(500)).wait for batch in sending.all()]
    assert (waits[0], waits[-1]) == (0.02, 0.02)
    sending.now += 60.0
    for batch in sending.all():
        sending.answer(batch, Answer(500))
    sending.now += 60.0
    waits = [sending.answer(batch, Answer(500)).wait for batch in sending.all()]
    assert (waits[0], waits[-1]) == (0.08, 4.0)
    assert not sending.dispatch.budget.most_succeed


def test_an_overload_is_retried_at_once_within_the_budget_only():
    """502 and 503: a few at once, the others as Mixpanel asks."""
    sending = Sending(max_updates=1, slots=8)
    waits = []
    for number in range(13):
        sending.push(f"g{number}")
        waits.append(sending.answer(sending.batch(), Answer(503)).wait)
        for batch in sending.dispatch.backlog.batches():
            sending.dispatch.backlog.waiting.batches.remove(batch)
    assert waits[:10] == [0.02] * 10
    assert waits[10:] == [3.0] * 3


def test_a_time_out_halves_fresh_batches_and_success_doubles_them():
    """A batch too large for the time-out finds its size, down to one update, and back."""
    sending = Sending(max_updates=8)
    sending.push(*"abcdefgh")
    first = sending.batch()
    sending.answer(first, TIMEOUT)
    assert sending.dispatch.throttle.fresh_updates == 4
    sending.answer(sending.batch(after=1.0))
    assert sending.dispatch.throttle.fresh_updates == 8


def test_a_batch_that_was_taken_says_that_its_size_is_none_too_many():
    """Its time-outs were chance."""
    sending = Sending(max_updates=8)
    sending.push(*"abcdefgh")
    batch = sending.batch()
    for _ in range(2):
        sending.answer(batch, TIMEOUT)
        batch = sending.batch(after=1.0)
    assert sending.dispatch.throttle.fresh_updates == 2
    sending.answer(batch)
    assert sending.dispatch.throttle.fresh_updates == 8


# Whose fault it is.


@pytest.mark.parametrize(
    "answers",
    [
        *[[answer] for answer in (Answer(500), TIMEOUT, Answer(200), Answer(408), Answer(503), Answer(403))],
        [TIMEOUT, Answer(502)],
        [Answer(500), Answer(403)],
        [Answer(429, retry_after=1.0), Answer(504)],
        [Answer(500), Answer(502), Answer(503), Answer(504), Answer(200)],
    ],
)
def test_a_poisonous_update_is_found_beside_others_that_succeed(answers: list[Answer]):
    """Whatever the faults, in turns, too: the request that meets them is cut, and every other update is accepted."""
    faults = itertools.cycle(answers)
    sending = Sending(slots=8, linger=0.0)
    names = [f"g{number}" for number in range(200)]
    sending.push(*names)
    accepted: set[str] = set()
    for _ in range(400):
        wait = sending.wait()
        if wait == NEVER or len(accepted) == 199:
            break
        batch = sending.batch(after=max(0.0, wait))
        bad = "g77" in groups(batch)
        report = sending.answer(batch, next(faults) if bad else OK)
        accepted.update(group for group, kind in kinds(report) if kind == ACCEPTED)
        assert all(kind == ACCEPTED for _, kind in kinds(report))
    assert accepted == set(names) - {"g77"}
    assert sending.now < 60.0
    sending.push("fresh")
    assert groups(sending.batch()) == ["fresh"]


def fail_for_ever(sending: Sending, groups_: list[str]) -> None:
    """Let these groups be answered by 500 beside others that succeed, until each is a suspect by itself."""
    sending.push(*groups_)
    for number in range(400):
        alone = [batch for batch in sending.dispatch.suspects() if len(batch.updates) == 1]
        if len(alone) == len(groups_):
            return
        sending.push(f"good{number}")
        for batch in sending.all():
            sending.answer(batch, Answer(500) if set(groups(batch)) & set(groups_) else OK)
        sending.now += 5.0
    raise AssertionError("they were never found")


def test_suspects_hold_no_place_and_go_one_at_a_time():
    """Eight records that are answered by 500 for ever leave every place to the others."""
    sending = Sending(max_updates=1, slots=8)
    fail_for_ever(sending, [f"bad{number}" for number in range(8)])
    sending.push(*[f"more{number}" for number in range(20)])
    sending.now += 200.0
    flying = sending.all()
    assert len([batch for batch in flying if batch.suspect]) <= 1
    assert len([batch for batch in flying if not batch.suspect]) >= 7


def test_a_suspect_alone_waits_for_five_seconds_doubling_to_two_minutes():
    """And nobody waits for it."""
    sending = Sending(max_updates=1, slots=2)
    fail_for_ever(sending, ["bad"])
    (suspect,) = sending.dispatch.suspects()
    assert sending.now - 5.0 <= suspect.due <= sending.now
    waits = []
    for _ in range(6):
        batch = sending.batch(after=sending.wait())
        assert groups(batch) == ["bad"]
        waits.append(sending.answer(batch, Answer(500)).wait)
    assert waits == [10.0, 20.0, 40.0, 80.0, 120.0, 120.0]


def test_a_suspect_alone_that_meets_another_fault_for_once_goes_again_soon():
    """A fault that hits one request of four is no sign that this one always fails."""
    sending = Sending(slots=2)
    sending.push("a", "b")
    batch = sending.batch()
    for _ in range(2):
        sending.answer(batch, Answer(500))
        sending.push("good")
        sending.answer(sending.batch())
        batch = sending.batch(after=sending.wait())
    assert (batch.suspect, groups(batch)) == (True, ["a"])
    assert sending.answer(batch, Answer(504)).wait == 0.02
    sending.answer(sending.batch())  # its other part is well
    assert sending.answer(sending.batch(after=0.02), Answer(504)).wait >= 5.0


@pytest.mark.parametrize("slots", [1, 8])
@pytest.mark.parametrize("count", [1, 2_000])
def test_a_429_that_one_record_meets_alone_slows_nobody_down_for_long(count: int, slots: int):
    """Four times in a row, and others got through meanwhile: it is its own, and waits by itself, as asked."""
    sending = Sending(slots=slots)
    names = ["poison", *[f"g{number}" for number in range(1, count)]]
    sending.push(*names)
    accepted: set[str] = set()
    for number in range(200):
        sending.push(f"fresh{number}")
        batch = sending.batch(after=max(0.0, sending.wait()))
        bad = "poison" in groups(batch)
        report = sending.answer(batch, Answer(429, retry_after=3.0) if bad else OK)
        if bad and batch.suspect and len(groups(batch)) == 1:
            assert report.wait >= 5.0
            break
        accepted.update(group for group, _ in kinds(report))
    while len(accepted & set(names)) < count - 1:
        batch = sending.batch(after=max(0.0, sending.wait()))
        accepted.update(group for group, _ in kinds(sending.answer(batch)))
    assert sending.now < 40.0
    sending.push("last")
    assert "last" in groups(sending.batch())
    assert sending.dispatch.throttle.resume_at <= sending.now


# Capacity.


def test_retry_after_is_honoured_by_the_whole_project():
    """After a 429 nothing at all is sent until Mixpanel said so; the batch keeps its slot."""
    sending = Sending(max_updates=1)
    sending.push("a", "b")
    limited = sending.batch()
    report = sending.answer(limited, Answer(429, retry_after=7.0))
    assert (report.outcome, report.cause, report.wait) == ("retry", "429", 7.0)
    assert sending.dispatch.throttle.slowed(sending.now)
    assert sending.wait() == 7.0
    assert sending.start(after=6.9) is None
    assert sending.batch(after=0.1) is limited


@pytest.mark.parametrize(("asked", "waited"), [(0.0, 0.5), (0.1, 0.5), (30.0, 30.0), (1e9, 3600.0)])
def test_a_retry_after_has_bounds(asked: float, waited: float):
    """No busy loop for a zero, and no standstill for a date in the next century."""
    sending = Sending()
    sending.push("a")
    assert sending.answer(sending.batch(), Answer(503, retry_after=asked)).wait == waited


@pytest.mark.parametrize(("jitter", "added"), [(0.0, 1.0), (1.0, 5.0)])
def test_without_retry_after_the_waits_are_those_of_mixpanels_page(jitter: float, added: float):
    """2 s doubling to 60 s, and 1 to 5 s of chance."""
    sending = Sending()
    sending.push("a")
    batch = sending.batch()
    for wait in (2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
        assert sending.answer(batch, Answer(429), jitter).wait == wait + added
        assert sending.batch(after=sending.wait()) is batch


def test_what_was_tried_at_once_does_not_lengthen_the_waits_after_it():
    """An overload that outlasts the budget begins with 2 s, however many retries at once came before."""
    sending = Sending()
    sending.push("a")
    batch, waits = sending.batch(), []
    for _ in range(int(SAVED_RETRIES) + 4):
        waits.append(sending.answer(batch, Answer(503), 0.0).wait)
        assert sending.batch(after=sending.wait()) is batch
    assert waits[-4:] == [3.0, 5.0, 9.0, 17.0]
    assert sending.answer(batch, Answer(429), 0.0).wait == 33.0


def test_capacity_halves_the_slots_and_success_gives_them_back_one_by_one():
    """Down to one request at a time, never to none; up again with each success, never beyond the setting."""
    sending = Sending(max_updates=1, slots=8)
    sending.push(*"abcdefghijklmnop")
    flying = sending.all()
    assert len(flying) == 8
    for batch in flying:
        sending.answer(batch, Answer(429, retry_after=1.0))
    sending.now += 1.0
    for at_once in (1, 2, 3, 4, 5, 6, 7, 8, 8):
        assert sending.dispatch.throttle.allowed == at_once
        batch = sending.batch(after=60.0)
        sending.answer(batch)
        sending.push(f"more{at_once}", f"again{at_once}")
    assert not sending.dispatch.throttle.slowed(sending.now)


def test_the_service_is_slowed_while_it_waits_and_while_it_has_fewer_slots():
    """Either is told: the wait after a 429, and the slots that are not yet given back."""
    sending = Sending(slots=1)
    sending.push("a")
    batch = sending.batch()
    sending.answer(batch, Answer(429, retry_after=5.0))
    assert sending.dispatch.throttle.slowed(4.9)
    assert not sending.dispatch.throttle.slowed(5.0)
    sending = Sending(slots=4)
    sending.push("a")
    batch = sending.batch()
    sending.answer(batch, Answer(429, retry_after=5.0))
    assert sending.dispatch.throttle.slowed(5.0)


def test_a_success_does_not_hurry_what_waits_for_capacity():
    """Only transient waits end early; Retry-After is kept to the end."""
    sending = Sending(max_updates=1, slots=4)
    sending.push("a", "b")
    first, second = sending.all()
    sending.answer(first, Answer(429, retry_after=9.0))
    sending.answer(second)
    assert sending.wait() == 9.0


# Halts.


@pytest.mark.parametrize("status", [401, 403, 404, 302, 418, 400])
def test_a_halt_stops_everything_but_a_probe(status: int):
    """Credentials or configuration: one batch asks: at once where most requests succeed, then after 5 to 10 s."""
    sending = Sending(max_updates=1)
    sending.push("a", "b", "c")
    first, second, third = sending.all()
    report = sending.answer(first, Answer(status), jitter=0.5)
    assert (report.outcome, report.cause, sending.dispatch.halt.cause) == ("halt", str(status), str(status))
    sending.push("d")
    sending.answer(second, Answer(status), jitter=0.9)
    assert sending.wait() == 0.03
    probe = sending.batch(after=0.03)
    assert groups(probe) == ["d"]
    assert sending.wait() == NEVER
    sending.answer(third, Answer(status), jitter=0.0)
    assert sending.wait() == NEVER
    sending.answer(probe, Answer(status), jitter=0.5)
    assert sending.wait() == 7.5


def test_where_most_requests_fail_a_halt_is_asked_about_later():
    """There is no reason to think that it is this batch's own."""
    sending = Sending()
    for _ in range(100):
        sending.dispatch.budget.failed()
    sending.push("a")
    sending.answer(sending.batch(), Answer(401))
    assert sending.wait() == 5.0


def test_halts_that_end_at_once_have_a_budget():
    """One for ten requests that succeed: a proxy that refuses every third does not halt and go on all the time."""
    sending = Sending(max_updates=1)
    waits = []
    for number in range(11):
        sending.push(f"bad{number}")
        sending.answer(sending.batch(), Answer(403))
        sending.push(f"good{number}")
        waits.append(sending.wait())
        sending.answer(sending.batch(after=sending.wait()))
        for batch in sending.dispatch.backlog.batches():
            sending.dispatch.backlog.waiting.batches.remove(batch)
    assert waits == [*[pytest.approx(0.02)] * 10, pytest.approx(5.0)]


def test_a_record_that_is_answered_with_403_costs_others_a_request():
    """A few of what waits ask at once; then only the batch with the record in it is cut."""
    sending = Sending(max_updates=100)
    sending.push("bad", *[f"with{number}" for number in range(99)])
    batch = sending.batch()
    sending.push(*[f"after{number}" for number in range(100)])
    sending.answer(batch, Answer(403))
    few = sending.batch(after=sending.wait())
    assert len(few.updates) == 8
    sending.answer(few)
    assert sending.now == 0.02
    again, others = sending.all()
    assert (groups(again)[0], len(others.updates)) == ("bad", 92)
    sending.answer(again, Answer(403))
    assert sending.dispatch.halt.cause == ""
    assert {len(part.updates) for part in sending.dispatch.suspects()} <= {12, 13}


def test_a_halt_ends_with_the_first_answer_of_mixpanel():
    """It recovers by itself: the probe's success lets everything go at once."""
    sending = Sending(max_updates=1)
    sending.push("a", "b")
    for batch in sending.all():
        sending.answer(batch, Answer(401))
    probe = sending.batch(after=5.0)
    sending.answer(probe)
    assert sending.dispatch.halt.cause == ""
    assert len(sending.all()) == 1


def test_a_refusal_ends_a_halt_too():
    """A body of Mixpanel's is proof that the credentials were read."""
    sending = Sending()
    sending.push("a", "b")
    sending.answer(sending.batch(), Answer(403))
    sending.answer(sending.batch(after=5.0), refuse(0))
    assert sending.dispatch.halt.cause == ""


@pytest.mark.parametrize("answer", [Answer(500), TIMEOUT, Answer(429), Answer(429, retry_after=1.0)])
def test_a_probe_that_fails_otherwise_is_followed_by_another(answer: Answer):
    """A halted service goes on asking, whatever comes between."""
    sending = Sending()
    sending.push("a")
    batch = sending.batch()
    sending.answer(batch, Answer(401))
    for _ in range(20):
        assert sending.batch(after=sending.wait()) is batch
        sending.answer(batch, answer)
        assert sending.dispatch.halt.cause == "401"
        assert 0.5 <= sending.wait() <= 70.0
    sending.answer(sending.batch(after=sending.wait()))
    assert sending.dispatch.halt.cause == ""


def test_the_next_probe_is_as_far_away_after_any_failure():
    """5 to 10 s, also where the probe met a server error instead of the answer that halted."""
    sending = Sending()
    sending.push("a")
    batch = sending.batch()
    sending.answer(batch, Answer(401))
    sending.answer(sending.batch(after=5.0), Answer(500), jitter=0.5)
    assert sending.wait() == 7.5


def test_a_halted_service_without_work_sleeps():
    """Once its batches were revoked there is nothing to ask with: no time is named, and new records are the probe."""
    sending = Sending(linger=1.0)
    sending.push("a")
    batch = sending.batch(after=1.0)
    sending.answer(batch, Answer(401))
    batch.updates[0].run.abandoned()
    sending.dispatch.backlog.strip()
    sending.now += 60.0
    assert sending.wait() == NEVER
    assert sending.start() is None
    sending.push("b")
    assert sending.wait() == 1.0
    assert groups(sending.batch(after=1.0)) == ["b"]


def test_a_success_of_an_earlier_request_does_not_end_a_halt():
    """It had started before the credentials were refused; one that started after ends it."""
    sending = Sending(max_updates=1)
    sending.push("a", "b")
    first, second = sending.all()
    sending.answer(first, Answer(401))
    sending.answer(second)
    assert sending.dispatch.halt.cause == "401"
    sending.push("c")
    probe = sending.batch(after=5.0)
    assert groups(probe) == ["c"]
    sending.answer(probe)
    assert sending.dispatch.halt.cause == ""


def test_another_token_is_asked_with_at_once():
    """Halted by the old one: the next probe does not wait, and its success lets everything go."""
    sending = Sending(max_updates=1)
    sending.push("a", "b")
    for batch in sending.all():
        sending.answer(batch, Answer(401), jitter=0.5)
    sending.answer(sending.batch(after=sending.wait()), Answer(401), jitter=0.5)
    assert sending.wait() == 7.5
    sending.dispatch.token_changed(100, sending.now)
    probe = sending.batch()
    assert sending.start() is None
    sending.answer(probe)
    assert sending.dispatch.halt.cause == ""
    assert len(sending.all()) == 1
    assert sending.lanes.opening == 100


@pytest.mark.parametrize("answer", [Answer(403), Answer(500), TIMEOUT])
def test_what_the_old_token_met_says_nothing_of_the_new_one(answer: Answer):
    """A probe that was under way as the token changed is followed by another at once; that one counts."""
    sending = Sending(max_updates=1)
    sending.push("a", "b")
    first, second = sending.all()
    sending.answer(first, Answer(403))
    probe = sending.batch(after=5.0)
    sending.dispatch.token_changed(100, sending.now)
    assert sending.start() is None
    sending.answer(probe, answer, jitter=0.5)
    again = sending.batch()
    sending.answer(second, Answer(403), jitter=0.5)
    sending.answer(again, Answer(403), jitter=0.5)
    assert sending.wait() == 7.5


def test_a_halt_by_the_old_token_alone_is_over_at_once():
    """It was refused after the new one came: nothing waits for a probe's time."""
    sending = Sending(max_updates=1)
    sending.push("a")
    batch = sending.batch()
    sending.dispatch.token_changed(100, sending.now)
    sending.answer(batch, Answer(401), jitter=0.5)
    assert sending.dispatch.halt.cause == "401"
    sending.answer(sending.batch())
    assert sending.dispatch.halt.cause == ""


def test_a_suspect_that_asked_in_part_goes_on_after_the_halt():
    """It waits for its own time, and not for an end of the halt: that is told to what is no suspect."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"plan": 1}, "a"), ("SET", {"plan": 1}, "b"))
    batch = machine.one()
    machine.answer(batch, Answer(500))
    dispatch = machine.pipeline.destinations.by_name["default"].dispatch
    dispatch.backlog.waiting.batches.clear()
    dispatch.backlog.suspect(batch.updates, batch.history, machine.now + 5.0)
    dispatch.halt.begin(batch, "403", dispatch.under_way.started, machine.now, 0.0, soon=False)
    probe = machine.one(after=10.0)
    assert len(probe.updates) == 1
    machine.answer(probe)
    machine.answer(machine.one(after=10.0))
    assert machine.commit(partition) == 2


def test_probes_rotate_over_batches():
    """Each probe is another batch; where one succeeds, the halt was the other's alone, and does not come back."""
    sending = Sending(max_updates=1)
    sending.push("bad", "good")
    bad, good = sending.all()
    sending.answer(bad, Answer(403))
    sending.answer(good, Answer(500))
    probe = sending.batch(after=5.0)
    assert groups(probe) == ["bad"] or groups(probe) == ["good"]
    for _ in range(6):
        sending.answer(probe, Answer(403) if groups(probe) == ["bad"] else OK)
        if not sending.dispatch.halt.cause:
            break
        probe = sending.batch(after=sending.wait())
    assert sending.dispatch.halt.cause == ""
    again = sending.batch(after=sending.wait())
    assert groups(again) == ["bad"]
    sending.answer(again, Answer(403))
    assert sending.dispatch.halt.cause == ""


def test_a_lone_batch_asks_with_a_part_of_itself():
    """There is nothing else to ask with: a few of its updates tell whether it is Mixpanel."""
    sending = Sending()
    sending.push(*[f"g{number}" for number in range(100)])
    sending.answer(sending.batch(), Answer(422))
    assert len(sending.batch(after=5.0).updates) == 8


# Splitting.


def split(sending: Sending) -> list[list[str]]:
    """Send and accept everything; the groups of each request."""
    found = []
    batch = sending.start()
    while batch is not None:
        found.append(groups(batch))
        sending.answer(batch)
        batch = sending.start()
    return found


def test_an_opaque_answer_is_bisected_down_to_the_update_that_is_refused():
    """Halves under the same lane locks, until one update alone is refused; all others are accepted."""
    sending = Sending()
    sending.push(*"abcdefgh")
    pending = [sending.batch()]
    refused, accepted, requests = [], [], 0
    while pending:
        batch = pending.pop()
        requests += 1
        report = sending.answer(batch, opaque() if "c" in groups(batch) else OK)
        for group, kind in kinds(report):
            (refused if kind == REFUSED else accepted).append(group)
        pending += sending.all()
    assert (refused, sorted(accepted), requests) == (["c"], list("abdefgh"), 7)


def test_parts_of_refused_requests_and_what_has_waited_for_a_second_go_in_turn():
    """Who is to blame may be looked for with more requests than there are places: others go meanwhile."""
    sending = Sending(slots=1)
    sending.push(*"abcdefgh")
    sending.answer(sending.batch(), opaque())
    sending.push("fresh")
    first = sending.batch(after=0.5)
    sending.answer(first, opaque())
    second = sending.batch(after=1.0)
    sending.push("more")
    sending.answer(second)
    third = sending.batch(after=1.5)
    assert [groups(batch) for batch in (first, second, third)] == [[*"abcd"], ["fresh"], [*"efgh"]]


def test_an_opaque_update_alone_is_refused_with_its_words():
    """A single update needs no index to be placed."""
    sending = Sending()
    sending.push("a")
    report = sending.answer(sending.batch(), opaque())
    [decision] = report.decisions
    assert decision.refusal is not None
    assert (decision.kind, decision.refusal.reason, decision.refusal.message) == (REFUSED, "rejected", "bad")
    assert decision.refusal.status == 200


def test_halves_that_share_a_group_go_one_after_the_other():
    """A group is in at most one request in flight, also while its batch is bisected."""
    sending = Sending()
    sending.push("a")
    sending.push("a", verb=UNSET)
    sending.answer(sending.batch(), opaque())
    [first] = sending.all()
    assert sending.wait() == NEVER
    sending.answer(first)
    [second] = sending.all()
    assert groups(second) == ["a"]
    assert first.updates[0].operation.verb != second.updates[0].operation.verb


def test_halves_are_cut_between_groups():
    """A run is cut only where there is nothing else to cut."""
    sending = Sending()
    sending.push("a", "b")
    sending.push("b", verb=UNSET)
    sending.push("c")
    sending.answer(sending.batch(), opaque())
    assert split(sending) in ([["a"], ["b", "b", "c"]], [["a", "b", "b"], ["c"]])


def test_a_run_of_many_updates_is_not_cut_while_there_is_another_place():
    """However far from the middle it is."""
    sending = Sending()
    sending.push("a", "b")
    sending.push("b", verb=UNSET)
    sending.push("b", verb=ADD)
    sending.answer(sending.batch(), opaque(0))
    assert split(sending) == [["a"], ["b", "b", "b"]]


def test_halves_go_before_new_batches():
    """What was begun is ended first."""
    sending = Sending(slots=1)
    sending.push("a", "b")
    sending.answer(sending.batch(), opaque())
    sending.push("c")
    assert split(sending) == [["a"], ["b"], ["c"]]


def test_a_lone_batch_that_fails_again_and_again_asks_with_a_few_of_its_updates():
    """Nothing else can tell whether it is Mixpanel: after the third failure a few go by themselves."""
    sending = Sending()
    sending.push(*[f"g{number}" for number in range(100)])
    batch = sending.batch()
    for _ in range(2):
        sending.answer(batch, Answer(500))
        assert sending.batch(after=sending.wait()) is batch
    sending.answer(batch, Answer(500))
    few = sending.batch(after=sending.wait())
    assert len(few.updates) == 8
    assert len(batch.updates) == 92


def test_an_outage_parts_no_batch_for_long():
    """However long nothing succeeds: a few parts ask, and the rest of the batch is as it was."""
    sending = Sending()
    sending.push(*[f"g{number}" for number in range(2000)])
    for _ in range(200):
        for batch in sending.all():
            sending.answer(batch, Answer(500))
        sending.now += 60.0
    pending = sending.dispatch.backlog.batches()
    assert len(pending) <= 17
    assert not sending.dispatch.suspects()
    assert sum(len(batch.updates) for batch in pending) == 2000


@pytest.mark.parametrize("other", [Answer(502), TIMEOUT, Answer(200), Answer(408)])
def test_another_error_begins_the_count_anew(other: Answer):
    """Three failures of two kinds are no sign of one bad update yet: an outage changes its face."""
    sending = Sending(slots=2)
    sending.push("a", "b")
    batch = sending.batch()
    for answer in (Answer(500), other, Answer(500)):
        assert sending.answer(batch, answer).outcome == "retry"
        sending.push("good")
        sending.now += 60.0
        for one in sending.all():
            if one is not batch:
                sending.answer(one)
    assert not sending.dispatch.suspects()


def test_a_413_halves_and_is_remembered():
    """Later batches stay below what was too large, and come near it."""
    sending = Sending()
    sending.push(*"abcd", size=100_000)
    batch = sending.batch()
    assert sending.answer(batch, Answer(413)).outcome == "too_large"
    sending.push(*"efgh", size=100_000)
    assert split(sending) == [["a", "b"], ["c", "d"], ["e", "f", "g"], ["h"]]


def test_a_413_never_makes_batches_smaller_than_64_kib_nor_larger_than_the_setting():
    """A proxy with a tiny limit must not grind the service down; and a small setting is not raised."""
    sending = Sending()
    for _ in range(20):
        sending.push("a", "b")
        sending.answer(sending.batch(), Answer(413))
        split(sending)
    sending.push(*"abcdef", size=20_000)
    assert split(sending) == [["a", "b", "c"], ["d", "e", "f"]]
    small = Sending(max_bytes=500)
    small.push("a", "b", "c", size=100)
    small.answer(small.batch(), Answer(413))
    split(small)
    small.push(*"abcdef", size=100)
    assert max(len(request) for request in split(small)) == 2


def test_a_single_update_that_is_too_large_is_refused():
    """It cannot be halved: the reason is its own."""
    sending = Sending()
    sending.push("a")
    [decision] = sending.answer(sending.batch(), Answer(413, b"page")).decisions
    assert decision.refusal is not None
    assert (decision.kind, decision.refusal.reason) == (REFUSED, "too_large")
    assert (decision.refusal.status, decision.refusal.message) == (413, "page")


# `$add`.


@pytest.mark.parametrize(
    "answer", [TIMEOUT, Answer(200), Answer(408), Answer(500), Answer(502), Answer(503), Answer(504)]
)
def test_an_add_of_an_unknown_outcome_is_ambiguous_where_it_may_not_repeat(answer: Answer):
    """`AMBIGUOUS_ADD=dead-letter`: the `$add` leaves the batch, the rest goes again."""
    sending = Sending(resend=False)
    sending.push("a", "c")
    sending.push("b", verb=ADD)
    batch = sending.batch()
    report = sending.answer(batch, answer)
    assert kinds(report) == [("b", AMBIGUOUS)]
    assert groups(sending.batch(after=2.0)) == ["a", "c"]


@pytest.mark.parametrize(
    "answer", [DOWN, Answer(429), Answer(401), Answer(200, b'{"status":0,"error":"temporary","num_good_events":0}')]
)
def test_an_add_known_not_to_be_applied_goes_again(answer: Answer):
    """Refused connections, 429, a halt, and an answer that says so: nothing is ambiguous in them."""
    sending = Sending(resend=False)
    sending.push("a")
    sending.push("b", verb=ADD)
    batch = sending.batch()
    assert sending.answer(batch, answer).decisions == []
    sending.now += 60.0
    assert groups(sending.batch()) in (["a", "b"], ["a"])


def test_an_add_is_sent_again_where_it_may_repeat():
    """`AMBIGUOUS_ADD=resend`: at least once, in the same batch."""
    sending = Sending()
    sending.push("a")
    sending.push("b", verb=ADD)
    batch = sending.batch()
    assert sending.answer(batch, TIMEOUT).decisions == []
    assert groups(sending.batch(after=2.0)) == ["a", "b"]


def test_a_batch_of_ambiguous_adds_alone_gives_its_slot_back():
    """Nothing is left to send, so nothing waits."""
    sending = Sending(resend=False, slots=1)
    sending.push("b", verb=ADD)
    sending.answer(sending.batch(), TIMEOUT)
    assert sending.wait() == NEVER
    assert sending.dispatch.backlog.batches() == []
    sending.push("a")
    assert sending.start() is not None


def test_after_an_opaque_answer_each_add_goes_at_most_once_more_and_alone():
    """Nobody knows whether it was applied: it leaves the halves, so that bisecting does not repeat it."""
    sending = Sending()
    sending.push("a", "b")
    sending.push("m", "n", verb=ADD)
    sending.answer(sending.batch(), opaque())
    sent = dict.fromkeys("abmn", 0)
    batch = sending.start()
    while batch is not None:
        names = groups(batch)
        for group in names:
            sent[group] += 1
        assert len(names) == 1 or not {"m", "n"} & set(names)
        sending.answer(batch, opaque())
        batch = sending.start()
    assert (sent["m"], sent["n"]) == (1, 1)


def test_after_an_opaque_answer_an_add_that_may_not_repeat_is_ambiguous():
    """Unless the count says that none was applied: then it is bisected with the others."""
    for answer, expected in ((opaque(), ["m"]), (opaque(1), ["m"]), (opaque(0), [])):
        sending = Sending(resend=False)
        sending.push("a", "b")
        sending.push("m", verb=ADD)
        report = sending.answer(sending.batch(), answer)
        assert [group for group, kind in kinds(report) if kind == AMBIGUOUS] == expected
        left = ["a", "b", "m"] if not expected else ["a", "b"]
        assert sorted(group for request in split(sending) for group in request) == left


def test_one_update_beside_an_ambiguous_add_goes_again_as_it_is():
    """There is nothing left to halve."""
    for resend, expected in ((True, [["m"], ["a"]]), (False, [["a"]])):
        sending = Sending(resend=resend)
        sending.push("a")
        sending.push("m", verb=ADD)
        sending.answer(sending.batch(), opaque())
        assert split(sending) == expected


def test_an_opaque_batch_of_adds_that_none_was_applied_of_is_halved():
    """A count of zero makes it safe to bisect `$add`s like anything else."""
    sending = Sending()
    sending.push(*"mnop", verb=ADD)
    sending.answer(sending.batch(), opaque(0))
    assert split(sending) == [["m", "n"], ["o", "p"]]


# Revoked partitions.


def revoke(sending: Sending, *groups: str) -> None:
    """The runs of these groups belong to a partition that went away."""
    for batch in [*sending.dispatch.under_way.batches, *sending.dispatch.backlog.batches()]:
        for update in batch.updates:
            if update.operation.group_id in groups:
                update.run.abandoned()
    sending.dispatch.backlog.strip()


@pytest.mark.parametrize("answer", [TIMEOUT, Answer(429), Answer(401)])
def test_a_waiting_batch_is_stripped_of_what_was_revoked(answer: Answer):
    """It goes again without it, after the same wait; its groups are free."""
    sending = Sending()
    sending.push("a", "b", "c")
    batch = sending.batch()
    sending.answer(batch, answer)
    before = sending.wait()
    revoke(sending, "b")
    assert sending.wait() == before
    assert len(sending.lanes) == 2
    assert groups(sending.batch(after=before)) in (["a", "c"], ["a"])  # while halted a part of it asks


def test_a_waiting_batch_of_which_all_was_revoked_is_gone():
    """An empty request is never sent, and its slot is free."""
    sending = Sending(slots=1)
    sending.push("a", "b")
    sending.answer(sending.batch(), TIMEOUT)
    revoke(sending, "a", "b")
    assert (sending.dispatch.backlog.batches(), len(sending.lanes), sending.wait()) == ([], 0, NEVER)


def test_halves_are_stripped_of_what_was_revoked():
    """The same for what waits for a slot."""
    sending = Sending()
    sending.push(*"abcd")
    sending.answer(sending.batch(), opaque())
    revoke(sending, "a", "c", "d")
    assert split(sending) == [["b"]]
    assert len(sending.lanes) == 0


@pytest.mark.parametrize("answer", [OK, refuse(0), opaque(), TIMEOUT, Answer(413), Answer(401), Answer(429)])
def test_a_late_answer_only_frees_the_groups(answer: Answer):
    """Old epochs are ignored whatever came back: nothing is decided, nothing is sent again."""
    sending = Sending(resend=False)
    sending.push("a", "b")
    sending.push("m", verb=ADD)
    batch = sending.batch()
    revoke(sending, "a", "b", "m")
    assert len(sending.lanes) == 3
    report = sending.answer(batch, answer)
    assert report.decisions == []
    assert (sending.dispatch.backlog.batches(), len(sending.lanes)) == ([], 0)


def test_a_late_answer_decides_the_living_part():
    """A batch of two partitions of which one was revoked in flight: the other's updates are decided."""
    sending = Sending()
    sending.push("a", "b", "c")
    batch = sending.batch()
    revoke(sending, "b")
    assert kinds(sending.answer(batch, refuse(2))) == [("a", ACCEPTED), ("c", REFUSED)]


def test_a_run_cut_in_two_and_revoked_is_freed_with_its_last_answer():
    """One update in flight and one that waits: the group stays locked until the answer, and no longer."""
    sending = Sending()
    sending.push("a")
    sending.push("a", verb=UNSET)
    sending.answer(sending.batch(), opaque())
    flying = sending.batch()
    revoke(sending, "a")
    assert len(sending.lanes) == 1
    sending.answer(flying)
    assert len(sending.lanes) == 0
