"""What one answer came to: what it settled, and the dead letters of a run."""

from typing import final

from consumer.core.batch import AMBIGUOUS, Report
from consumer.core.entry import Entry
from consumer.core.model import DeadLetter, Record
from consumer.core.runs import Run
from consumer.event.decode import frame
from consumer.event.encode import update_json
from consumer.event.errors import TASK_PUT, Reject
from consumer.event.model import VERB_NAMES, SchemaRef


@final
class Delivered:
    """What one answer came to: how many records it `settled`, and updates accepted by operation.

    `records` are those that it settled, where somebody remembers them (`only` of `Pipeline`); elsewhere nothing keeps
    a record longer than its update. `taken` are the updates that were accepted, `in_doubt` the `$add`s that may have
    been applied, or not.
    """

    __slots__ = (
        "accepted",
        "ambiguous",
        "cause",
        "counts",
        "in_doubt",
        "outcome",
        "records",
        "settled",
        "taken",
        "updates",
        "wait",
    )

    def __init__(self, report: Report) -> None:
        self.outcome = report.outcome
        self.cause = report.cause
        self.wait = report.wait
        self.accepted: dict[str, int] = {}
        self.taken = report.accepted
        self.in_doubt = [decision.update for decision in report.decisions if decision.kind == AMBIGUOUS]
        self.updates = 0
        self.settled = 0
        self.records: list[Record] = []
        self.ambiguous = 0
        self.counts = [0] * len(VERB_NAMES)  # accepted updates by verb

    def sum_up(self) -> None:
        """Every verdict is counted: `accepted` and `updates` can be read."""
        for verb, count in enumerate(self.counts):
            if count:
                self.accepted[VERB_NAMES[verb]] = count
                self.updates += count


def dead_letters_of(run: Run, project: str) -> list[tuple[Entry, DeadLetter]]:
    """The entries of the run that were found to blame since the last call, each with its dead letter."""
    blame = run.blame
    if blame is None:
        return []
    dead_letters: list[tuple[Entry, DeadLetter]] = []
    for place in blame.take_fresh():
        entry = run.entries[place]
        refusal = blame.rejected[place]
        dead_letter = DeadLetter(
            entry.record,
            refusal.reason,
            TASK_PUT,
            refusal.detail,
            schema_of(entry.record),
            refusal.status,
            refusal.message,
            update_json(entry.json),
            project,
            entry.operation.company_id,
            entry.rule,
        )
        dead_letters.append((entry, dead_letter))
    return dead_letters


def schema_of(record: Record) -> SchemaRef | None:
    """The schema that the record names, where it names one."""
    try:
        return frame(record.value, record.headers)[0]
    except Reject:
        return None
