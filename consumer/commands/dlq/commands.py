"""`dlq list`, `dlq show` and `dlq replay`: dead letters counted, one in full, sent again in order."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.index import Index
from consumer.commands.dlq.options import Parsed, selection_options
from consumer.commands.dlq.plan import reason_of
from consumer.commands.dlq.receipts import Receipt
from consumer.commands.dlq.scan import Failed
from consumer.commands.dlq.selection import Selection, read_origin, read_patience, read_place
from consumer.commands.dlq.summary import Summary
from consumer.commands.dlq.topic import Topic
from consumer.commands.options import output_option, settings_options
from consumer.kafka.clients import ClientFailed
from consumer.kafka.dead_letter_format import Origin
from consumer.settings import Settings
from consumer.settings.scrub import Scrubber

KAFKA: Final = ("KAFKA_BOOTSTRAP_SERVERS",)
SHOWN: Final = ("KAFKA_GROUP_ID", "KAFKA_DEAD_LETTER_TOPIC")

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


def start_log(settings: Settings) -> Scrubber:
    """Only what the output does not say itself, unless LOG_LEVEL asks for more. Returns what scrubs it."""
    from consumer.service import logs

    level = settings.log_level if "LOG_LEVEL" in settings.given else "error"
    scrub = Scrubber(settings.secrets())
    logs.start(level, settings.log_format, scrub)
    return scrub


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done is told in a sentence, exit status 1."""
    try:
        yield
    except (Failed, ClientFailed) as failed:
        raise click.ClickException(str(failed)) from failed


@dlq.command(name="list", epilog=LIST_EXAMPLES)
@selection_options
@click.option(
    "--limit", type=click.IntRange(0, 1000), default=10, show_default=True, help="So many of the newest, one by one."
)
@output_option
@settings_options(KAFKA, shown=SHOWN)
def list_letters(settings: Settings, selection: Selection, limit: int, output: str) -> None:
    """Count dead letters by reason, project, company, source topic, schema and time, and show the newest.

    A letter is open until a replay of it is accepted. Times are those of the records. Nothing is changed: no group
    is joined, nothing is committed.
    """
    from consumer.commands.dlq import report

    start_log(settings)
    summary = Summary(limit)
    with told(), Topic(settings) as topic:
        index = Index()
        letters = topic.letters(selection)
        topic.receipts.into(index)
        for letter in letters:
            state, reason = state_of(letter, index)
            if selection.takes(letter, reason):
                summary.add(letter, reason, state)
        index.close()
    if output == "json":
        click.echo(json.dumps(report.as_json(settings.kafka_dead_letter_topic, summary), indent=2))
    else:
        report.print_tables(settings.kafka_dead_letter_topic, summary, not selection.everything)


def hosts(settings: Settings, selection: Selection) -> str:
    """Where the selected dead letters go, for people."""
    projects = settings.projects.values()
    urls = dict.fromkeys(one.url for one in projects if selection.project in (None, one.name))
    return ", ".join(urls) or settings.mixpanel_url


def state_of(letter: StoredDeadLetter, index: Index) -> tuple[str, str]:
    """What replays came to, and the reason that counts today."""
    if letter.origin is None:
        return "", letter.reason
    state, reason = index.receipt_of(letter.identity, letter.topic_id)
    return state, reason_of(letter, state, reason)


REPLAY_EXAMPLES: Final = """\b
Examples:
  group-consumer dlq replay --dry-run
  group-consumer dlq replay --reason unknown_schema --since 2h
  group-consumer dlq replay --project emea --reason quarantined
  group-consumer dlq replay --reason rejected --topic group-changes --skip-newer --yes
"""


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
            "Name one letter: PARTITION:OFFSET, or --source TOPIC:PARTITION:OFFSET, or --project NAME."
        )
    mapped = mapped_in(settings)
    start_log(settings)
    with told(), Topic(settings) as topic:
        letter = newest(topic, project) if project is not None else find(topic, place, source)
        receipt = last_receipt(topic, letter)
    event: dict[str, Any] | str
    try:
        event = decode(letter, settings, Today(settings, mapped))
    except NotDecoded as why:
        event = str(why)
    if output == "json":
        click.echo(json.dumps(detail.as_json(settings.kafka_dead_letter_topic, letter, event, receipt), indent=2))
    else:
        detail.print_letter(settings.kafka_dead_letter_topic, letter, event, receipt)


