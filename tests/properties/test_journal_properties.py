"""At most once through a crash, without Kafka: owners that end at any moment, and what they wrote that lands late.

An owner goes by the order: announce, confirmed; then a commit of its own generation is confirmed; then send. What a
dead owner had under way is applied or not, and what it had written lands later, or never.
"""

from collections.abc import Callable
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.announced import GRACE, START, Announced, Gathered, Note
from consumer.core.model import Assignment, Record
from consumer.core.past import APPLIED, FREE, UNKNOWN, Past
from consumer.event.model import ADD, SET, Operation

HAPPENS = (*["step"] * 12, "commit", "unpin", "land", "crash", "crash", "crash")
EVENTS = st.lists(st.tuples(st.sampled_from([ADD, ADD, SET]), st.sampled_from("aab")), min_size=1, max_size=8)


class World:
    """One partition, its journal, the group's word, and Mixpanel."""

    def __init__(self, events: list[tuple[int, str]]) -> None:
        self.events = events
        self.journal: list[Note | str] = []  # a name alone is what was taken out
        self.late: list[Callable[[], None]] = []  # what dead owners had on its way to the journal
        self.committed = 0
        self.floor = START
        self.redone = START
        self.owners = 0
        self.applied = [0] * len(events)
        self.letters: set[int] = set()
        self.totals = {"a": 0, "b": 0}

    def apply(self, offset: int) -> None:
        verb, group = self.events[offset]
        self.totals[group] = self.totals[group] + 1 if verb == ADD else 100
        self.applied[offset] += 1


class Owner:
    """Takes one record after the other, each in a few steps; `step` says whether there is more to do."""

    def __init__(self, world: World, pinned: bool) -> None:
        """`pinned`: a record that is not settled holds the commit up."""
        self.world = world
        world.owners += 1
        self.generation = world.owners
        self.place = Assignment("changes", 0, "id")
        self.past, self.announced = Past(), Announced()
        self.past.writable = True
        self.past.begin(self.place, world.redone)
        self.announced.begin(self.place, f"owner-{self.generation}", world.floor, world.redone)
        self.next = self.began = world.committed
        self.settled: set[int] = set()
        self.pinned = pinned
        self.note: Note | None = None
        self.state = "read"
        self.on_its_way: list[Callable[[], None]] = []

    def read(self) -> None:
        """Read the journal, from where the commit says up to its end."""
        gathered = Gathered()
        for position in range(max(0, self.world.floor), len(self.world.journal)):
            entry = self.world.journal[position]
            if isinstance(entry, str):
                gathered.gone(entry)
            else:
                gathered.put(entry)
        notes = gathered.about(self.place)
        self.announced.found(self.place, notes, len(self.world.journal))
        self.past.known(self.place, [note for note in notes if note.last >= self.world.committed])

    def step(self, lost_answer: bool) -> bool:
        """One step of the record that is next."""
        if self.state == "read":
            self.read()
            self.state = "take"
        elif self.next == len(self.world.events):
            return False
        else:
            getattr(self, f"_{self.state}")(lost_answer)
        return True

    def _take(self, _: bool) -> None:
        verb, group = self.world.events[self.next]
        self.record = Record(self.place, self.next, b"", b"", None, self.next, 0.0)
        fate = self.past.fate(self.record, "", "default", Operation("k", group, verb, {"n": 1}))
        assert fate != UNKNOWN
        if fate == APPLIED:
            self._done()
        elif fate != FREE:
            self.world.letters.add(self.next)
            self._done()
        elif verb == SET:
            self.world.apply(self.next)
            self._done()
        else:
            self.state = "announce"

    def _announce(self, _: bool) -> None:
        self.note = self.announced.announce(self.place, [(self.next, "", self.record.timestamp)])
        assert self.note is not None
        self.on_its_way.append(partial(self._written, copied(self.note)))
        self.state = "confirm"

    def _confirm(self, _: bool) -> None:
        assert self.note is not None
        for land in self.on_its_way:
            land()
        self.on_its_way.clear()
        self.announced.written(self.note, self.note.position)
        self.state = "prove"

    def _prove(self, _: bool) -> None:
        assert self.generation == self.world.owners, "the group refuses a stranger's"
        self.commit()
        self.state = "send"

    def _send(self, _: bool) -> None:
        self.state = "answer"

    def _answer(self, lost_answer: bool) -> None:
        """The request was applied. Where nothing is heard of it its `$add` is a dead letter, as ever."""
        assert self.note is not None
        self.world.apply(self.next)
        if lost_answer:
            self.world.letters.add(self.next)
        else:
            self.note.answered({(self.next, "", self.record.timestamp)}, set())
            self.on_its_way.append(partial(self._written, copied(self.note)))
        self._done()

    def _written(self, note: Note) -> None:
        note.position = len(self.world.journal)
        self.world.journal.append(note)

    def _done(self) -> None:
        self.settled.add(self.next)
        self.next += 1
        self.state = "take"

    def commit(self) -> None:
        """Commit what is settled, unless a record holds the commit up."""
        if self.pinned or self.generation != self.world.owners:
            return
        offset = max(self.settled, default=self.world.committed - 1) + 1
        self.world.floor = self.announced.floor(self.place)
        self.world.redone = self.announced.redone(self.place, self.began, offset)
        self.world.committed = offset
        self.announced.passed(self.place, offset, 0.0)
        for note in self.announced.outdated(GRACE):
            self.on_its_way.append(partial(self.world.journal.append, note.name))

    def die(self, was_applied: bool, landed: bool) -> None:
        """Nothing of it goes on but what it had on its way."""
        if self.state == "answer" and was_applied:
            self.world.apply(self.next)
        if landed:
            for land in self.on_its_way:
                land()
        else:
            self.world.late += self.on_its_way


