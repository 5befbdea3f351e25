"""What earlier owners of a partition did with its `$add`s: asked for each `$add` as it is read.

An `$add` that was announced and not committed is *in doubt*: it may have been applied, so it is a dead letter. One
that the journal calls applied is left out; but where an earlier change of its group, which is sent again, takes it
back, it is a dead letter, too: neither to leave it out nor to send it again would be right. So it is where an owner
in between may have sent such a change again. And so is one that may have been committed before its log was cut: of
those the journal knows nothing any more.
"""

from typing import Final, TypeAlias, final

from consumer.core.announced import Add, Note
from consumer.core.model import Assignment, Record
from consumer.event.model import ADD, DELETE, SET, UNSET, Operation

# What becomes of an `$add`.
UNKNOWN: Final = 0  # the journal is not read yet, or cannot be written now
FREE: Final = 1  # it may be sent
IN_DOUBT: Final = 2
APPLIED: Final = 3
UNDONE: Final = 4  # applied, and taken back by what is sent again before it, or was
REPEATED: Final = 5  # read again after its log was cut, or written since: nobody says which

WORDS: Final = {
    IN_DOUBT: "an instance ended while it was sent: whether it was applied is unknown, and an $add cannot be"
    " repeated safely",
    UNDONE: "it was applied, and an earlier change of its group that is sent again after the end of an instance takes"
    " that back, or may have done so",
    REPEATED: "the log was cut, and the brokers do not say where: it may have been applied before, and an $add cannot"
    " be repeated safely",
}
NOT_READ: Final = "the journal of $adds cannot be read or written yet"

# A group: its project, key and id, and the parent company's id where there is one.
Whose: TypeAlias = tuple[str, str, str, str | None]
# Of so many groups it is kept what is sent again of them; beyond that any may be taken back.
MOST_GROUPS: Final = 10_000


@final
class Redone:
    """One partition, until the journal of it is read and then up to the last record that it has.

    Below `redone` an owner in between may have sent again what takes back what was applied.
    """

    __slots__ = ("_applied", "_in_doubt", "_last", "_redone", "_touched", "_touches_all", "read")

    def __init__(self, redone: int) -> None:
        self.read = False
        self._redone = redone
        self._in_doubt: set[Add] = set()
        self._applied: set[Add] = set()
        self._last = -1
        self._touched: dict[Whose, set[str] | None] = {}  # None for all properties
        self._touches_all = False

    def known(self, notes: list[Note]) -> None:
        """The journal has these."""
        self.read = True
        for note in notes:
            self._in_doubt.update(note.in_doubt)
            self._applied.update(note.applied)
            self._last = max(self._last, note.last)

    def over(self, offset: int) -> bool:
        """Whether the journal has nothing from this offset on."""
        return self.read and offset > self._last

    def taken(self, project: str, operation: Operation) -> None:
        """This is sent again: it may take back what was added to the same properties before."""
        if operation.verb not in (SET, UNSET, DELETE):
            return
        if len(self._touched) >= MOST_GROUPS:
            self._touches_all = True
            self._touched.clear()
        of = (project, operation.group_key, operation.group_id, operation.company_id)
        names = self._touched.setdefault(of, set())
        if operation.verb == DELETE:
            self._touched[of] = None
        elif names is not None:
            names.update(operation.values)

    def fate(self, record: Record, rule: str, project: str, operation: Operation) -> int:
        """What becomes of this `$add`."""
        add = record.offset, rule, record.timestamp
        if add in self._applied:
            undone = record.offset < self._redone or self._takes_back(project, operation)
            return UNDONE if undone else APPLIED
        return IN_DOUBT if add in self._in_doubt else FREE

    def _takes_back(self, project: str, operation: Operation) -> bool:
        of = (project, operation.group_key, operation.group_id, operation.company_id)
        if self._touches_all:
            return True
        if of not in self._touched:
            return False
        names = self._touched[of]
        if names is None:
            return True
        for name in operation.values:
            if name in names:
                return True
        return False


@final
class Past:
    """What the journal has of each assignment. `writable` says whether an `$add` may be sent as far as it goes."""

    __slots__ = ("_redone", "writable")

    def __init__(self, *, writable: bool = False) -> None:
        """`writable` from the start where there is no journal."""
        self._redone: dict[Assignment, Redone] = {}  # none of a partition of which it has nothing any more
        self.writable = writable

    def begin(self, assignment: Assignment, redone: int) -> None:
        """A new epoch, of which nothing is known yet. Below `redone` what was applied may be undone."""
        self._redone[assignment] = Redone(redone)

    def known(self, assignment: Assignment, notes: list[Note]) -> None:
        """The journal was read: it has these of the partition."""
        redone = self._redone.get(assignment)
        if redone is None:
            return
        if notes:
            redone.known(notes)
        else:
            del self._redone[assignment]

    def forget(self, assignments: list[Assignment]) -> None:
        """These epochs are over."""
        for assignment in assignments:
            self._redone.pop(assignment, None)

    def fate(self, record: Record, rule: str, project: str, operation: Operation) -> int:
        """What becomes of this operation of the record: of anything but an `$add`, that it is sent.

        Asked in the order of the partition.
        """
        place = record.assignment
        redone = self._redone.get(place)
        if redone is not None and redone.over(record.offset):
            del self._redone[place]
            redone = None
        if operation.verb != ADD:
            if redone is not None:
                redone.taken(project, operation)
            return FREE
        if not self.writable:
            return UNKNOWN
        if redone is not None:
            fate = redone.fate(record, rule, project, operation) if redone.read else UNKNOWN
            if fate != FREE:
                return fate
        return REPEATED if record.offset < place.doubtful else FREE
