"""What `dlq show` prints: one dead letter in full. The payload is shown here, and nowhere else."""

import base64
import json
from typing import Any, Final

import click

from consumer.commands.dlq.advice import next_step
from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.dialects import told_by_others
from consumer.commands.dlq.receipts import REFUSED, SENDING, SETTLED, Receipt
from consumer.commands.dlq.report import iso, when
from consumer.event.model import DEFAULT
from consumer.kafka.dead_letter_format import (
    APPENDED,
    DETAIL,
    ERROR,
    GROUP,
    MESSAGE,
    STAGE,
    STATUS,
    UPDATE,
    VERSION,
    without_token,
)
from consumer.terminal.table import printable, width, wrap

MOST_BYTES: Final = 256  # of a value that cannot be decoded
LEFT: Final = 13


def as_json(
    topic: str, dead_letter: StoredDeadLetter, event: dict[str, Any] | str, receipt: Receipt | None
) -> dict[str, Any]:
    """All of it, for programs; `event` is a sentence where there is none."""
    reason = reason_now(dead_letter, receipt)
    update = update_of(dead_letter)
    others = told_by_others(dead_letter.headers) if dead_letter.origin is None else None
    return {
        "topic": topic,
        "partition": dead_letter.partition,
        "offset": dead_letter.offset,
        "time": iso(dead_letter.timestamp),
        "reason": reason,
        "project": dead_letter.project or None,
        "company_id": dead_letter.company or None,
        "source": dead_letter.origin._asdict() if dead_letter.origin else None,
        "key": base64_of(dead_letter.key),
        "value": base64_of(dead_letter.value),
        "headers": [{"name": name, "value": base64_of(value)} for name, value in dead_letter.headers],
        "appended": {name: update if name == UPDATE else dead_letter.text(name) for name in dead_letter.appended},
        "foreign": None if others is None else {"prefix": others.prefix, **others.said},
        "event": event if isinstance(event, dict) else None,
        "not_decoded": event if isinstance(event, str) else None,
        "update": parsed(update) if update else None,
        "replay": None if receipt is None else {**vars(receipt), "at": iso(receipt.at)},
        "next": next_step(reason),
    }


def print_dead_letter(
    topic: str, dead_letter: StoredDeadLetter, event: dict[str, Any] | str, receipt: Receipt | None
) -> None:
    """All of it, for people."""
    click.secho(f"Dead letter {dead_letter.place} of {topic}", bold=True)
    stage, status = dead_letter.text(STAGE), dead_letter.text(STATUS)
    line("reason", dead_letter.reason + (f" ({stage})" if stage else ""), "red")
    line("detail", dead_letter.text(DETAIL) or dead_letter.text(MESSAGE))
    line("Mixpanel", (f"HTTP {status}: " if status else "") + dead_letter.text(ERROR))
    if dead_letter.origin is not None:
        origin = dead_letter.origin
        line("came from", f"topic {origin.topic}, partition {origin.partition}, offset {origin.offset}")
    elif (others := told_by_others(dead_letter.headers)) is not None:
        line("detail", others.detail)
        line("came from", others.source)
        line("written by", others.writer)
    line("project", dead_letter.project if dead_letter.project != DEFAULT else "")
    line("company", dead_letter.company)
    line("time", f"{when(dead_letter.timestamp)} UTC" if dead_letter.timestamp >= 0 else "none")
    line("written by", writer(dead_letter))
    line("schema", dead_letter.schema)
    line("replay", history(receipt))
    line("key", text_of(dead_letter.key))
    click.echo()
    print_event(dead_letter, event)
    update = update_of(dead_letter)
    if update:
        click.secho("\nIts update", bold=True)
        block(pretty(parsed(update)))
    print_headers("The record's own headers", [(name, text_of(value)) for name, value in dead_letter.headers])
    names = [name for name in APPENDED if name in dead_letter.appended and name != UPDATE]
    appended = [(name, dead_letter.text(name)) for name in names]
    print_headers("Appended headers", appended)
    click.secho("\nNext step", bold=True)
    for text in wrap(next_step(reason_now(dead_letter, receipt)), width() - 2):
        click.echo(f"  {text}")


def print_event(dead_letter: StoredDeadLetter, event: dict[str, Any] | str) -> None:
    """The event, or why it is none and how its bytes begin."""
    click.secho("The event", bold=True)
    if isinstance(event, dict):
        block(pretty(event))
        return
    for text in wrap(f"not decoded: {event}", width() - 2):
        click.echo(f"  {text}")
    if dead_letter.value:
        shown = dead_letter.value[:MOST_BYTES]
        rest = f" (the first {MOST_BYTES})" if len(dead_letter.value) > MOST_BYTES else ""
        click.echo(f"  {len(dead_letter.value)} bytes{rest}:")
        for start in range(0, len(shown), 16):
            row = shown[start : start + 16]
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            click.echo(f"  {start:04x}  {row.hex(' '):<47}  {text}")


def print_headers(title: str, headers: list[tuple[str, str]]) -> None:
    """Headers, one below the other."""
    if not headers:
        return
    click.secho(f"\n{title}", bold=True)
    for name, value in headers:
        first, *more = wrap(f"{printable(name)}: {printable(value)}", width() - 4)
        click.echo(f"  {first}")
        for text in more:
            click.echo(f"    {text}")


def line(name: str, value: str, colour: str | None = None) -> None:
    """One fact; nothing where it has no value."""
    if not value:
        return
    first, *more = wrap(printable(value), width() - LEFT - 2)
    click.echo(f"  {name:<{LEFT}}" + click.style(first, fg=colour))
    for text in more:
        click.echo(" " * (LEFT + 2) + text)


def block(text: str) -> None:
    """Lines, set in."""
    for line in text.splitlines():
        click.echo(f"  {printable(line)}")


def update_of(dead_letter: StoredDeadLetter) -> str:
    """Its update; those of earlier versions name the project's token, which is not shown."""
    return without_token(dead_letter.appended.get(UPDATE) or b"").decode("utf-8", "replace")


def writer(dead_letter: StoredDeadLetter) -> str:
    """Which service wrote the dead letter."""
    group, version = dead_letter.text(GROUP), dead_letter.text(VERSION)
    return f"consumer group {group}" + (f", version {version}" if version else "") if group else ""


def history(receipt: Receipt | None) -> str:
    """What replays came to."""
    if receipt is None:
        return "none so far"
    if receipt.state == SETTLED:
        return f"accepted by Mixpanel, {when(receipt.at)} UTC"
    if receipt.state == SENDING:
        return f"interrupted while its $add was sent, {when(receipt.at)} UTC: Mixpanel may have applied it"
    why = receipt.error or receipt.detail
    return f"refused again as {receipt.reason}, {when(receipt.at)} UTC" + (f": {why}" if why else "")


def reason_now(dead_letter: StoredDeadLetter, receipt: Receipt | None) -> str:
    """The reason that counts: that of the last replay, if it was refused again."""
    if receipt is not None and receipt.state in (REFUSED, SENDING) and receipt.reason:
        return receipt.reason
    return dead_letter.reason


def text_of(value: bytes | None) -> str:
    """Bytes as text where they are text, else in hexadecimal digits."""
    if value is None:
        return "null"
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return text if text.isprintable() else f"0x{value.hex()}"


def base64_of(value: bytes | None) -> str | None:
    """Bytes for programs."""
    return None if value is None else base64.b64encode(value).decode()


def parsed(text: str) -> Any:
    """The JSON that the text is, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)
