"""What the records of a mapped topic came to, in numbers."""

from typing import final

from consumer.mapping.outcome import Mapped


@final
class MappedCounts:
    """What records came to: `mapped` by rule, `ignored` by rule and why; `left_out` are paths that only a later
    version of a schema has."""

    __slots__ = ("ignored", "left_out", "mapped")

    def __init__(self) -> None:
        self.mapped: dict[str, int] = {}
        self.ignored: dict[tuple[str, str], int] = {}
        self.left_out = 0

    def add(self, mapped: Mapped) -> None:
        """One record more."""
        for part in mapped.parts:
            self.mapped[part.rule] = self.mapped.get(part.rule, 0) + 1
        for ignored in mapped.ignored:
            why = (ignored.rule, ignored.why)
            self.ignored[why] = self.ignored.get(why, 0) + 1
        self.left_out += mapped.left_out
