"""Records whose fields a data contract encrypted: opened before they are decoded, by keys that come from outside."""

from collections.abc import Callable, Mapping
from typing import TypeAlias, final

from consumer.avro.cursor import ENDS_EARLY, Cursor
from consumer.avro.errors import InvalidDatum
from consumer.avro.rewriting import Change, MarkedType, rewritten
from consumer.core.errors import SealBroken
from consumer.core.model import Record
from consumer.event.decode import corrupt, located

# What decrypts the fields of a topic's records. It raises `SealBroken`, or `KeyWanted` once it has asked for the key.
Opener: TypeAlias = Callable[[str], Change]


@final
class Seal:
    """The encrypted fields of one writer's schema, and what opens them."""

    __slots__ = ("_changes", "_opener", "_root")

    def __init__(self, root: MarkedType, opener: Opener) -> None:
        self._root = root
        self._opener = opener
        self._changes: dict[str, Change] = {}

    def opened(self, data: bytes, start: int, topic: str) -> bytes:
        """The same bytes with every field in the clear; the datum still begins at `start`.

        Raises `Reject` (corrupt) with the path to a field that does not decrypt; `KeyWanted`.
        """
        change = self._changes.get(topic)
        if change is None:
            change = self._changes[topic] = self._opener(topic)
        cursor = Cursor(data, start)
        try:
            return rewritten(self._root, cursor, change)
        except (InvalidDatum, SealBroken) as fault:
            raise corrupt(located(cursor, str(fault))) from None
        except IndexError:
            raise corrupt(located(cursor, ENDS_EARLY)) from None


def opened(seals: Mapping[object, Seal], need: object, record: Record, data: bytes, start: int) -> bytes:
    """What is to be decoded of the record's value or key: as it is, where this schema has no encrypted fields.

    Raises `Reject`, `KeyWanted`. The record is `sealed` from here on: nothing in the clear leaves us but the update.
    """
    seal = seals.get(need)
    if seal is None:
        return data
    record.sealed = True
    return seal.opened(data, start, record.assignment.topic)
