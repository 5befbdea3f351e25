"""`preview`: the Mixpanel updates for events from JSON lines, by the same core as the service; nothing is sent."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import IO, Final

import click

from consumer.commands.events import BadLine, Event, EventReader
from consumer.commands.options import output_option, settings_options
from consumer.core.entry import Entry
from consumer.core.lanes import Lanes
from consumer.core.limits import Limits
from consumer.core.model import Assignment, Record
from consumer.core.room import Share
from consumer.event.encode import group_part, opening_of, update_tail
from consumer.event.model import DEFAULT, DELETE
from consumer.settings import Settings
from consumer.terminal.table import counted, show, width

TOKEN: Final = "MIXPANEL_TOKEN"  # noqa: S105  # what stands for it, so that it is not shown
EXAMPLES: Final = """\b
Examples:
  group-consumer preview events.jsonl
  group-consumer preview --fold off --output json < events.jsonl
  echo '{"group_key": "company", "group_id": "acme", "operation": "ADD",
         "properties": {"seats": 2}}' | tr -d '\\n' | group-consumer preview

A line is a JSON object in the shape of schemas/group_change.avsc; all but group_key, group_id and operation may
be left out. The lines of one group are folded as the service folds what waits together, unless --fold is off.
Exit status: 1 where a line would become a dead letter.
"""


@dataclass(frozen=True)
class Shown:
    """One update: which request it goes with, of which project, its JSON, and the lines that it is made of."""

    request: int
    project: str
    lines: list[int]
    update: str


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.File("rb"), default="-")
@output_option
@settings_options(need=(), shown=("FOLD", "BATCH_MAX_UPDATES"))
def preview(settings: Settings, file: IO[bytes], output: str) -> None:
    """Show the Mixpanel updates for the events in FILE (- for standard input), and send nothing.

    Order per group, folding and limits are those of the service.
    """
    bad: list[BadLine] = []
    events = good(file, settings, bad)
    updates: list[Shown] = []
    count = 0
    while batch := list(islice(events, settings.max_open_records)):
        count += len(batch)
        for project in dict.fromkeys(event.project for event in batch):
            of_project = [event for event in batch if event.project == project]
            updates += requests_for(project, of_project, settings, updates[-1].request if updates else 0)
    if output == "json":
        rejected = [{"line": item.line, "reason": item.reason, "detail": item.detail} for item in bad]
        sent = [{**asdict(item), "update": json.loads(item.update)} for item in updates]
        click.echo(json.dumps({"updates": sent, "rejected": rejected}, indent=2, ensure_ascii=False))
    else:
        tell(updates, bad)
    requests = counted(updates[-1].request if updates else 0, "request")
    summary = f"{counted(count, 'event')}, {counted(len(updates), 'update')} in {requests}"
    click.echo(f"{summary}, {counted(len(bad), 'line')} rejected", err=True)
    raise SystemExit(1 if bad else 0)


def tell(updates: list[Shown], bad: list[BadLine]) -> None:
    """The updates and the rejects as tables."""
    if updates:
        show(
            ["request", "project", "lines", "update"],
            [[item.request, item.project, listed(item.lines), item.update] for item in updates],
        )
    if updates and bad:
        click.echo("-" * min(80, width()))
    if bad:
        show(
            ["line", "reason", "what is wrong"],
            [[item.line, item.reason, item.detail] for item in bad],
            ["red"] * len(bad),
        )


def good(file: IO[bytes], settings: Settings, bad: list[BadLine]) -> Iterator[Event]:
    """The events of the file; what is none is put aside."""
    for event in EventReader(settings.projects).read(file):
        if isinstance(event, BadLine):
            bad.append(event)
        else:
            yield event


def requests_for(project: str, events: list[Event], settings: Settings, before: int) -> Iterator[Shown]:
    """The updates of one project's events, as they go out when all of them wait together.

    Requests are counted from `before`.
    """
    opening = opening_of(TOKEN if project == DEFAULT else f"token of {project}")
    lanes = Lanes(len(opening), settings.batch_max_updates, settings.fold, Share(Limits(), None))
    place = Assignment("preview", 0)
    for event in events:
        record = Record(place, event.line, event.key.encode(), event.value, None, -1, 0.0)
        operation = event.operation
        tail = update_tail(operation)
        lanes.push(group_part(tail, operation.verb), Entry(record, operation.verb, tail, event.line))
    request = before
    while lanes.ready:
        request += 1
        updates = lanes.take(settings.batch_max_updates, settings.batch_max_bytes, 0.0)
        for update in updates:
            run = update.run
            places = range(len(run.entries)) if update.verb == DELETE else run.contributors(update, len(run.entries))
            lines = [run.entries[place].record.offset for place in places]
            sent = json.loads(opening + update.json)
            yield Shown(request, project, lines, json.dumps(sent, ensure_ascii=False))
        for run in dict.fromkeys(update.run for update in updates):
            lanes.release(run)


def listed(lines: list[int]) -> str:
    """The numbers, shortened where there are many."""
    if len(lines) > 6:
        return f"{', '.join(map(str, lines[:5]))}, ... ({len(lines)})"
    return ", ".join(map(str, lines))
