"""Tables for people: they fit the terminal, 80 columns where there is none, and colour only a terminal."""

import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import Final

import click

GAP: Final = 2
NARROWEST: Final = 8


def width() -> int:
    """How many columns a line has."""
    return max(40, shutil.get_terminal_size((80, 24)).columns) if sys.stdout.isatty() else 80


def show(headers: Sequence[str], rows: Sequence[Sequence[object]], colours: Sequence[str] = ()) -> None:
    """Print the table; `colours` has one for each row, empty for none."""
    lines = layout(headers, rows, width())
    click.secho(lines[0][0], bold=True)
    for row, block in enumerate(lines[1:]):
        for line in block:
            click.echo(click.style(line, fg=colours[row]) if colours and colours[row] else line)


def layout(headers: Sequence[str], rows: Sequence[Sequence[object]], limit: int) -> list[list[str]]:
    """The header, then each row, as lines that are no longer than `limit` columns."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    right = [bool(rows) and all(isinstance(row[column], int) for row in rows) for column in range(len(headers))]
    widths = fitted([[measure(cell) for cell in line] for line in [list(headers), *texts]], limit)
    return [block(line, widths, right) for line in [list(headers), *texts]]


def fitted(sizes: list[list[int]], limit: int) -> list[int]:
    """How wide each column is: what it needs, the widest made narrower until all fit."""
    widths = [max(column) for column in zip(*sizes, strict=True)]
    while sum(widths) + GAP * (len(widths) - 1) > limit:
        widest = max(range(len(widths)), key=lambda column: widths[column])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    return widths


def block(cells: list[str], widths: list[int], right: list[bool]) -> list[str]:
    """One row: as many lines as its longest cell needs."""
    wrapped = [wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for number in range(max(len(lines) for lines in wrapped)):
        parts = []
        for column, texts in enumerate(wrapped):
            text = texts[number] if number < len(texts) else ""
            space = " " * (widths[column] - measure(text))
            parts.append(space + text if right[column] else text + space)
        lines.append((" " * GAP).join(parts).rstrip())
    return lines


def wrap(text: str, limit: int) -> list[str]:
    """The text in lines of at most `limit` columns, broken at spaces where it can be."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        candidate = f"{line} {word}" if line else word
        if measure(candidate) <= limit:
            line = candidate
            continue
        if line:
            lines.append(line)
        while measure(word) > limit:
            cut = fitting(word, limit)
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line]


def fitting(word: str, limit: int) -> int:
    """How many characters of the word fit, at least one; broken after a separator near the end if there is one."""
    used = 0
    for count, character in enumerate(word):
        used += measure(character)
        if used > limit:
            near = max(word.rfind(sign, max(1, count - 12), count) for sign in ",/._-&=:")
            return near + 1 if near > 0 else max(1, count)
    return len(word)


def measure(text: str) -> int:
    """How many columns the text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def printable(text: str) -> str:
    """The text without anything that would move the cursor or change the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(count: int, noun: str) -> str:
    """The count with its noun: 1 event, 2,000 events."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