def copied(note: Note) -> Note:
    """The note as it is written now."""
    return Note(
        note.topic, note.topic_id, note.partition, note.name, note.in_doubt.copy(), note.applied.copy(), note.position
    )


@settings(max_examples=600, deadline=None)
@given(EVENTS, st.data())
def test_no_add_is_applied_twice_and_what_is_in_doubt_is_named(events: list[tuple[int, str]], data: st.DataObject):
    """Whenever owners end; and whatever is no dead letter is as if nobody ever had."""
    world = World(events)
    owner = Owner(world, data.draw(st.booleans()))
    crashes = data.draw(st.integers(0, 4))
    while True:
        happens = data.draw(st.sampled_from(HAPPENS))
        if happens == "commit":
            owner.commit()
        elif happens == "unpin":
            owner.pinned = False
        elif happens == "land" and world.late:
            world.late.pop(data.draw(st.integers(0, len(world.late) - 1)))()
        elif happens == "crash" and crashes:
            crashes -= 1
            owner.die(data.draw(st.booleans()), data.draw(st.booleans()))
            owner = Owner(world, data.draw(st.booleans()))
        elif not owner.step(data.draw(st.booleans())):
            break
    model = {"a": 0, "b": 0}
    for offset, (verb, group) in enumerate(events):
        if verb == ADD:
            assert world.applied[offset] <= 1, f"the $add at {offset} was applied {world.applied[offset]} times"
            assert world.applied[offset] == 1 or offset in world.letters, f"the $add at {offset} was lost"
        model[group] = model[group] + 1 if verb == ADD else 100
    for group, total in model.items():
        if not any(events[offset][1] == group for offset in world.letters):
            assert world.totals[group] == total


def test_what_an_owner_in_between_took_back_is_named():
    """It sent the change before it again, committed that, and ended before it came to the `$add`."""
    world = World([(SET, "a"), (ADD, "a"), (ADD, "a")])
    first = Owner(world, pinned=True)
    while first.next < 2:
        first.step(lost_answer=False)
    first.die(was_applied=False, landed=True)
    second = Owner(world, pinned=False)
    while second.next < 1:
        second.step(lost_answer=False)
    second.commit()
    second.die(was_applied=False, landed=True)
    third = Owner(world, pinned=False)
    while third.step(lost_answer=False):
        pass
    assert (world.letters, world.applied) == ({1}, [2, 1, 1])