def newest(topic: Topic, project: str) -> StoredDeadLetter:
    """The letter of this project whose record has the latest time. Raises `Failed` where there is none."""
    its = (letter for letter in topic.letters(Selection()) if letter.project == project)
    found = max(its, key=lambda letter: letter.timestamp, default=None)
    if found is None:
        raise Failed(f"{topic.name} has no dead letter of project {project}: see `dlq list`")
    return found


def find(topic: Topic, place: tuple[int, int] | None, source: Origin | None) -> StoredDeadLetter:
    """The dead letter that is meant; of several for one record the last. Raises `Failed` where there is none."""
    letter: StoredDeadLetter | None = None
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


def last_receipt(topic: Topic, letter: StoredDeadLetter) -> Receipt | None:
    """What the last replay of the dead letter came to; None where it was never replayed."""
    if letter.origin is None:
        return None
    identity, found = letter.identity, None

    def seen(key: str, receipt: Receipt) -> None:
        nonlocal found
        if key == identity and (receipt.topic_id == letter.topic_id or "" in (receipt.topic_id, letter.topic_id)):
            found = receipt

    topic.receipts.each(seen)
    return found


@dlq.command(epilog=REPLAY_EXAMPLES)
@selection_options
@click.option("--skip-newer", is_flag=True, help="Leave out every group that has something newer.")
@click.option("--force", is_flag=True, help="Send old rows too: those whose record key has later records.")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent.")
@click.option("--yes", is_flag=True, help="Send without asking; for scripts.")
@click.option(
    "--patience",
    type=Parsed("DURATION", read_patience),
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="Give up when nothing went on for so long.",
)
@output_option
@settings_options(shown=(*SHOWN, "MAPPING_FILE"))
def replay(
    settings: Settings,
    selection: Selection,
    skip_newer: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
    patience: float,
    output: str,
) -> None:
    """Send dead letters again: in order per group, each once, as the records that they were.

    It shows what it would send, and asks. What Mixpanel accepts is remembered in the topic
    {dead-letter topic}.replays, so an interrupted replay is called again and goes on. What is refused again stays a
    dead letter, and is reported. ambiguous_add and quarantined are sent only where --reason names them. Of a mapped
    record the rules that refused it are sent again, by the mapping file of today.
    """
    from consumer.commands.dlq import plan as plans
    from consumer.commands.dlq.outcome import as_json, print_outcome
    from consumer.commands.dlq.replay import replay as send_again
    from consumer.commands.dlq.today import Today
    from consumer.commands.map.options import mapped_in

    if not (dry_run or yes) and (output == "json" or not sys.stdin.isatty()):
        raise click.UsageError("Nobody can be asked here: --dry-run shows what would be sent, --yes sends it.")
    mapped = mapped_in(settings, sends=True)
    scrub = start_log(settings)
    with told(), Topic(settings) as topic:
        wishes = plans.Wishes(selection, skip_newer, force, dry_run)
        plan = plans.make(topic, settings, wishes, Today(settings, mapped))
        if output == "table":
            plans.print_plan(plan, hosts(settings, selection), skip_newer, settings.ambiguous_add == "dead-letter")
        shown = {"plan": plans.as_json(plan)}
        if dry_run or not plan.total:
            if output == "json":
                click.echo(json.dumps(shown, indent=2))
            return
        if not yes and not click.confirm("\nSend them now?"):
            click.echo("Nothing was sent.")
            raise SystemExit(1)
        outcome = send_again(settings, mapped, topic, plan, patience, scrub)
    if output == "json":
        click.echo(json.dumps({**shown, "outcome": as_json(outcome)}, indent=2))
    else:
        print_outcome(outcome)
    if not outcome.complete:
        raise SystemExit(1)
