"""The line of each key in a TOML text that `tomllib` has read: it keeps none.

Only places are looked for, the values are tomllib's: so it need not be strict.
"""

import tomllib
from bisect import bisect_left
from typing import Final, TypeAlias, final

Place: TypeAlias = tuple[str | int, ...]

BARE_ENDS: Final = " \t=.]\n,}#"


def lines_of(text: str) -> dict[Place, int]:
    """The line of each table, key, and item of a list, by its path: `("rule", 0, "set", "Plan")`."""
    scanner = Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


@final
class Scanner:
    """A place in the text, and the lines found before it."""

    __slots__ = ("counts", "ends", "lines", "pos", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends = [at for at, sign in enumerate(text) if sign == "\n"]
        self.pos = 0
        self.lines: dict[Place, int] = {(): 1}
        self.counts: dict[Place, int] = {}

    def document(self) -> None:
        """Tables and keys, to the end."""
        table: Place = ()
        self.space(True)
        while self.pos < len(self.text):
            if self.text[self.pos] == "[":
                table = self.header()
            else:
                self.entry(table)
            self.space(True)

    def header(self) -> Place:
        """`[a.b]` or `[[a.b]]`: the table that it begins."""
        line = self.line()
        several = self.text.startswith("[[", self.pos)
        self.pos += 2 if several else 1
        keys = self.keys()
        self.pos += 2 if several else 1
        place: Place = ()
        for key in keys[:-1]:
            place = (*place, key)
            self.lines.setdefault(place, line)
            if place in self.counts:
                place = (*place, self.counts[place] - 1)
        place = (*place, keys[-1])
        if several:
            self.counts[place] = self.counts.get(place, 0) + 1
            self.lines.setdefault(place, line)
            place = (*place, self.counts[place] - 1)
        self.lines.setdefault(place, line)
        return place

    def entry(self, table: Place) -> None:
        """`key = value`."""
        line = self.line()
        place: Place = table
        for key in self.keys():
            place = (*place, key)
            self.lines.setdefault(place, line)
        self.space(False)
        self.pos += 1  # the equals sign
        self.space(False)
        self.value(place)

    def keys(self) -> list[str]:
        """A dotted key."""
        found = []
        while True:
            self.space(False)
            if self.text[self.pos] in "\"'":
                found.append(self.quoted())
            else:
                start = self.pos
                while self.text[self.pos] not in BARE_ENDS:
                    self.pos += 1
                found.append(self.text[start : self.pos])
            self.space(False)
            if self.text[self.pos] != ".":
                return found
            self.pos += 1

    def quoted(self) -> str:
        """A string of one line, as a key."""
        start = self.pos
        self.string()
        written = self.text[start : self.pos]
        return next(iter(tomllib.loads(f"{written} = 0"))) if "\\" in written else written[1:-1]

    def string(self) -> None:
        """Go behind the string that begins here."""
        quote = self.text[self.pos]
        ends = quote * 3 if self.text.startswith(quote * 3, self.pos) else quote
        self.pos += len(ends)
        while not self.text.startswith(ends, self.pos):
            self.pos += 2 if quote == '"' and self.text[self.pos] == "\\" else 1
        self.pos += len(ends)
        while len(ends) == 3 and self.text.startswith(quote, self.pos):
            self.pos += 1  # up to two quotes may stand before the closing ones

    def value(self, place: Place) -> None:
        """Go behind the value that begins here, and note what is within it."""
        sign = self.text[self.pos]
        if sign in "\"'":
            self.string()
        elif sign == "[":
            self.pos += 1
            self.space(True)
            index = 0
            while self.text[self.pos] != "]":
                self.lines[(*place, index)] = self.line()
                self.value((*place, index))
                index += 1
                self.comma()
            self.pos += 1
        elif sign == "{":
            self.pos += 1
            self.space(True)
            while self.text[self.pos] != "}":
                self.entry(place)
                self.comma()
            self.pos += 1
        else:
            while self.pos < len(self.text) and self.text[self.pos] not in ",]}#\n":
                self.pos += 1

    def comma(self) -> None:
        """Go behind what stands between two items."""
        self.space(True)
        if self.text[self.pos] == ",":
            self.pos += 1
            self.space(True)

    def space(self, lines: bool) -> None:
        """Go behind spaces; with `lines` behind ends of lines and comments, too."""
        while self.pos < len(self.text):
            sign = self.text[self.pos]
            if sign == "#" and lines:
                end = self.text.find("\n", self.pos)
                self.pos = len(self.text) if end < 0 else end
            elif sign in " \t" or (lines and sign == "\n"):
                self.pos += 1
            else:
                return

    def line(self) -> int:
        """The line of this place, from 1."""
        return bisect_left(self.ends, self.pos) + 1
