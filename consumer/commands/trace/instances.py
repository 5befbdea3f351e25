"""Why a record waits, as the instances say that are asked: their `/status`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import requests

from consumer.http.deadline import Cut, cuttable, word_for

TIMEOUT: Final = 5.0


@dataclass(frozen=True)
class Block:
    """What blocks a partition: the offset at its head, and the cause, one of the closed words of `/status`."""

    offset: int
    seconds: float
    cause: str
    detail: str


class Instances:
    """The partitions of every instance that answers. `silent` are those that do not, each with why."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.silent: list[str] = []
        self._partitions: dict[tuple[str, int], Block | None] = {}
        for url in urls:
            try:
                self._take(ask(url))
            except (requests.RequestException, ValueError) as failure:
                why = word_for(failure) if isinstance(failure, requests.RequestException) else str(failure)
                self.silent.append(f"{url}: {why}")

    def owned(self, topic: str, partition: int) -> bool:
        """Whether one of them reads the partition."""
        return (topic, partition) in self._partitions

    def block(self, topic: str, partition: int) -> Block | None:
        """What blocks the partition; None where nothing does, or nobody says."""
        return self._partitions.get((topic, partition))

    def _take(self, status: dict[str, Any]) -> None:
        rows = status.get("partitions")
        if not isinstance(rows, list):
            raise ValueError("its /status has no partitions")  # noqa: TRY004  # as wrong as any other answer
        for row in rows:
            blocked = row.get("blocked") if isinstance(row, dict) else None
            found = None
            if isinstance(blocked, dict) and isinstance(blocked.get("offset"), int):
                detail = ", ".join(f"{name} {value}" for name, value in (blocked.get("detail") or {}).items())
                seconds = float(blocked.get("seconds") or 0.0)
                found = Block(blocked["offset"], seconds, str(blocked.get("cause")), detail)
            if isinstance(row, dict):
                self._partitions[str(row.get("topic")), int(row.get("partition", -1))] = found


def ask(url: str) -> dict[str, Any]:
    """What `/status` answers. Raises `requests.RequestException`, or ValueError where it is no status."""
    with cuttable(requests.Session(), 1) as session, Cut(TIMEOUT) as cut:
        answer = session.get(f"{url.rstrip('/')}/status", timeout=TIMEOUT, allow_redirects=False)
        if cut.happened:
            raise requests.Timeout
        if answer.status_code not in (200, 503):
            raise ValueError(f"its /status answers {answer.status_code}")
        try:
            found = json.loads(answer.content)
        except ValueError:
            raise ValueError("its /status is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("its /status is no object")  # noqa: TRY004
    return found
