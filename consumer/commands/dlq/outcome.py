"""What a replay prints at its end."""

from dataclasses import asdict
from typing import Any

import click

from consumer.commands.dlq.plan_output import say
from consumer.commands.dlq.replay import ReplayOutcome
from consumer.commands.dlq.report import shortened
from consumer.terminal.table import show


def as_json(outcome: ReplayOutcome) -> dict[str, Any]:
    """The outcome, for programs."""
    samples = [{"source": source, "reason": reason, "words": message} for source, reason, message in outcome.samples]
    return {**asdict(outcome), "samples": samples, "left": outcome.left, "complete": outcome.complete}


def print_outcome(outcome: ReplayOutcome) -> None:
    """The outcome, for people."""
    click.echo()
    refused = sum(outcome.refused.values())
    rows = [("accepted by Mixpanel", outcome.accepted)]
    rows += [(f"refused again: {reason}", count) for reason, count in sorted(outcome.refused.items())]
    rows += [("not in the topic any more", outcome.gone)] if outcome.gone else []
    rows += [("not come to", outcome.left)] if outcome.left else []
    show(("DEAD LETTERS SENT AGAIN", "COUNT"), rows)
    if outcome.samples:
        click.echo()
        show(
            ("REFUSED AGAIN", "REASON", "MESSAGE"),
            [(source, reason, shortened(message)) for source, reason, message in outcome.samples],
        )
        if refused > len(outcome.samples):
            click.echo(f"... and {refused - len(outcome.samples):,} more.")
    click.echo()
    if refused:
        click.echo(f"{refused:,} stay dead letters. One in full:")
        click.echo(f"  group-consumer dlq show --source {outcome.samples[0][0]}")
    if outcome.trouble:
        say(f"Ended early: {outcome.trouble}. What was accepted is remembered: run the same command again.", "red")
    elif not refused and not outcome.gone:
        say("All of them were accepted.", "green")
