"""Why a record waits, as the instances say that are asked: their `/status`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consumer.commands.status.asking import ask_all
from consumer.kafka.dead_letter_format import Origin


@dataclass(frozen=True)
class ReportedBlock:
    """What blocks a partition: the offset at its head, and the cause, one of the closed words of `/status`."""

    offset: int
    seconds: float
    cause: str
    detail: str


class Instances:
    """The partitions of every instance that answers. `silent` are those that do not, each with why."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.silent: list[str] = []
        self._partitions: dict[tuple[str, int], ReportedBlock | None] = {}
        for status in ask_all(urls):
            if "error" in status:
                self.silent.append(f"{status['url']}: {status['error']}")
            else:
                self._take(status["partitions"])

    def reason(self, place: Origin) -> str:
        """Why the record at this place is not committed yet, as far as one of them says."""
        partition = place.topic, place.partition
        if partition not in self._partitions:
            return "--url of the instance that reads it tells why"
        block = self._partitions[partition]
        if block is None:
            return "nothing blocks the partition"
        if block.offset > place.offset:
            return "it is settled, and its commit is not confirmed yet"
        cause = f"{block.cause} for {block.seconds:.0f} s" + (f" ({block.detail})" if block.detail else "")
        return cause if block.offset == place.offset else f"behind offset {block.offset}: {cause}"

    def _take(self, rows: list[Any]) -> None:
        for row in rows:
            blocked = row.get("blocked") if isinstance(row, dict) else None
            block = None
            if isinstance(blocked, dict) and isinstance(blocked.get("offset"), int):
                detail = ", ".join(f"{name} {value}" for name, value in (blocked.get("detail") or {}).items())
                seconds = float(blocked.get("seconds") or 0.0)
                block = ReportedBlock(blocked["offset"], seconds, str(blocked.get("cause")), detail)
            if isinstance(row, dict):
                self._partitions[str(row.get("topic")), int(row.get("partition", -1))] = block
