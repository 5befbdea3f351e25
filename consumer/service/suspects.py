"""Records that alone bring a fault of Mixpanel about: told once when one is found, and when it is through."""

import logging
from collections.abc import Collection

from consumer.core.destinations import Suspect
from consumer.core.model import Record

log = logging.getLogger("consumer")


class Suspects:
    """`look` is given the suspects that there are; what was told is remembered by the place of its record."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(self, now: float, suspects: Collection[Suspect]) -> None:
        """A record that alone brings its fault about is one line when it is found, and one when it is through."""
        by_place = {repr(suspect.record): suspect for suspect in suspects}
        for place, suspect in by_place.items():
            if place not in self._told:
                fields = {
                    "record": place,
                    "quarantine": entry_of(suspect.record),
                    "project": suspect.project,
                    "answered": suspect.answered,
                    "seconds": round(now - suspect.since, 1),
                }
                log.error(
                    "one record alone is answered so, again and again: its group and the commits of its partition"
                    " wait, all else goes on; it is tried again every 5 to 120 s",
                    extra=fields,
                )
        for place in self._told - by_place.keys():
            log.info("the record that was answered by a fault of its own waits no more", extra={"record": place})
        self._told = set(by_place)


def entry_of(record: Record) -> str:
    """The record as an entry of QUARANTINE."""
    return f"{record.assignment.topic}:{record.assignment.partition}:{record.offset}"
