"""`map check`: what would be wrong with a mapping file, before it runs."""

import json
from typing import Any, Final

import click

from consumer.commands.map.options import Given, mapping_options
from consumer.commands.options import output_option, settings_options
from consumer.mapping.faults import Fault
from consumer.settings import Settings
from consumer.terminal.table import counted, show

SHOWN: Final = ("KAFKA_TOPICS", "KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL")


@click.group("map")
def map_() -> None:
    """Check a mapping file, which makes updates of your own events, and try it."""


CHECK: Final = """\b
Examples:
  group-consumer map check --mapping-file companies.toml
  group-consumer map check --mapping-file companies.toml --project emea \\
    --kafka-topics crm.public.companies --output json

Schemas are looked for under TOPIC-value, TOPIC-RECORD, RECORD and TOPIC-key. With KAFKA_BOOTSTRAP_SERVERS
it is asked which topics are compacted. Exit status: 1 with faults; notes alone are 0.
"""


@map_.command(epilog=CHECK)
@mapping_options
@output_option
@settings_options(("SCHEMA_REGISTRY_URL",), shown=SHOWN)
def check(settings: Settings, given: Given, output: str) -> None:
    """Name every fault of the mapping file, with its line, and what may surprise."""
    from consumer.commands.map.findings import findings_of
    from consumer.kafka.brokers import BrokerError
    from consumer.registry.subjects import RegistryError

    try:
        findings = findings_of(settings, given)
    except (RegistryError, BrokerError) as failure:
        raise click.ClickException(str(failure)) from None
    if output == "json":
        content = {"faults": list(map(as_json, findings.faults)), "notes": list(map(as_json, findings.notes))}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        rows = [["fault", *cells(one)] for one in findings.faults] + [["note", *cells(one)] for one in findings.notes]
        colours = ["red"] * len(findings.faults) + [""] * len(findings.notes)
        if rows:
            show(["kind", "line", "where", "what"], rows, colours)
    click.echo(f"{counted(len(findings.faults), 'fault')}, {counted(len(findings.notes), 'note')}", err=True)
    raise SystemExit(1 if findings.faults else 0)


def as_json(one: Fault) -> dict[str, Any]:
    """For programs; `nearest` is null where no name is near."""
    return {"line": one.line, "where": one.where, "message": one.message, "nearest": one.near or None}


def cells(one: Fault) -> list[Any]:
    """For people."""
    return [one.line, one.where, one.message + (f" (nearest: {one.near})" if one.near else "")]
