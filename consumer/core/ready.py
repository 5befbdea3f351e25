"""The lanes that a batch may take from, in the order of their heads."""

import heapq
from collections import deque
from typing import final

from consumer.core.runs import Run


@final
class Ready:
    """The fronts of lanes: new ones come in order, those that return out of it. `count` is how many there are."""

    __slots__ = ("_fresh", "_returned", "count")

    def __init__(self) -> None:
        self._fresh: deque[Run] = deque()
        self._returned: list[tuple[int, Run]] = []
        self.count = 0

    def add(self, run: Run) -> None:
        """One whose head is the newest of all."""
        self._fresh.append(run)
        self.count += 1

    def give_back(self, run: Run) -> None:
        """One whose head may be older than others."""
        heapq.heappush(self._returned, (run.first().order, run))
        self.count += 1

    def put_first(self, run: Run) -> None:
        """The one that was popped last is the first again."""
        self._fresh.appendleft(run)
        self.count += 1

    def first(self) -> Run | None:
        """The one with the oldest head."""
        if self._returned_first():
            return self._returned[0][1]
        return self._fresh[0] if self._fresh else None

    def pop(self) -> Run:
        """The same, which is ready no more."""
        self.count -= 1
        return heapq.heappop(self._returned)[1] if self._returned_first() else self._fresh.popleft()

    def any_returned(self) -> bool:
        """Whether one of them was in a request before."""
        return len(self._returned) > 0

    def replace(self, runs: list[Run]) -> None:
        """These, whose heads are in order, and no others."""
        self._fresh = deque(runs)
        self._returned = []
        self.count = len(runs)

    def _returned_first(self) -> bool:
        """Whether the first is one of those that returned."""
        if not self._returned:
            return False
        return not self._fresh or self._returned[0][0] <= self._fresh[0].first().order
