"""What is promised of records that make several updates, checked at every step.

1   a record is committed with all of its parts accepted, or named in its confirmed dead letter
2   each group's parts go in the order of its partition
4   a drain begins no record: what it sends is of records below the last of which something was sent,
    and it sends the rest of each; nothing goes after a revoke
6   what was refused is named in one dead letter, precisely that, once all other parts are decided
7   no commit before that is written
9   no $add is applied twice; only one that was announced, or sent, is in doubt
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from consumer.core.model import Assignment, DeadLetter, Record

from .mixpanel import Request
from .orders import ADDS, BAD, GOOD, NAN, SETS, Order, Part, carried, own
from .several_tenure import Tenure, Which, announced, place_of
from .traffic import Partition, changed_by
from .world import Violation, World

if TYPE_CHECKING:
    from .several import Several

AMBIGUOUS = "ambiguous_add"
PRECEDENCE = (BAD, AMBIGUOUS, NAN)


class SeveralOracle:
    """Told what the other oracle is, of records with several parts."""

    def __init__(self, world: World, history: "Several") -> None:
        self.world = world
        self.history = history
        self.meant: dict[Partition, dict[int, Order]] = {}
        self.live: dict[Assignment, Tenure] = {}
        self.applications: dict[Which, int] = {}
        self.named: set[Which] = set()  # in any dead letter
        self.last_applied: dict[str, Request] = {}  # of each group, the newest
        self.unsure: set[str] = set()  # groups that a late application may have left in an older state
        self.requests = 0
        self._carried: dict[Request, list[tuple[Tenure, list[Which]]]] = {}

    # Partitions and records.

    def woke(self, instance: Any) -> None:
        """The other oracle's."""

    def pausing(self, instance: Any) -> None:
        """The other oracle's."""

    def turned(self, instance: Any) -> None:
        """The other oracle's."""

    def end_reached(self, assignment: Assignment, end: int) -> None:
        """The other oracle's."""

    def assigned(self, instance: Any, assignment: Assignment, partition: Partition, start: int) -> None:
        """A new epoch."""
        self.live[assignment] = Tenure(instance, assignment, partition, start)

    def draining(self, tenures: list[Tenure]) -> None:
        """A drain of these begins."""
        for tenure in tenures:
            sent = max([tenure.read[number].offset for number, _ in tenure.sent], default=-1)
            tenure.bound = max(sent, tenure.instance.announcing_up_to(tenure.assignment))

    def ended(self, assignments: list[Assignment], lost: bool) -> None:
        """These epochs are over."""
        for assignment in assignments:
            tenure = self.live.pop(assignment, None)
            if tenure is not None and not lost and tenure.instance.observer.clean:
                self._check_kept(tenure)

    def _check_kept(self, tenure: Tenure) -> None:
        """A drain that came to its end sent all of each record of which something was sent."""
        for order in tenure.read.values():
            good = {(order.number, part.rule) for part in order.parts.values() if part.kind == GOOD}
            missing = {which for which in good - tenure.sent if not self._decided(tenure, order, which)}
            if good & tenure.sent and missing:
                raise Violation(f"promise 4: a drain sent a part of {order}, and not {missing}")

    def _decided(self, tenure: Tenure, order: Order, which: Which) -> bool:
        """Whether this is an $add that was left out, or named, for what an earlier owner did."""
        return which[1] in ADDS and self._announced(tenure, order, which[1])

    def read(self, instance: Any, records: list[Record]) -> None:
        """The loop is given these."""
        for record in records:
            tenure = self.live[record.assignment]
            tenure.read[record.timestamp] = self.meant[tenure.partition][record.timestamp]

    # Requests.

    def sending(self, request: Request) -> None:
        """A request starts."""
        self.requests += 1
        mine: dict[str, set[Which]] = {}
        covers = self._carried[request] = []
        for update in request.updates:
            group = changed_by(update)
            tenure = self._tenure_of(request, group)
            parts = carried(update)
            covers.append((tenure, parts))
            mine.setdefault(group, set()).update(parts)
            for which in parts:
                self._check_sent(tenure, group, which, request)
        for group, parts_of_group in mine.items():
            self._check_order(request, group, parts_of_group)
        for tenure, parts in covers:
            tenure.sent.update(parts)

    def _tenure_of(self, request: Request, group: str) -> Tenure:
        place = self.history.groups[group]
        for tenure in self.live.values():
            if tenure.instance is request.sender and tenure.partition == place:
                return tenure
        raise Violation(f"promise 4: request {request.number} with {group} starts, and {place} is another's")

    def _check_sent(self, tenure: Tenure, group: str, which: Which, request: Request) -> None:
        number, rule = which
        order = tenure.read.get(number)
        if order is None or rule not in order.parts or order.parts[rule].group != group:
            raise Violation(f"promise 2: request {request.number} has {which} of {group}, which was not read so")
        if which in tenure.accepted or rule in tenure.letters.get(number, ()):
            raise Violation(f"promise 2: {rule} of {order} is sent again, and is decided")
        if tenure.bound is not None and order.offset > tenure.bound:
            raise Violation(f"promise 4: {order} is begun in a drain: {tenure.bound} was the highest")

    def _check_order(self, request: Request, group: str, mine: set[Which]) -> None:
        """No part of the group that can be sent was read before these, and not sent yet."""
        for other in request.sender.flying:
            if other is not request and any(changed_by(update) == group for update in other.updates):
                raise Violation(f"promise 2: {group} is in requests {other.number} and {request.number} at once")
        tenure = self._tenure_of(request, group)
        last = max(place_of(tenure, which) for which in mine)
        for order in tenure.read.values():
            for part in order.parts.values():
                which = (order.number, part.rule)
                free = part.kind != NAN and not (self.history.journaling and part.rule in ADDS)
                if part.group != group or not free or which in mine or which in tenure.sent:
                    continue
                if place_of(tenure, which) < last:
                    words = f"request {request.number} of {group} overtakes {part.rule} of {order}"
                    raise Violation(f"promise 2: {words}")

    def applied(self, request: Request, indexes: list[int]) -> None:
        """Mixpanel applied these updates."""
        for index in indexes:
            group = changed_by(request.updates[index])
            newest = self.last_applied.get(group)
            if newest is not None and newest.number > request.number:
                self.unsure.add(group)
            else:
                self.last_applied[group] = request
            tenure, parts = self._carried[request][index]
            for which in parts:
                self.applications[which] = self.applications.get(which, 0) + 1
                if which[1] in ADDS:
                    self._count_add(tenure, which)

    def _count_add(self, tenure: Tenure, which: Which) -> None:
        tenure.adds[which] = tenure.adds.get(which, 0) + 1
        resends = tenure.instance.limits.resend_adds
        twice = self.applications[which] > 1 if self.history.journaling else tenure.adds[which] > 1 and not resends
        if twice:
            raise Violation(f"promise 9: the $add {which} was applied {self.applications[which]} times")

    def told(self, request: Request) -> None:
        """The loop took the answer out of its queue."""
        for index, (tenure, parts) in enumerate(self._carried[request]):
            if request.unknown:
                tenure.doubtful.update(parts)
            if index in request.accepted:
                tenure.accepted.update(parts)

    # Dead letters.

    def lettering(self, instance: Any, letter: DeadLetter) -> None:
        """A dead letter is handed to its producer: it names what was refused, and all else is decided."""
        tenure = self.live.get(letter.record.assignment)
        if tenure is None:
            raise Violation(f"promise 4: a dead letter of {letter.record} is produced after the revoke")
        order = tenure.read[letter.record.timestamp]
        if order.number in tenure.letters:
            raise Violation(f"promise 6: {order} becomes a second dead letter")
        said = {part.rule: part.reason for part in letter.parts or [letter]}
        for rule, part in order.parts.items():
            if not self._right(tenure, order, part, said.get(rule, "")):
                raise Violation(f"promise 6: the dead letter of {order} names {said}: {rule} is wrong")
        right = [rule for rule in order.parts if rule in said]
        if letter.rule.split(",") != right or len(right) != len(said) or len(letter.parts or [letter]) != len(said):
            raise Violation(f"promise 6: the dead letter of {order} has the rules {letter.rule}, not {right}")
        if letter.reason != min(said.values(), key=PRECEDENCE.index):
            raise Violation(f"promise 6: the dead letter of {order} is {letter.reason}, of {said}")
        text = letter.update.decode()
        if any(f'"{own(order.number, rule)}"' in text for rule in SETS if rule not in said):
            raise Violation(f"promise 6: the dead letter of {order} has an update that was not refused")
        tenure.letters[order.number] = set(said)
        self.named.update((order.number, rule) for rule in said)

    def _right(self, tenure: Tenure, order: Order, part: Part, reason: str) -> bool:
        """Whether this may be said of the part; empty where nothing is."""
        which = (order.number, part.rule)
        if part.kind != GOOD:
            return reason == part.kind
        if not reason:
            return self._taken(tenure, which)
        doubt = which in tenure.doubtful or self._announced(tenure, order, part.rule)
        may = part.rule in ADDS and not tenure.instance.limits.resend_adds and which not in tenure.accepted
        return reason == AMBIGUOUS and may and doubt

    def _taken(self, tenure: Tenure, which: Which) -> bool:
        """Whether Mixpanel took it: told now, or known from the journal."""
        left_out = self.history.journaling and which[1] in ADDS and self.applications.get(which, 0) > 0
        return which in tenure.accepted or left_out

    def _announced(self, tenure: Tenure, order: Order, rule: str) -> bool:
        """Whether the journal, if there is one, ever had this $add."""
        return self.history.journaling and announced(self.history.journal_topic, tenure, order, rule)

    def confirmed(self, letter: DeadLetter) -> None:
        """The loop heard that the letter is written."""
        tenure = self.live.get(letter.record.assignment)
        if tenure is not None:
            tenure.confirmed.add(letter.record.timestamp)

    # Commits.

    def committing(self, instance: Any, offsets: Mapping[Assignment, int]) -> None:
        """The loop asks for this commit: of each record below it every part is decided."""
        for assignment, offset in offsets.items():
            tenure = self.live.get(assignment)
            if tenure is None:
                raise Violation(f"promise 4: {assignment} is committed after it was revoked")
            for order in self.history.broker.logs[tenure.partition].records:
                if tenure.start <= order.offset < offset:
                    assert isinstance(order, Order)
                    self._check_whole(tenure, order, offset)

    def _check_whole(self, tenure: Tenure, order: Order, offset: int) -> None:
        named = tenure.letters.get(order.number, set())
        if named and order.number not in tenure.confirmed:
            raise Violation(f"promise 7: {offset} is committed before the dead letter of {order} is written")
        for rule in order.parts:
            if rule not in named and not self._taken(tenure, (order.number, rule)):
                raise Violation(f"promise 1: {offset} is committed with {rule} missing of {order}")
