"""`dlq list`, `dlq show` and `dlq replay`: dead letters counted, one in full, sent again in order."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from consumer.settings import Settings
from consumer.tools.dlq.index import Index
from consumer.tools.dlq.letter import Letter, Origin
from consumer.tools.dlq.marks import REFUSED, SENDING, Mark
from consumer.tools.dlq.options import Parsed, selection_options
from consumer.tools.dlq.scan import Failed
from consumer.tools.dlq.selection import Selection, read_origin, read_place
from consumer.tools.dlq.tally import Tally
from consumer.tools.dlq.topic import Topic
from consumer.tools.options import output_option, settings_options

KAFKA: Final = ("KAFKA_BOOTSTRAP_SERVERS",)
SHOWN: Final = ("KAFKA_GROUP_ID", "KAFKA_DEAD_LETTER_TOPIC")

LIST_EXAMPLES: Final = """\b
Examples:
  group-consumer dlq list
  group-consumer dlq list --since 2h --reason rejected
  group-consumer dlq list --topic group-changes --source-offsets 1000-2000 --output json
"""
SHOW_EXAMPLES: Final = """\b
Examples:
  group-consumer dlq show 0:1042
  group-consumer dlq show --source group-changes:3:88123
  group-consumer dlq show 0:1042 --output json | jq .update
"""


@click.group()
def dlq() -> None:
    """List, show and replay dead letters: the records that could not be applied."""


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done is told in a sentence, exit status 1."""
    try:
        yield
    except Failed as failed:
        raise click.ClickException(str(failed)) from failed


@dlq.command(name="list", epilog=LIST_EXAMPLES)
@selection_options
@click.option(
    "--limit", type=click.IntRange(0, 1000), default=10, show_default=True, help="So many of the newest, one by one."
)
@output_option
@settings_options(KAFKA, shown=SHOWN)
def list_letters(settings: Settings, selection: Selection, limit: int, output: str) -> None:
    """Count dead letters by reason, source topic, schema and time, and show the newest.

    A letter is open until a replay of it is accepted. Times are those of the records. Nothing is changed: no group
    is joined, nothing is committed.
    """
    from consumer.tools.dlq import report

    tally = Tally(limit)
    with told(), Topic(settings) as topic:
        index = Index()
        letters = topic.letters(selection)
        topic.marks.into(index)
        for letter in letters:
            state, reason = state_of(letter, index)
            if selection.takes(letter, reason):
                tally.add(letter, reason, state)
        index.close()
    if output == "json":
        click.echo(json.dumps(report.as_json(settings.kafka_dead_letter_topic, tally), indent=2))
    else:
        report.print_tables(settings.kafka_dead_letter_topic, tally, not selection.everything)


def state_of(letter: Letter, index: Index) -> tuple[str, str]:
    """What replays came to, and the reason that counts: that of the last replay where it was refused again."""
    if letter.origin is None:
        return "", letter.reason
    state, reason = index.marked(letter.identity)
    return state, reason if state in (REFUSED, SENDING) and reason else letter.reason


@dlq.command(epilog=SHOW_EXAMPLES)
@click.argument("place", type=Parsed("PARTITION:OFFSET", read_place), required=False, metavar="[PARTITION:OFFSET]")
@click.option(
    "--source",
    type=Parsed("TOPIC:PARTITION:OFFSET", read_origin),
    metavar="TOPIC:PARTITION:OFFSET",
    help="The record by where it came from, in place of where its dead letter is.",
)
@output_option
@settings_options(KAFKA, shown=(*SHOWN, "SCHEMA_REGISTRY_URL"))
def show(settings: Settings, place: tuple[int, int] | None, source: Origin | None, output: str) -> None:
    """Show one dead letter in full: its event, the update, Mixpanel's words, headers, and what to do.

    PARTITION:OFFSET is its place in the dead-letter topic, as `dlq list` names it. The event is decoded with the
    schema registry's help; where that cannot be asked, the output says why.
    """
    from consumer.tools.dlq import one
    from consumer.tools.dlq.event import NotDecoded, decode

    if (place is None) == (source is None):
        raise click.UsageError("Name one letter: PARTITION:OFFSET, or --source TOPIC:PARTITION:OFFSET.")
    with told(), Topic(settings) as topic:
        letter = find(topic, place, source)
        mark = last_mark(topic, letter)
    event: dict[str, Any] | str
    try:
        event = decode(letter, settings)
    except NotDecoded as why:
        event = str(why)
    if output == "json":
        click.echo(json.dumps(one.as_json(settings.kafka_dead_letter_topic, letter, event, mark), indent=2))
    else:
        one.print_letter(settings.kafka_dead_letter_topic, letter, event, mark)


def find(topic: Topic, place: tuple[int, int] | None, source: Origin | None) -> Letter:
    """The letter that is meant; of several for one record the last. Raises `Failed` where there is none."""
    letter: Letter | None = None
    if place is not None:
        letter = topic.at(*place)
        if letter is None:
            raise Failed(f"{topic.name} has no record at {place[0]}:{place[1]}: see `dlq list`")
        return letter
    assert source is not None
    for found in topic.letters(Selection()):
        if found.origin == source:
            letter = found
    if letter is None:
        raise Failed(f"{topic.name} has no dead letter from {source}: see `dlq list --topic {source.topic}`")
    return letter


def last_mark(topic: Topic, letter: Letter) -> Mark | None:
    """What the last replay of the letter came to; None where it was never replayed."""
    if letter.origin is None:
        return None
    identity, found = letter.identity, None

    def seen(key: str, mark: Mark) -> None:
        nonlocal found
        if key == identity:
            found = mark

    topic.marks.each(seen)
    return found
