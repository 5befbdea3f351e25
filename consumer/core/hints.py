"""Where to cut a request that was refused as a whole: in two, or as the answer says, though no count confirms it.

An answer may name refused updates by index and say no count, or a wrong one. That is taken for a hint: the named go
apart from the others. Where they are accepted then, it was none (it counts from one, or is of another list),
and parts are cut in two: else each hint would take one update off, and a refusal cost a request for each update.
"""

from typing import final

from consumer.core.batch import Batch, pieces
from consumer.core.entry import Update
from consumer.core.verdict import Accepted, Verdict


@final
class Hints:
    """Whether what the answers of one destination name was refused, when it went apart."""

    __slots__ = ("_right",)

    def __init__(self) -> None:
        self._right = True

    def heard(self, batch: Batch, verdict: Verdict) -> None:
        """The request was answered: if its updates were named before, that was right, or not."""
        if batch.history.named:
            self._right = not isinstance(verdict, Accepted)

    def cut(self, batch: Batch, updates: list[Update], named: set[Update]) -> tuple[list[Update], list[Update], bool]:
        """These updates of the batch in two parts, of which one may be empty; whether the second is what was named.

        A request that is no part of another tries the hint each time: it may be right again.
        """
        if self._right or not batch.history.part:
            others = [update for update in updates if update not in named]
            apart = [update for update in updates if update in named]
            if others and apart:
                return others, apart, True
        halves = pieces(updates, 2)
        return halves[0], halves[1] if len(halves) > 1 else [], False
