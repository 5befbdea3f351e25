"""Why a record waits, as the instances say that are asked: their `/status`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumer.commands.status.asking import ask_all
from consumer.kafka.dead_letter_format import Origin

SETTLED: Final = "it is settled, and its commit is not confirmed yet"
NOBODY: Final = "none of the instances that were asked, and answered, reads the partition"


class Instances:
    """The partitions of every instance that answers. `silent` are those that do not, each with why."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.silent: list[str] = []
        self._asked = bool(urls)
        self._partitions: dict[tuple[str, int], dict[str, Any]] = {}
        for status in ask_all(urls):
            if "error" in status:
                self.silent.append(f"{status['url']}: {status['error']}")
                continue
            for row in status["partitions"]:
                self._partitions[row["topic"], row["partition"]] = row

    def reason(self, place: Origin) -> str:
        """Why the record at this place is not committed yet, as far as one of them says."""
        row = self._partitions.get((place.topic, place.partition))
        if row is None:
            return NOBODY if self._asked else "--url of the instance that reads it tells why"
        block, read = row["blocked"], row["read"]
        if block is None and read is not None and place.offset < read:
            return SETTLED
        if block is None:
            return "nothing blocks the partition" + ("" if read is None else f", which is read up to offset {read}")
        if block["offset"] in (None, place.offset):
            return words(block)
        return SETTLED if block["offset"] > place.offset else f"behind offset {block['offset']}: {words(block)}"


def words(block: Mapping[str, Any]) -> str:
    """The cause, for how long it has held where that is known, and its detail."""
    since = "" if block["seconds"] is None else f" for {block['seconds']:.0f} s"
    detail = ", ".join(f"{name} {value}" for name, value in block["detail"].items())
    return f"{block['cause']}{since}" + (f" ({detail})" if detail else "")
