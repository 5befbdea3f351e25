"""The command `group-consumer`. A command's module is imported when it is called: `run` starts in a blink.

Exit status: 0 done, 1 the work failed or a check found a fault, 2 usage or settings wrong (nothing was started).
"""

import difflib
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from consumer import __version__
from consumer.commands.options import settings_options
from consumer.settings import Settings

if TYPE_CHECKING:
    from consumer.mapping.mapper import TopicMap

# By name: where the command is, and what it does, in the order of a first day.
COMMANDS: Final = {
    "demo": ("consumer.sandbox.commands:demo", "Run the whole job on this machine and show what came of it."),
    "sandbox": ("consumer.sandbox.commands:sandbox", "Start only what the service talks to, until stopped."),
    "run": ("consumer.cli:run", "Run the service, until SIGTERM or SIGINT."),
    "check": ("consumer.commands.check.command:check", "Find what would stop or hurt the service, before it starts."),
    "settings": ("consumer.commands.settings:settings", "Show every setting, where it comes from and what it means."),
    "preview": ("consumer.commands.preview:preview", "Show the Mixpanel updates for events, and send nothing."),
    "produce": ("consumer.commands.produce:produce", "Write change events to the topic."),
    "dlq": ("consumer.commands.dlq.commands:dlq", "List, show and replay dead letters."),
    "status": ("consumer.commands.status.command:status", "Show what each instance does, and what blocks it."),
    "trace": ("consumer.commands.trace.command:trace", "Show what became of a record, or of a group's changes."),
    "verify": (
        "consumer.commands.verify.command:verify",
        "Read profiles back, and list what differs.",
    ),
    "map": ("consumer.commands.map.command:map_", "Check a mapping file, which makes updates of your own events."),
    "schema": ("consumer.commands.schema:schema", "Show, register and compare the event schema."),
}

EPILOG: Final = """\b
Try it without any server of your own:
  group-consumer demo

\b
On your own Kafka:
  export KAFKA_BOOTSTRAP_SERVERS=kafka:9092
  export SCHEMA_REGISTRY_URL=http://registry:8081
  export MIXPANEL_TOKEN_FILE=/run/secrets/mixpanel-token
  group-consumer check && group-consumer run

\b
Complete commands and options with the tab key (also zsh, fish):
  eval "$(_GROUP_CONSUMER_COMPLETE=bash_source group-consumer)"

Exit status: 0 done, 1 the work failed or a check found a fault, 2 usage or settings wrong.
"""


class Commands(click.Group):
    """A group whose commands are known by name, and imported only when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # as click calls it
        """Every command, in the order in which they are met."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now; None where there is none of the name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, does) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without importing any."""
        names = [
            CompletionItem(name, help=does) for name, (_, does) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; where there is none, say which is near."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, COMMANDS, 1, 0.5)
            hint = f"Did you mean '{near[0]}'?" if near else "There are: " + ", ".join(COMMANDS) + "."
            ctx.fail(f"No such command '{name}'. {hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="group-consumer")
@click.pass_context
def main(context: click.Context) -> None:
    """Group changes in Kafka become Mixpanel group profiles: in order per group, nothing lost.

    Settings are environment variables, and each is an option too: KAFKA_TOPICS is --kafka-topics.
    'group-consumer settings' shows them all, 'group-consumer run --help' all options.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character gets its escape
            stream.reconfigure(errors="backslashreplace")


RUN_EXAMPLES: Final = """\b
Examples:
  group-consumer run
  group-consumer run --kafka-topics group-changes,more-changes --fold off
  MIXPANEL_TOKEN_FILE=/run/secrets/token group-consumer run --http-port 9000

At SIGTERM or SIGINT it drains, commits and exits 0; a second signal ends it at once. Give secrets by environment
or by file: options can be seen by every user of the machine.
"""


@main.command(epilog=RUN_EXAMPLES)
@settings_options(shown=True, warn=False)
def run(settings: Settings) -> None:
    """Run the service, until SIGTERM or SIGINT; then it drains and exits 0."""
    from consumer.service.signals import Signals, end

    signals = Signals()  # before anything that takes time is imported
    mapped: dict[str, TopicMap] = {}
    if settings.mapping_file:
        from consumer.commands.map.options import mapped_in

        mapped = mapped_in(settings, sends=True)
    from consumer.app import run as run_service

    end(run_service(settings, mapped, signals.asked))
