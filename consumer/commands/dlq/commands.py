"""`dlq list` and `dlq show`: dead letters counted, and one in full."""

import json
from typing import Any, Final

import click

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.index import Index
from consumer.commands.dlq.options import SHOWN, selection_options
from consumer.commands.dlq.plan import reason_of
from consumer.commands.dlq.receipts import Receipt
from consumer.commands.dlq.replay_command import replay
from consumer.commands.dlq.scan import Failed
from consumer.commands.dlq.selection import Selection, read_origin, read_place
from consumer.commands.dlq.starting import start_log, told
from consumer.commands.dlq.summary import DeadLetterSummary
from consumer.commands.dlq.topic import Topic
from consumer.commands.options import output_option, settings_options
from consumer.commands.parsed import Parsed
from consumer.kafka.dead_letter_format import Origin
from consumer.settings import Settings

KAFKA: Final = ("KAFKA_BOOTSTRAP_SERVERS",)

LIST_EXAMPLES: Final = """\b
Examples:
  group-consumer dlq list
  group-consumer dlq list --since 2h --reason rejected --project emea
  group-consumer dlq list --topic group-changes --source-offsets 1000-2000 --output json
"""
SHOW_EXAMPLES: Final = """\b
Examples:
  group-consumer dlq show 0:1042
  group-consumer dlq show --source group-changes:3:88123
  group-consumer dlq show --project emea
  group-consumer dlq show 0:1042 --output json | jq .update
"""


@click.group()
def dlq() -> None:
    """List, show and replay dead letters: the records that could not be applied."""


dlq.add_command(replay)


@dlq.command(name="list", epilog=LIST_EXAMPLES)
@selection_options
@click.option(
    "--limit", type=click.IntRange(0, 1000), default=10, show_default=True, help="So many of the newest, one by one."
)
@output_option
@settings_options(KAFKA, shown=SHOWN)
def list_dead_letters(settings: Settings, selection: Selection, limit: int, output: str) -> None:
    """Count dead letters by reason, project, company, source topic, schema and time, and show the newest.

    A dead letter is open until a replay of it is accepted. Times are those of the records. Nothing is changed: no
    group is joined, nothing is committed.
    """
    from consumer.commands.dlq import report

    start_log(settings)
    summary = DeadLetterSummary(limit)
    with told(), Topic(settings) as topic:
        index = Index()
        dead_letters = topic.dead_letters(selection)
        topic.receipts.into(index)
        for dead_letter in dead_letters:
            state, reason = state_of(dead_letter, index)
            if selection.takes(dead_letter, reason):
                summary.add(dead_letter, reason, state)
        index.close()
    if output == "json":
        click.echo(json.dumps(report.as_json(settings.kafka_dead_letter_topic, summary), indent=2))
    else:
        report.print_tables(settings.kafka_dead_letter_topic, summary, not selection.everything)


def state_of(dead_letter: StoredDeadLetter, index: Index) -> tuple[str, str]:
    """What replays came to, and the reason that counts today."""
    if dead_letter.origin is None:
        return "", dead_letter.reason
    state, reason = index.receipt_of(dead_letter.identity, dead_letter.topic_id)
    return state, reason_of(dead_letter, state, reason)


@dlq.command(epilog=SHOW_EXAMPLES)
@click.argument("place", type=Parsed("PARTITION:OFFSET", read_place), required=False, metavar="[PARTITION:OFFSET]")
@click.option(
    "--source",
    type=Parsed("TOPIC:PARTITION:OFFSET", read_origin),
    metavar="TOPIC:PARTITION:OFFSET",
    help="The record by where it came from, in place of where its dead letter is.",
)
@click.option("--project", metavar="NAME", help="The newest of this project, in place of one that is named.")
@output_option
@settings_options(KAFKA, shown=(*SHOWN, "SCHEMA_REGISTRY_URL", "MAPPING_FILE"))
def show(
    settings: Settings, place: tuple[int, int] | None, source: Origin | None, project: str | None, output: str
) -> None:
    """Show one dead letter in full: its event, the update, Mixpanel's words, headers, and what to do.

    PARTITION:OFFSET is its place in the dead-letter topic, as `dlq list` names it. The event is decoded with the
    schema registry's help; where that cannot be asked, the output says why. Of a mapped topic it is what the rules
    make of it.
    """
    from consumer.commands.dlq import detail
    from consumer.commands.dlq.event import NotDecoded, decode
    from consumer.commands.dlq.today import Today
    from consumer.commands.map.options import mapped_in

    if (place, source, project).count(None) != 2:
        raise click.UsageError(
            "Name one dead letter: PARTITION:OFFSET, or --source TOPIC:PARTITION:OFFSET, or --project NAME."
        )
    mapped = mapped_in(settings)
    start_log(settings)
    with told(), Topic(settings) as topic:
        dead_letter = newest(topic, project) if project is not None else find(topic, place, source)
        receipt = last_receipt(topic, dead_letter)
    event: dict[str, Any] | str
    try:
        event = decode(dead_letter, settings, Today(settings, mapped))
    except NotDecoded as why:
        event = str(why)
    if output == "json":
        click.echo(
            json.dumps(detail.as_json(settings.kafka_dead_letter_topic, dead_letter, event, receipt), indent=2)
        )
    else:
        detail.print_dead_letter(settings.kafka_dead_letter_topic, dead_letter, event, receipt)


def newest(topic: Topic, project: str) -> StoredDeadLetter:
    """The dead letter of this project whose record has the latest time. Raises `Failed` where there is none."""
    its = (dead_letter for dead_letter in topic.dead_letters(Selection()) if dead_letter.project == project)
    latest = max(its, key=lambda dead_letter: dead_letter.timestamp, default=None)
    if latest is None:
        raise Failed(f"{topic.name} has no dead letter of project {project}: see `dlq list`")
    return latest


def find(topic: Topic, place: tuple[int, int] | None, source: Origin | None) -> StoredDeadLetter:
    """The dead letter that is meant; of several for one record the last. Raises `Failed` where there is none."""
    dead_letter: StoredDeadLetter | None = None
    if place is not None:
        dead_letter = topic.at(*place)
        if dead_letter is None:
            raise Failed(f"{topic.name} has no record at {place[0]}:{place[1]}: see `dlq list`")
        return dead_letter
    assert source is not None
    for candidate in topic.dead_letters(Selection()):
        if candidate.origin == source:
            dead_letter = candidate
    if dead_letter is None:
        raise Failed(f"{topic.name} has no dead letter from {source}: see `dlq list --topic {source.topic}`")
    return dead_letter


def last_receipt(topic: Topic, dead_letter: StoredDeadLetter) -> Receipt | None:
    """What the last replay of the dead letter came to; None where it was never replayed."""
    if dead_letter.origin is None:
        return None
    identity, last = dead_letter.identity, None

    def seen(key: str, receipt: Receipt) -> None:
        nonlocal last
        if key == identity and (
            receipt.topic_id == dead_letter.topic_id or "" in (receipt.topic_id, dead_letter.topic_id)
        ):
            last = receipt

    topic.receipts.each(seen)
    return last
