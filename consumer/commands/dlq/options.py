"""The options that choose dead letters, the same for every command that has them."""

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from consumer.commands.dlq.dead_letter import FOREIGN
from consumer.commands.dlq.selection import Range, Selection, read_range, read_time
from consumer.commands.parsed import Parsed
from consumer.event.errors import REASONS

# Settings that every such command shows in its help.
SHOWN: Final = ("KAFKA_GROUP_ID", "KAFKA_DEAD_LETTER_TOPIC")

Command = TypeVar("Command", bound=Callable[..., Any])


TIME: Final = Parsed("TIME", read_time)
RANGE: Final = Parsed("FROM-TO", read_range)
OPTIONS: Final = (
    click.option(
        "--reason",
        "reasons",
        type=click.Choice([*REASONS, FOREIGN]),
        multiple=True,
        metavar="REASON",
        help="Only of this reason, such as rejected; may be given more than once.",
    ),
    click.option("--project", metavar="NAME", help="Only of this project, such as default."),
    click.option("--company", metavar="ID", help="Only of groups of this company."),
    click.option("--topic", metavar="TOPIC", help="Only from this source topic."),
    click.option(
        "--source-partition", type=click.IntRange(0), metavar="N", help="Only from this partition of the source."
    ),
    click.option("--source-offsets", type=RANGE, metavar="FROM-TO", help="Only from these offsets of the source."),
    click.option("--since", type=TIME, metavar="TIME", help="Not older: 2026-08-21T14:30 (UTC), or 2h, 7d ago."),
    click.option("--until", type=TIME, metavar="TIME", help="Only older than this."),
    click.option("--key", metavar="TEXT", help="Only with this record key."),
    click.option(
        "--partition", type=click.IntRange(0), metavar="N", help="Only in this partition of the dead-letter topic."
    ),
    click.option("--offsets", type=RANGE, metavar="FROM-TO", help="Only at these offsets of the dead-letter topic."),
)


def selection_options(function: Command) -> Command:
    """Give the command its `selection`."""

    @functools.wraps(function)
    def call(
        *args: Any,
        reasons: tuple[str, ...],
        project: str | None,
        company: str | None,
        topic: str | None,
        source_partition: int | None,
        source_offsets: Range | None,
        since: int | None,
        until: int | None,
        key: str | None,
        partition: int | None,
        offsets: Range | None,
        **kwargs: Any,
    ) -> Any:
        selection = Selection(
            reasons=frozenset(reasons),
            project=project,
            company=company,
            topic=topic,
            source_partition=source_partition,
            source_offsets=source_offsets,
            since=since,
            until=until,
            key=None if key is None else key.encode(),
            partition=partition,
            offsets=offsets,
        )
        return function(*args, selection=selection, **kwargs)

    for option in reversed(OPTIONS):
        call = option(call)
    return call  # type: ignore[return-value]
