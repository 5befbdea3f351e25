"""What came of the demo, for somebody who sees it for the first time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import click
from confluent_kafka import Message

from consumer.event import errors
from consumer.sandbox.demo.audit import Audit
from consumer.terminal.table import counted
from consumer.terminal.table import show as show_table

MEANING: Final = {
    errors.NOT_FRAMED: "no schema id in it: written without a serializer",
    errors.UNKNOWN_SCHEMA: "the registry does not know its schema",
    errors.INCOMPATIBLE_SCHEMA: "another team's record: no group change",
    errors.CORRUPT: "the bytes do not decode",
    errors.TOMBSTONE: "a null value, which is no change",
    errors.INVALID_CHANGE: "breaks the rules of the event, or of the mapping",
    errors.UNKNOWN_PROJECT: "for a project that this service does not write to",
    errors.TOO_LARGE: "more than Mixpanel takes in one update",
    errors.REJECTED: "Mixpanel refused the update",
    errors.AMBIGUOUS_ADD: "an $add of which nobody knows whether it was applied",
    errors.QUARANTINED: "an operator took it out",
}
SHOWN: Final = 10
LONGEST: Final = 400


@dataclass(frozen=True)
class Job:
    """The figures of one run. `read` says what the events are, `rows` are some of the profiles in the end."""

    events: int
    read: str
    updates: int
    by_project: dict[str, int]
    requests: int
    profiles: int
    seconds: float
    all_seconds: float
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()


def of_projects(job: Job) -> list[tuple[str, str, str]]:
    """A row for each project, where there are several."""
    if len(job.by_project) < 2:
        return []
    return [("", f"{count:,}", f"of project {name}") for name, count in job.by_project.items()]


def show(job: Job, audit: Audit) -> None:
    """Print the tables on standard output."""
    click.echo()
    show_table(("What", "How many", ""), rows_of(job, audit))
    if audit.reasons.total():
        click.echo()
        known = [reason for reason in (*MEANING, *audit.reasons) if audit.reasons[reason]]
        reasons = [(reason, audit.reasons[reason], MEANING.get(reason, "")) for reason in dict.fromkeys(known)]
        show_table(("Dead letters by reason", "How many", "What it means"), reasons)
    if job.rows:
        click.echo()
        show_table(job.columns, job.rows)
    if audit.example is not None:
        click.echo()
        _show_dead_letter(audit.example)
    click.echo()
    _show_verdict(audit)


def rows_of(job: Job, audit: Audit) -> list[tuple[str, str, str]]:
    """What became of all events, and how long it took."""
    lost = len(audit.lost)
    rate = job.events / job.seconds if job.seconds else 0
    pace = f"{rate:,.0f} events/s, all on one machine; with start and audit {job.all_seconds:.0f} s"
    return [
        ("Events in", f"{job.events:,}", job.read),
        (
            "Updates accepted",
            f"{job.updates:,}",
            f"by Mixpanel, in {counted(job.requests, 'request')}; runs are folded",
        ),
        *of_projects(job),
        ("Profiles", f"{job.profiles:,}", "as they should be" if not lost else "see below"),
        ("Dead letters", f"{audit.reasons.total():,}", "records that cannot be applied, each kept with its reason"),
        (
            "Committed",
            f"{audit.committed:,}",
            f"= consumed {audit.consumed:,}" if not audit.open else f"of {audit.consumed:,} consumed",
        ),
        ("Lost", f"{lost:,}", "every event came to what it should" if audit.balanced else "see below"),
        ("Left open", f"{audit.open:,}", "read, and neither accepted nor a dead letter"),
        ("Time", f"{job.seconds:.1f} s", pace),
    ]


def _show_dead_letter(record: Message) -> None:
    """One dead letter in full; its value is bytes, of which the start is shown."""
    value = record.value()
    shown = "null" if value is None else f"{len(value)} bytes: {value[:24].hex(' ')}{' …' if len(value) > 24 else ''}"
    key = record.key()
    click.secho(f"One of them: {record.topic()}, partition {record.partition()}, offset {record.offset()}", bold=True)
    rows = [("key", _readable(key or b"")), ("value", f"{shown} (byte for byte as it came)")]
    rows += [(name, _cut(_readable(value or b""))) for name, value in dict(record.headers() or []).items()]
    show_table(("Header", "Value"), rows)


def _readable(key: bytes | str) -> str:
    """A key or a header as text; its bytes where it is none."""
    if isinstance(key, str):
        return key
    try:
        text = key.decode("utf-8")
    except UnicodeDecodeError:
        return key.hex(" ")
    return text if text.isprintable() else key.hex(" ")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text)} characters)"


def _show_verdict(audit: Audit) -> None:
    if audit.balanced:
        click.secho("It balances: 0 lost, 0 left open, committed = consumed.", fg="green")
        return
    click.secho("It does not balance:", fg="red")
    wrong = [*audit.lost, *audit.differences]
    if audit.open:
        wrong.insert(0, f"{counted(audit.open, 'event')} consumed and not committed")
    for line in wrong[:SHOWN]:
        click.echo(f"  {line}")
    if len(wrong) > SHOWN:
        click.echo(f"  and {len(wrong) - SHOWN} more")
