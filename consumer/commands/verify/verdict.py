"""One verification: read the topic, read the profiles, compare, and look again at what differs."""

import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Final

import click

from consumer.commands.status.instances import Instances
from consumer.commands.verify.compare import FAULTS, UNKNOWN, UNREAD, WAITING, Finding, judge
from consumer.commands.verify.history import TopicHistory
from consumer.commands.verify.model import Group
from consumer.commands.verify.profiles import ProfileReader
from consumer.terminal.progress import bar
from consumer.terminal.table import counted

NO_CHANGE: Final = "the topic has no change of it that can be applied"


@dataclass
class VerifyResult:
    """What was found. `checked` groups were compared, `same` have no finding; `notes` are for a person."""

    checked: int = 0
    same: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether something differs, or could not be read."""
        return any(finding.kind in (*FAULTS, UNREAD) for finding in self.findings)


def verify(
    history: TopicHistory,
    reader: ProfileReader,
    wanted: Collection[tuple[str, str]] | None,
    settle: float,
    urls: Sequence[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> VerifyResult:
    """Compare the groups of the wanted keys and ids, None for all of the topic.

    What differs is read again after `settle` seconds. The instances at `urls` say why that waits which is not
    committed. Raises `Failed` where Kafka or the registry cannot be read.
    """
    history.read(wanted)
    zone = reader.zone()
    findings = look(history, reader, list(history.groups.values()), zone)
    doubtful = {finding.name() for finding in findings if finding.kind in FAULTS}
    if doubtful and settle > 0:
        if sys.stderr.isatty():
            click.echo(f"{counted(len(doubtful), 'group')} differ; looking again in {settle:.0f} s", err=True)
        sleep(settle)
        again = look(history, reader, [group for name, group in history.groups.items() if name in doubtful], zone)
        findings = [finding for finding in findings if finding.name() not in doubtful] + again
    instances = Instances(urls if any(finding.kind == WAITING for finding in findings) else ())
    if urls:
        findings = [explained(history, instances, finding) for finding in findings]
    outcome = VerifyResult(len(history.groups), findings=findings)
    told = {finding.name() for finding in findings}
    outcome.same = len(history.groups) - len(told)
    for key, name in sorted(set(wanted or ()) - {name[:2] for name in history.groups}):
        outcome.findings.append(Finding(UNKNOWN, key, name, why=NO_CHANGE))
    outcome.notes = notes(history, findings) + instances.silent
    return outcome


def explained(history: TopicHistory, instances: Instances, finding: Finding) -> Finding:
    """The finding, with why the first record of its group waits that is not committed, where one does."""
    first = history.first_waiting.get(finding.name())
    if finding.kind != WAITING or first is None:
        return finding
    return replace(finding, why=f"{finding.why}; {first}: {instances.reason(first)}")


def look(history: TopicHistory, reader: ProfileReader, groups: list[Group], zone: tzinfo | None) -> list[Finding]:
    """Read the profiles of these groups, then what the topic got meanwhile, and compare."""
    with bar("Reading profiles", len(groups)) as moved:
        profiles, unread = reader.read(groups, moved)
    history.go_on({group.name for group in groups})
    findings: list[Finding] = []
    for group in groups:
        if group.key in unread:
            findings.append(Finding(UNREAD, group.key, group.id, why=unread[group.key], company_id=group.company))
        else:
            findings += judge(group, profiles.get(group.name), zone)
    return findings


def notes(history: TopicHistory, findings: list[Finding]) -> list[str]:
    """What a person should know beside the findings."""
    lines = []
    for key in sorted({group.key for group in history.groups.values() if group.exists}):
        there = [group for group in history.groups.values() if group.key == key and group.exists]
        gone = {
            finding.name() for finding in findings if finding.group_key == key and finding.kind == "missing profile"
        }
        if len(gone) == len(there):
            lines.append(
                f"none of the {key} profiles is there: is it the right token, region and group key? "
                f"'group-consumer check --canary {key}' tells"
            )
    if history.dead_letters.missing:
        lines.append("there is no dead-letter topic: every record counts as applied")
    if any(finding.kind == WAITING for finding in findings):
        lines.append("what waits is not lost: look at lag and readiness of the service")
    return lines
