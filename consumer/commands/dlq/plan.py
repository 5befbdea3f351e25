"""What a replay would send: found by reading, before anything is sent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from confluent_kafka import Message

from consumer.commands.dlq.advice import HOPELESS
from consumer.commands.dlq.dead_letter import FOREIGN, StoredDeadLetter
from consumer.commands.dlq.groups import Groups, Named
from consumer.commands.dlq.index import Index, Names, PlanRow, digest
from consumer.commands.dlq.receipts import REFUSED, SENDING, SETTLED
from consumer.commands.dlq.scan import TopicMissing, partitions_of, read, spans_of
from consumer.commands.dlq.selection import Selection
from consumer.commands.dlq.today import Today
from consumer.commands.dlq.topic import Topic
from consumer.event.errors import AMBIGUOUS_ADD, QUARANTINED
from consumer.settings import Settings
from consumer.terminal.progress import bar


@dataclass
class Plan:
    """What is selected, and what is left out and why; all of it counts dead letters."""

    topic: str
    index: Index
    settled: int = 0  # replays have settled them
    ambiguous: int = 0  # an $add that may have been applied, and was not asked for by name
    quarantined: int = 0  # and was not asked for by name
    foreign: int = 0
    duplicates: int = 0  # a later dead letter of the same record is selected
    replaced: int = 0  # another record has had the same offset since
    skipped: int = 0  # something newer exists
    skipped_keys: int = 0
    ruleless: int = 0  # a rule that refused it is not in the mapping file any more
    outdated: int = 0  # of a row whose key has later records, which --force sends all the same
    outdated_keys: int = 0
    differing: list[str] = field(default_factory=list)  # those that come to other updates by the mapping of today
    missing: list[str] = field(default_factory=list)  # source topics that do not exist any more
    rows: list[PlanRow] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many dead letters are sent."""
        return sum(row.dead_letters for row in self.rows)

    @property
    def hopeless(self) -> int:
        """How many of them are refused again for certain, by this version."""
        return sum(row.dead_letters for row in self.rows if row.reason in HOPELESS)

    def count(self) -> None:
        """Sum up what the index has by now."""
        self.rows = self.index.summary()


def reason_of(dead_letter: StoredDeadLetter, state: str, reason: str) -> str:
    """The reason that counts: that of the last replay where it was refused again."""
    return reason if state in (REFUSED, SENDING) and reason else dead_letter.reason


@dataclass(frozen=True)
class Wishes:
    """What is asked of a replay. `force` sends old rows, too; `compare` looks for what today's mapping changes."""

    selection: Selection
    skip_newer: bool = False
    force: bool = False
    compare: bool = False


def make(topic: Topic, settings: Settings, wishes: Wishes, today: Today) -> Plan:
    """Read the receipts, the dead letters, and the source topics where newer records matter. Raises `Failed`."""
    plan = Plan(topic.name, Index())
    topic.receipts.into(plan.index)
    if wishes.skip_newer:
        with Groups(settings, today) as groups:
            for dead_letter in topic.dead_letters(Selection()):
                names = groups.of_dead_letter(dead_letter) if dead_letter.origin is not None else Named((), ())
                plan.index.note(dead_letter, names.all)
                consider(plan, dead_letter, wishes, today, names.own)
            plan.skipped_keys, plan.skipped = leave_out_newer(plan, topic, groups.of_message)
    elif today.has_rows and not wishes.force:
        for dead_letter in topic.dead_letters(Selection()):
            rows = dead_letter.origin is not None and today.of_rows(dead_letter.origin.topic)
            if rows:
                plan.index.note(dead_letter, (digest(dead_letter.key),))
            consider(plan, dead_letter, wishes, today)
        plan.outdated_keys, plan.outdated = leave_out_newer(plan, topic, by_key, today.of_rows)
    else:
        for dead_letter in topic.dead_letters(wishes.selection):
            consider(plan, dead_letter, wishes, today)
    plan.count()
    return plan


def consider(plan: Plan, dead_letter: StoredDeadLetter, wishes: Wishes, today: Today, names: Names = ()) -> None:
    """Select the dead letter, or count why not."""
    selection = wishes.selection
    if dead_letter.origin is None:
        plan.foreign += selection.takes(dead_letter, FOREIGN)
        return
    identity = dead_letter.identity
    state, reason = plan.index.receipt_of(identity, dead_letter.topic_id)
    reason = reason_of(dead_letter, state, reason)
    if not selection.takes(dead_letter, reason):
        return
    if state == SETTLED:
        plan.settled += 1
    elif reason == AMBIGUOUS_ADD and AMBIGUOUS_ADD not in selection.reasons:
        plan.ambiguous += 1
    elif reason == QUARANTINED and QUARANTINED not in selection.reasons:
        plan.quarantined += 1
    elif today.gone(dead_letter):
        plan.ruleless += 1
    else:
        if wishes.compare and today.differs(dead_letter):
            plan.differing.append(dead_letter.place)
        before = plan.index.select(dead_letter, reason, names)
        plan.duplicates += before == identity
        plan.replaced += before not in ("", identity)


def leave_out_newer(
    plan: Plan, topic: Topic, names: Callable[[str, Message], Names], asked: Callable[[str], bool] = bool
) -> tuple[int, int]:
    """Drop every group that has something newer than its last selected dead letter: how many, and their dead letters.

    `names` are those of a record of a topic, and `asked` says of which topics it matters.
    """
    index = plan.index
    index.choose()
    for source, wanted in index.begins().items():
        if not asked(source):
            continue
        try:
            spans = spans_of(topic.consumer, source, existing(topic, source, wanted))
        except TopicMissing:
            plan.missing.append(source)
            continue
        with bar(f"Reading {source}", sum(span.end - span.first for span in spans)) as moved:
            for messages in read(topic.consumer, source, spans, moved):
                index.newer(source, named(source, messages, names))
    return index.drop_outdated()


def by_key(_: str, message: Message) -> Names:
    """The name of a row: its key."""
    return (digest(message.key()),)


def named(
    source: str, messages: Iterable[Message], names: Callable[[str, Message], Names]
) -> Iterable[tuple[int, int, Names]]:
    """Partition, offset and names of each record that was read."""
    for message in messages:
        yield message.partition() or 0, message.offset() or 0, names(source, message)


def existing(topic: Topic, source: str, wanted: dict[int, int]) -> dict[int, int]:
    """The partitions that the source topic has today. Raises `TopicMissing`."""
    partitions = partitions_of(topic.consumer, source)
    return {partition: first for partition, first in wanted.items() if partition in partitions}
