"""The plan of a replay, for people and for programs: what is sent, what is left out and why."""

from collections.abc import Iterable
from typing import Any, Final

import click

from consumer.commands.dlq.index import PlanRow
from consumer.commands.dlq.plan import Plan
from consumer.commands.dlq.report import iso, when
from consumer.terminal.table import show, width, wrap

SHOWN: Final = 10  # places of those that differ
OVERWRITES: Final = "Old changes are applied now: an old $set may overwrite a newer value."
SKIP: Final = (
    "--skip-newer leaves out every group that has a newer dead letter beyond these, or a newer record"
    " in its source topic."
)
WINDOW: Final = (
    "What Mixpanel accepted is noted within milliseconds. If this process is killed in between, the next replay sends"
    " it again: that changes nothing but an $add, which counts twice."
)
WINDOW_ADD: Final = (
    "What Mixpanel accepted is noted within milliseconds. If this process is killed in between, the next replay sends"
    " it again, all but an $add: AMBIGUOUS_ADD=dead-letter, so it becomes ambiguous_add."
)


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan, for programs."""
    return {
        "topic": plan.topic,
        "letters": plan.total,
        "rows": [row_as_json(row) for row in plan.rows],
        "refused_for_certain": plan.hopeless,
        "left_out": {
            "settled": plan.settled,
            "ambiguous_add": plan.ambiguous,
            "quarantined": plan.quarantined,
            "foreign": plan.foreign,
            "duplicates": plan.duplicates,
            "replaced": plan.replaced,
            "newer": plan.skipped,
            "newer_keys": plan.skipped_keys,
            "rule_gone": plan.ruleless,
            "outdated_rows": plan.outdated,
            "outdated_keys": plan.outdated_keys,
        },
        "other_updates_today": plan.differing,
        "missing_source_topics": plan.missing,
    }


def row_as_json(row: PlanRow) -> dict[str, Any]:
    """Dead letters of one reason and source topic, for programs."""
    return {
        "reason": row.reason,
        "topic": row.topic,
        "letters": row.dead_letters,
        "keys": row.keys,
        "oldest": iso(row.oldest),
        "newest": iso(row.newest),
    }


def print_plan(plan: Plan, url: str, skip_newer: bool, at_most_once: bool) -> None:
    """The plan, for people."""
    some = f"{plan.total:,} dead letter{'' if plan.total == 1 else 's'}"
    say(
        f"To send again: {some} of {plan.topic}, to {url}" if plan.total else f"Nothing to send again in {plan.topic}"
    )
    if plan.rows:
        click.echo()
        cells = [
            (row.reason, row.topic, row.dead_letters, row.keys, when(row.oldest), when(row.newest))
            for row in plan.rows
        ]
        show(("REASON", "SOURCE TOPIC", "DEAD LETTERS", "KEYS", "OLDEST (UTC)", "NEWEST (UTC)"), cells)
        click.echo()
    for count, why in left_out(plan):
        if count:
            say(f"Left out: {count:,} {why}")
    if plan.missing:
        say(f"Not looked for newer records, as they do not exist any more: {', '.join(plan.missing)}", "yellow")
    if not plan.total:
        return
    if plan.differing:
        some = ", ".join(plan.differing[:SHOWN]) + (", ..." if len(plan.differing) > SHOWN else "")
        say(f"{len(plan.differing):,} of these come to other updates by the mapping of today: {some}", "yellow")
    if plan.hopeless:
        say(f"{plan.hopeless:,} of these are refused again for certain: the reason lies in the record alone.")
    say(OVERWRITES + ("" if skip_newer else f" {SKIP}"), "yellow")
    say(WINDOW_ADD if at_most_once else WINDOW)


def left_out(plan: Plan) -> Iterable[tuple[int, str]]:
    """What is not sent, and why."""
    yield plan.settled, "that a replay has settled"
    yield plan.ambiguous, "ambiguous_add, which Mixpanel may have applied: name them by --reason ambiguous_add"
    yield plan.quarantined, "quarantined, which an operator took out: name them by --reason quarantined"
    yield plan.duplicates, "written more than once: each record is sent once"
    yield plan.replaced, "whose source offset another record has had since: the topic was recreated"
    yield plan.foreign, "that no service of ours wrote"
    yield plan.ruleless, "whose rule the mapping file does not have any more: they stay open"
    yield (
        plan.outdated,
        f"of {plan.outdated_keys:,} rows whose keys have later records: --force sends them all the same",
    )
    yield plan.skipped, f"of {plan.skipped_keys:,} groups that have something newer"


def say(paragraph: str, colour: str | None = None) -> None:
    """One paragraph."""
    for text in wrap(paragraph, width()):
        click.secho(text, fg=colour)
