"""What `verify` shows: a table and a summary for people, or JSON."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any, Final

import click

from consumer.commands.verify.compare import ALTERED, FAULTS, KINDS, MISSING_PROFILE, UNREAD, WAITING, Finding
from consumer.commands.verify.verdict import VerifyResult
from consumer.terminal.table import counted, show

SHOWN: Final = 500
LONGEST: Final = 60
HEADERS: Final = ("what", "group", "property", "topic", "Mixpanel", "why")
COLOURS: Final = {**dict.fromkeys((*FAULTS, UNREAD), "red"), WAITING: "yellow", ALTERED: "yellow"}


def as_json(outcome: VerifyResult) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "checked": outcome.checked,
        "same": outcome.same,
        "counts": counts(outcome),
        "findings": [asdict(finding) for finding in ordered(outcome)],
        "notes": outcome.notes,
    }


def print_outcome(outcome: VerifyResult) -> None:
    """The findings as a table, faults first; below what they come to."""
    findings = ordered(outcome)
    if findings:
        rows = [row(finding) for finding in findings[:SHOWN]]
        colours = [COLOURS.get(finding.kind, "") for finding in findings[:SHOWN]]
        used = [column for column in range(len(HEADERS)) if any(row[column] != "" for row in rows)]
        show([HEADERS[column] for column in used], [[row[column] for column in used] for row in rows], colours)
        if len(findings) > SHOWN:
            click.echo(f"... and {counted(len(findings) - SHOWN, 'line')} more: --output json has all")
    for note in outcome.notes:
        click.echo(f"note: {note}")
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts(outcome).items() if count)
    summary = f"{counted(outcome.checked, 'group')} looked at, {outcome.same:,} as they should be"
    click.echo(f"{summary}; {told}" if told else summary)


def ordered(outcome: VerifyResult) -> list[Finding]:
    """Faults first, then by group and property."""
    rank = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(
        outcome.findings, key=lambda finding: (rank[finding.kind], *map(str, finding.name()), finding.property or "")
    )


def counts(outcome: VerifyResult) -> dict[str, int]:
    """How many findings there are of each kind."""
    by_kind = Counter(finding.kind for finding in outcome.findings)
    return {kind: by_kind[kind] for kind in KINDS}


def row(finding: Finding) -> list[object]:
    """One line of the table."""
    whole = finding.property is None
    there = finding.kind not in (MISSING_PROFILE, "missing") and not whole
    expected = "" if whole or finding.kind in ("unknown", "left over") else short(finding.expected)
    group = f"{finding.group_key}:{finding.group_id}" + (f" of {finding.company_id}" if finding.company_id else "")
    return [finding.kind, group, finding.property or "", expected, short(finding.found) if there else "", finding.why]


def short(value: object) -> str:
    """The value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
