"""`settings`: every setting with its value, where that came from, its default and its meaning."""

import json
from dataclasses import asdict
from typing import Final

import click

from consumer.commands.options import output_option, settings_options
from consumer.settings.load import Settings, ShownSetting
from consumer.settings.properties import shown
from consumer.terminal.table import printable, width, wrap

EXAMPLES: Final = """\b
Examples:
  group-consumer settings
  group-consumer settings --drain-timeout 40s --output json
  group-consumer settings > /dev/null && echo all is well

Every option of 'run' is an option here. Secrets are never shown. Where something is wrong, all of it is
named, and the exit status is 2.
"""


@click.command(epilog=EXAMPLES)
@output_option
@settings_options()
def settings(settings: Settings, output: str) -> None:
    """Show every setting with its value, where it came from, its default and its meaning."""
    rows = settings.rows()
    if output == "json":
        content = {"settings": [asdict(row) for row in rows], "kafka": clients(settings)}
        click.echo(json.dumps({**content, "warnings": settings.warnings}, indent=2))
        return
    left = max(len(row.name) for row in rows)
    for row in rows:
        show(row, left)


def show(row: ShownSetting, left: int) -> None:
    """One setting: name, value and origin, and below its meaning and default."""
    columns = width()
    origin = "" if row.origin == "default" else f"  ({row.origin})"
    head, *more = wrap(printable(row.value + origin) or "-", columns - left - 2)
    click.secho(f"{row.name:<{left}}  ", bold=True, nl=False)
    click.echo(click.style(head, fg="green") if origin else head)
    for line in more:
        click.echo(" " * (left + 2) + line)
    default = f" [default: {row.default}]" if row.default and origin else ""
    for line in wrap(row.meaning + default, columns - 4):
        click.secho("    " + line, dim=True)


def clients(settings: Settings) -> dict[str, dict[str, str]]:
    """What the Kafka clients are configured with in the end, our own defaults included."""
    from consumer.kafka.config import consumer_config, producer_config

    configs = {"consumer": consumer_config(settings), "producer": producer_config(settings)}
    return {
        client: {name: shown(name, lower(value)) for name, value in sorted(config.items()) if not callable(value)}
        for client, config in configs.items()
    }


def lower(value: object) -> object:
    """The value as librdkafka writes it."""
    return str(value).lower() if isinstance(value, bool) else value
