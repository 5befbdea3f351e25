"""`check`: everything that can be known before the service starts, one line for each fact."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Final

import click

from consumer.commands.check.canary import Canary
from consumer.commands.check.facts import COLOURS, FAULT, OK, STATES, UNKNOWN, WARNING, Fact, unknown
from consumer.commands.check.kafka import kafka_facts
from consumer.commands.check.machine import Answered, clock_fact, machine_facts, server_facts, settings_facts
from consumer.commands.check.mapping import mapped_topics_of, mapping_facts
from consumer.commands.check.mixpanel import mixpanel_facts
from consumer.commands.check.registry import registry_facts
from consumer.commands.options import output_option, refuse, settings_options
from consumer.commands.parsed import Parsed
from consumer.commands.reading_back import DATA_GROUP_ID, SETTINGS, missing, project_option
from consumer.event.model import DEFAULT
from consumer.settings import Settings
from consumer.terminal.progress import StatusLine
from consumer.terminal.table import counted, printable, width, wrap

EXAMPLES: Final = """\b
Examples:
  group-consumer check
  group-consumer check --canary company
  group-consumer check --canary company --project emea
  group-consumer check --output json | jq '.facts[] | select(.state == "fault")'

Nothing is written: not to Kafka, not to the registry, not to Mixpanel; but for --canary, which writes one profile
of the group key, group-consumer-canary, reads it back with the service account, and deletes it.
A fault stops the service or its records, a warning may hurt one day, unknown is what nobody can know from here.
Exit status 1 where there is a fault.
"""


def read_data_group_id(text: str) -> str:
    """The id of a group key. Raises ValueError."""
    if not DATA_GROUP_ID.fullmatch(text):
        raise ValueError(f"{text!r} is not the number of a group key, such as -1405123841946871899")
    return text


@click.command(epilog=EXAMPLES)
@click.option(
    "--canary", metavar="GROUP_KEY", help="Write one profile, read it back, delete it: is it the right project?"
)
@click.option(
    "--data-group-id",
    type=Parsed("ID", read_data_group_id),
    metavar="ID",
    help="Of the canary's group key, where the project does not tell it.",
)
@project_option
@output_option
@settings_options(warn=False, shown=SETTINGS)
def check(settings: Settings, canary: str | None, data_group_id: str | None, project: str, output: str) -> None:
    """Find what would stop or hurt the service: settings, brokers, topics, rights, registry, schemas, Mixpanel."""
    if data_group_id and not canary:
        raise click.UsageError("--data-group-id without --canary")
    if project != DEFAULT and not canary:
        raise click.UsageError("--project without --canary: all projects are looked at")
    if canary and (problems := missing(settings, project) + without_default(settings, project)):
        refuse(problems, output == "json")
    given = {canary: data_group_id} if canary and data_group_id else {}
    birds = [Canary(settings, project, canary, given)] if canary else []
    facts: list[Fact] = []
    for fact in all_facts(settings, birds, tell=output == "table"):
        facts.append(fact)
        if output == "table":
            show(fact)
    counts = {state: sum(fact.state == state for fact in facts) for state in STATES}
    if output == "json":
        click.echo(json.dumps({"facts": [asdict(fact) for fact in facts], "counts": counts}, indent=2))
    else:
        troubles = [counted(counts[FAULT], "fault"), counted(counts[WARNING], "warning")]
        click.echo(f"{counts[OK]} ok, {', '.join(troubles)}, {counts[UNKNOWN]} unknown")
    raise SystemExit(1 if counts[FAULT] else 0)


def without_default(settings: Settings, project: str) -> list[str]:
    """The problem of a canary that has no project to be written to."""
    if project != DEFAULT or DEFAULT in settings.projects:
        return []
    return ["MIXPANEL_TOKEN is not set: --canary writes its profile to the default project, or to --project NAME"]


def all_facts(settings: Settings, canaries: list[Canary], *, tell: bool) -> Iterator[Fact]:
    """Every fact, as it is found; `tell` says on the terminal what is being looked at."""
    dates: list[Answered] = []
    looks: list[tuple[str, Callable[[], Iterable[Fact]]]] = [
        ("the settings", lambda: settings_facts(settings)),
        ("this machine", lambda: machine_facts(settings)),
        ("Kafka", lambda: broker_facts(settings)),
        ("the registry", lambda: registry_facts(settings, dates, mapped_topics_of(settings))),
        ("the mapping file", lambda: mapping_facts(settings)),
        ("Mixpanel", lambda: mixpanel_facts(settings, dates, [probe.project for probe in canaries])),
        *[("the canary, for up to two minutes", probe.facts) for probe in canaries],
        ("the clock", lambda: clock_facts(dates)),
    ]
    with StatusLine() as line:
        for what, look in looks:
            if tell:
                line.show(f"looking at {what} ...")
            for fact in look():
                line.clear()
                yield fact


def broker_facts(settings: Settings) -> Iterator[Fact]:
    """The bootstrap servers, and where one takes connections all that the brokers can say."""
    reached = False
    for fact in server_facts(settings):
        reached = reached or fact.state != FAULT
        yield fact
    if reached:
        yield from kafka_facts(settings)
    else:
        yield unknown("Kafka", "topics, rights and the group were not asked for", "fix the faults above first")


def clock_facts(dates: list[Answered]) -> Iterator[Fact]:
    """This machine's clock beside the first answer that had a date."""
    for answered in dates:
        fact = clock_fact(answered)
        if fact is not None:
            yield fact
            return


def show(fact: Fact) -> None:
    """One fact: state, what and detail; below what to do, and the command in one piece, to be copied."""
    left = 9
    click.secho(f"{fact.state:<{left}}", fg=COLOURS[fact.state], bold=fact.state != OK, nl=False)
    for number, line in enumerate(wrap(printable(f"{fact.what}: {fact.detail}"), width() - left)):
        click.echo(" " * left * (number > 0) + line)
    if fact.fix:
        for number, line in enumerate(wrap(printable(fact.fix), width() - left - 3)):
            click.echo(" " * left + ("-> " if number == 0 else "   ") + line)
    if fact.command:
        click.echo(" " * (left + 3) + printable(fact.command))
