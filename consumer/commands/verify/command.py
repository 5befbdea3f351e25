"""`verify`: reads profiles back from Mixpanel, and lists what differs from the topic. It changes nothing."""

import json
from typing import Any, Final

import click

from consumer.commands.dlq.selection import read_patience
from consumer.commands.dlq.starting import start_log, told
from consumer.commands.options import output_option, refuse, settings_options
from consumer.commands.parsed import URL, Parsed
from consumer.commands.reading_back import DATA_GROUP_ID, SETTINGS, missing, project_option, query_api
from consumer.settings import Settings
from consumer.settings.amounts import duration
from consumer.settings.values import Wrong

SHOWN: Final = ("KAFKA_TOPICS", "KAFKA_GROUP_ID", "KAFKA_DEAD_LETTER_TOPIC", *SETTINGS)
EXAMPLES: Final = """\b
Examples:
  group-consumer verify company:acme company:globex
  group-consumer verify --sample 200 --project emea
  group-consumer verify --all --output json | jq '.findings[] | select(.kind == "other")'

It reads the topics from their beginning, joins no group, commits nothing, and writes nothing to Mixpanel. Only
properties that the topic's events touch are compared. What differs is looked at once more after --settle, since
Mixpanel shows a change some seconds after it took it. 500 groups are one of the project's 60 queries an hour.
Exit status: 1 where a profile differs or cannot be read; what waits, is unknown, or was altered as Mixpanel is known
to do is listed, and no fault.
"""


def read_group(text: str) -> tuple[str, str]:
    """Group key and id of `KEY:ID`. Raises ValueError."""
    key, colon, name = text.partition(":")
    if not key or not colon or not name:
        raise ValueError(f"{text!r} is not KEY:ID, such as company:acme")
    return key, name


def read_given(text: str) -> tuple[str, str]:
    """Group key and id of `KEY=ID`. Raises ValueError."""
    key, _, number = text.rpartition("=")
    if not key or not DATA_GROUP_ID.fullmatch(number):
        raise ValueError(f"{text!r} is not KEY=ID, such as company=-1405123841946871899")
    return key, number


def read_settle(text: str) -> float:
    """Seconds of a time, which may be none. Raises ValueError."""
    try:
        return float(str(duration("0s", "1h").read(text)))
    except Wrong as wrong:
        raise ValueError(f"{text!r} is not {wrong}") from None


@click.command(epilog=EXAMPLES)
@click.argument("groups", type=Parsed("KEY:ID", read_group), nargs=-1, metavar="[KEY:ID]...")
@click.option("--sample", type=click.IntRange(1, 1_000_000), metavar="N", help="The N groups that were changed last.")
@click.option("--all", "everything", is_flag=True, help="Every group of the topics; they are all kept in memory.")
@click.option(
    "--settle",
    type=Parsed("TIME", read_settle),
    default="60s",
    show_default=True,
    metavar="TIME",
    help="Wait so long before what differs is looked at again; 0s: never.",
)
@click.option(
    "--patience",
    type=Parsed("TIME", read_patience),
    default="5m",
    show_default=True,
    metavar="TIME",
    help="Wait no longer for a query that Mixpanel's limits hold back.",
)
@click.option(
    "--data-group-id",
    "given",
    type=Parsed("KEY=ID", read_given),
    multiple=True,
    metavar="KEY=ID",
    help="Id of a group key, where the project does not tell it.",
)
@project_option
@click.option("--company", metavar="ID", help="Only groups of this company; else KEY:ID names one in every company.")
@click.option("--url", "urls", type=URL, multiple=True, metavar="URL", help="An instance's HTTP port: its /status.")
@output_option
@settings_options(("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL"), shown=SHOWN)
def verify(
    settings: Settings, groups: Any, sample: int | None, everything: bool, project: str, output: str, **more: Any
) -> None:
    """Read group profiles back from Mixpanel, and list exactly what differs from the topic."""
    from consumer.commands.map.options import mapped_in
    from consumer.commands.verify import report
    from consumer.commands.verify.history import TopicHistory
    from consumer.commands.verify.profiles import ProfileReader
    from consumer.commands.verify.verdict import verify as compare

    if (bool(groups) + (sample is not None) + everything) != 1:
        raise click.UsageError("Name groups as KEY:ID, or give --sample N, or --all.")
    if problems := missing(settings, project):
        refuse(problems, output == "json")
    mapped = mapped_in(settings)
    start_log(settings)
    query = query_api(settings, project, more["patience"])
    with told():
        history = TopicHistory(settings, project, mapped, more["company"])
        try:
            wanted = None if everything else set(groups or history.sample(sample or 0))
            outcome = compare(
                history, ProfileReader(query, dict(more["given"])), wanted, more["settle"], more["urls"]
            )
        finally:
            history.close()
            query.close()
    if output == "json":
        click.echo(json.dumps(report.as_json(outcome), indent=2, ensure_ascii=False))
    else:
        report.print_outcome(outcome)
    raise SystemExit(1 if outcome.failed else 0)
