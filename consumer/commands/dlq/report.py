"""What `dlq list` prints: the counts and the newest dead letters, as tables or as JSON."""

from datetime import UTC, datetime
from typing import Any, Final

import click

from consumer.commands.dlq.summary import DAY, HOUR, LATEST, NONE, Count, DeadLetterSummary, NamedCounts
from consumer.terminal.table import show, width, wrap

STATES: Final = {"": "", "refused": "refused again", "sending": "interrupted", "settled": "replayed"}


def when(timestamp: int) -> str:
    """A time in UTC, to the second; empty for none."""
    if not 0 <= timestamp <= LATEST:
        return ""
    return datetime.fromtimestamp(timestamp // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso(timestamp: int) -> str | None:
    """A time for programs; None for none."""
    if not 0 <= timestamp <= LATEST:
        return None
    return datetime.fromtimestamp(timestamp / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(topic: str, summary: DeadLetterSummary) -> dict[str, Any]:
    """All of it, for programs."""
    times = [
        {"from": iso(begin), "until": iso(begin + summary.times.width), **counted(count)}
        for begin, count in summary.times.newest_first()
    ]
    return {
        "topic": topic,
        **counted(summary.total),
        "reasons": named("reason", summary.reasons),
        "projects": named("project", summary.projects),
        "companies": named("company_id", summary.companies),
        "topics": named("topic", summary.topics),
        "schemas": named("schema", summary.schemas),
        "times": times,
        "undated": summary.times.undated.dead_letters,
        "newest_letters": [
            {
                "partition": line.partition,
                "offset": line.offset,
                "time": iso(line.timestamp),
                "reason": line.reason,
                "source": None if line.origin == NONE else line.origin,
                "words": line.message,
                "replay": line.state or None,
            }
            for line in summary.newest_first()
        ],
    }


def named(what: str, counts: NamedCounts) -> list[dict[str, Any]]:
    """One table, for programs."""
    return [{what: None if name == NONE else name, **counted(count)} for name, count in counts.newest_first()]


def counted(count: Count) -> dict[str, Any]:
    """One count, for programs."""
    return {
        "letters": count.dead_letters,
        "open": count.open,
        "oldest": iso(count.oldest),
        "newest": iso(count.newest),
    }


def print_tables(topic: str, summary: DeadLetterSummary, chosen: bool) -> None:
    """All of it, for people."""
    total = summary.total
    which = " that match" if chosen else ""
    dead_letters = f"{total.dead_letters:,} dead letter{'' if total.dead_letters == 1 else 's'}"
    is_open = f"; {total.open:,} open" if total.dead_letters else ""
    for text in wrap(f"{dead_letters}{which} in {topic}{is_open}", width()):
        click.echo(text)
    if not total.dead_letters:
        return
    tables = [("REASON", summary.reasons), ("SOURCE TOPIC", summary.topics), ("SCHEMA", summary.schemas)]
    if summary.of_several:
        tables.insert(1, ("PROJECT", summary.projects))
    if summary.of_companies:
        tables.insert(-2, ("COMPANY", summary.companies))
    for title, counts in tables:
        click.echo()
        rows = [cells(name, count) for name, count in counts.newest_first()]
        show((title, "DEAD LETTERS", "OPEN", "OLDEST (UTC)", "NEWEST (UTC)"), rows)
    click.echo()
    print_times(summary)
    newest = summary.newest_first()
    if newest:
        click.echo()
        show(
            ("DEAD LETTER", "TIME (UTC)", "REASON", "SOURCE", "MESSAGE"),
            [
                (
                    f"{line.partition}:{line.offset}",
                    when(line.timestamp),
                    f"{line.reason} ({STATES[line.state]})" if line.state else line.reason,
                    line.origin,
                    shortened(line.message),
                )
                for line in newest
            ],
        )
        click.echo(f"\nOne in full: group-consumer dlq show {newest[0].partition}:{newest[0].offset}")


def print_times(summary: DeadLetterSummary) -> None:
    """The dead letters over time, the newest stretch first."""
    stretches = summary.times.width
    rows = [
        (stretch(begin, stretches), count.dead_letters, count.open) for begin, count in summary.times.newest_first()
    ]
    if summary.times.undated.dead_letters:
        rows.append(("no time", summary.times.undated.dead_letters, summary.times.undated.open))
    show((f"TIME (UTC), {length(stretches)} A ROW", "DEAD LETTERS", "OPEN"), rows)


def cells(name: str, count: Count) -> tuple[object, ...]:
    """One row."""
    return (name, count.dead_letters, count.open, when(count.oldest), when(count.newest))


def stretch(begin: int, wide: int) -> str:
    """When a stretch begins, as exactly as its length asks for."""
    return when(begin)[:10] if wide >= DAY else when(begin)[:16]


def length(wide: int) -> str:
    """How long a stretch is, in words."""
    if wide >= DAY:
        return "1 DAY" if wide == DAY else f"{wide // DAY} DAYS"
    if wide >= HOUR:
        return "1 HOUR" if wide == HOUR else f"{wide // HOUR} HOURS"
    return "1 MINUTE" if wide == 60_000 else f"{wide // 60_000} MINUTES"


def shortened(text: str, most: int = 120) -> str:
    """The beginning of a long text."""
    return text if len(text) <= most else text[: most - 1] + "…"
