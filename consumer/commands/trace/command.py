"""`trace`: what became of a record, or of a group's changes."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from consumer.commands.dlq.options import TIME
from consumer.commands.dlq.selection import read_origin, read_time
from consumer.commands.dlq.starting import start_log, told
from consumer.commands.options import output_option, settings_options
from consumer.commands.parsed import URL, Parsed
from consumer.commands.verify.command import read_group
from consumer.kafka.dead_letter_format import Origin
from consumer.settings import Settings
from consumer.terminal.table import counted, show

SHOWN: Final = ("KAFKA_TOPICS", "KAFKA_GROUP_ID", "KAFKA_DEAD_LETTER_TOPIC")
LONGEST: Final = 240  # of what a line says of an update; the record by its place has all of it
COLOURS: Final = {"applied": "", "replayed": "", "ignored": "", "dead letter": "red", "waiting": "yellow"}
EXAMPLES: Final = """\b
Examples:
  group-consumer trace group-changes:3:88123
  group-consumer trace group-changes:3:88123 --url http://10.0.0.7:8080
  group-consumer trace --group company:acme --since 2h

It reads Kafka and the schema registry, joins no group and commits nothing. Why a record waits is known to the
instance that reads its partition: name it, or all of them, with --url.
"""


@click.command(epilog=EXAMPLES)
@click.argument("record", type=Parsed("TOPIC:PARTITION:OFFSET", read_origin), required=False)
@click.option("--group", type=Parsed("KEY:ID", read_group), metavar="KEY:ID", help="The changes of this group.")
@click.option("--company", metavar="ID", help="Only in this company; else the group is meant in every one.")
@click.option("--since", type=TIME, metavar="TIME", default="2h", show_default=True, help="Not older than this.")
@click.option("--url", "urls", type=URL, multiple=True, metavar="URL", help="An instance's HTTP port: its /status.")
@output_option
@settings_options(("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL"), shown=SHOWN)
def trace(
    settings: Settings,
    record: Origin | None,
    group: tuple[str, str] | None,
    company: str | None,
    since: int | str,
    urls: tuple[str, ...],
    output: str,
) -> None:
    """Show what became of a record: its event, its update, and whether it was applied, died or waits."""
    from consumer.commands.map.options import mapped_in
    from consumer.commands.status.instances import Instances
    from consumer.commands.trace.records import Tracer

    if (record is None) == (group is None):
        raise click.UsageError("Name one record as TOPIC:PARTITION:OFFSET, or give --group KEY:ID.")
    mapped = mapped_in(settings)
    start_log(settings)
    instances = Instances(urls)
    for silent in instances.silent:
        click.echo(f"warning: {silent}", err=True)
    with told():
        tracer = Tracer(settings, mapped, instances)
        try:
            if record is not None:
                records = [tracer.at(record)]
            else:
                assert group is not None
                records = list(tracer.of_group(group, company, read_time(since) if isinstance(since, str) else since))
        finally:
            tracer.close()
    for unread in tracer.unread:
        click.echo(f"warning: {unread}", err=True)
    if output == "json":
        click.echo(json.dumps([traced.as_json() for traced in records], indent=2, ensure_ascii=False))
    else:
        (print_records if record is None else print_record)(records)
    raise SystemExit(1 if tracer.unread else 0)


def print_records(records: Sequence[Any]) -> None:
    """One line for each."""
    rows = [[traced.place, moment(traced.timestamp), short(traced), traced.fate, traced.why] for traced in records]
    if rows:
        show(["record", "time", "update", "fate", "why"], rows, [COLOURS[traced.fate] for traced in records])
    click.echo(counted(len(records), "change"))


def print_record(records: Sequence[Any]) -> None:
    """One record in full."""
    (traced,) = records
    rows = [["record", traced.place], ["time", moment(traced.timestamp)], ["fate", traced.fate], ["why", traced.why]]
    if traced.problem:
        rows.append(["problem", traced.problem])
    for name, value in (traced.event or {}).items():
        rows.append([f"event.{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)])
    if traced.update is not None:
        rows.append(["update", json.dumps(traced.update, ensure_ascii=False)])
    show(["what", "is"], rows, [COLOURS[traced.fate] if row[0] == "fate" else "" for row in rows])


def short(traced: Any) -> str:
    """What the record does, without whose it is."""
    if traced.update is None:
        return str(traced.problem)
    updates = traced.update if isinstance(traced.update, list) else [traced.update]
    said = [{name: value for name, value in update.items() if "$group" not in name} for update in updates]
    parts = [json.dumps(update, ensure_ascii=False) for update in said]
    text = ", ".join(parts + [traced.problem] * bool(traced.problem))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def moment(milliseconds: int) -> str:
    """The time in UTC; empty where there is none."""
    if milliseconds < 0:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
