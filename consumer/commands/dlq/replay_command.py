"""`dlq replay`: dead letters sent again, in order."""

import json
import sys
from typing import TYPE_CHECKING, Final

import click

from consumer.commands.dlq.options import SHOWN, selection_options
from consumer.commands.dlq.selection import Selection, read_patience
from consumer.commands.dlq.starting import start_log, told
from consumer.commands.dlq.topic import Topic
from consumer.commands.options import output_option, settings_options
from consumer.commands.parsed import Parsed
from consumer.settings import Settings

if TYPE_CHECKING:
    from consumer.commands.dlq.plan import Plan, Wishes
    from consumer.commands.dlq.replay import ReplayOutcome

EXAMPLES: Final = """\b
Examples:
  group-consumer dlq replay --dry-run
  group-consumer dlq replay --reason unknown_schema --since 2h
  group-consumer dlq replay --project emea --reason quarantined
  group-consumer dlq replay --reason rejected --topic group-changes --skip-newer --yes
"""


@click.command(epilog=EXAMPLES)
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
    from consumer.commands.dlq.plan import Wishes, make
    from consumer.commands.dlq.replay import replay as send_again
    from consumer.commands.dlq.today import Today
    from consumer.commands.map.options import mapped_in

    if not (dry_run or yes) and (output == "json" or not sys.stdin.isatty()):
        raise click.UsageError("Nobody can be asked here: --dry-run shows what would be sent, --yes sends it.")
    mapped = mapped_in(settings, sends=True)
    scrub = start_log(settings)
    with told(), Topic(settings) as topic:
        wishes = Wishes(selection, skip_newer, force, dry_run)
        plan = make(topic, settings, wishes, Today(settings, mapped))
        sending = not dry_run and plan.total > 0
        show_plan(plan, settings, wishes, output, sending=sending)
        if not sending:
            return
        if not yes and not click.confirm("\nSend them now?"):
            click.echo("Nothing was sent.")
            raise SystemExit(1)
        outcome = send_again(settings, mapped, topic, plan, patience, scrub)
    tell(plan, outcome, output)
    raise SystemExit(0 if outcome.complete else 1)


def show_plan(plan: "Plan", settings: Settings, wishes: "Wishes", output: str, *, sending: bool) -> None:
    """The plan, before anything is sent; for programs only where nothing is to be, else it comes with the outcome."""
    from consumer.commands.dlq.plan_output import as_json, print_plan

    if output == "table":
        where = hosts(settings, wishes.selection)
        print_plan(plan, where, wishes.skip_newer, settings.ambiguous_add == "dead-letter")
    elif not sending:
        click.echo(json.dumps({"plan": as_json(plan)}, indent=2))


def tell(plan: "Plan", outcome: "ReplayOutcome", output: str) -> None:
    """What the replay came to, for people or for programs."""
    from consumer.commands.dlq import outcome as outcomes
    from consumer.commands.dlq import plan_output

    if output == "json":
        shown = {"plan": plan_output.as_json(plan), "outcome": outcomes.as_json(outcome)}
        click.echo(json.dumps(shown, indent=2))
    else:
        outcomes.print_outcome(outcome)


def hosts(settings: Settings, selection: Selection) -> str:
    """Where the selected dead letters go, for people."""
    projects = settings.projects.values()
    urls = dict.fromkeys(project.url for project in projects if selection.project in (None, project.name))
    return ", ".join(urls) or settings.mixpanel_url
