"""Dead letters of mapped topics under the mapping of today: which rules are still there, and what has changed."""

import json
from collections.abc import Mapping
from typing import Any

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.scan import Failed
from consumer.commands.map.reader import RecordReader
from consumer.commands.map.registered import UnreadableSchema
from consumer.event.encode import update_tail
from consumer.event.errors import UNMAPPED, Reject
from consumer.kafka.dead_letter_format import UPDATE
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import Mapped
from consumer.mapping.seen import Incoming
from consumer.mapping.words import EVENT
from consumer.registry.subjects import RegistryError
from consumer.settings import Settings


class Today:
    """The mapping as it is now; `topics` is empty without one."""

    def __init__(self, settings: Settings, topics: Mapping[str, TopicMap]) -> None:
        self._topics = topics
        self._reader = RecordReader(settings, topics) if topics else None
        self._hold_rules = settings.schema_rules == "hold"

    def gone(self, dead_letter: StoredDeadLetter) -> bool:
        """Whether a rule that refused it is not there any more, or none has its topic still: it stays open."""
        assert dead_letter.origin is not None
        rules = self._topics.get(dead_letter.origin.topic)
        if rules is None:
            return bool(dead_letter.rules) or dead_letter.reason == UNMAPPED
        return not dead_letter.rules <= {rule.name for rule in rules.rules}

    def of_rows(self, topic: str) -> bool:
        """Whether its records are rows: an older one says what a newer one has replaced."""
        rules = self._topics.get(topic)
        return rules is not None and rules.format != EVENT

    @property
    def has_rows(self) -> bool:
        """Whether any topic has."""
        return any(self.of_rows(topic) for topic in self._topics)

    def takes(self, topic: str | None) -> bool:
        """Whether the mapping names the topic."""
        return topic in self._topics

    def mapped(self, dead_letter: StoredDeadLetter) -> Mapped:
        """What its record comes to by the rules that refused it, or by all where none did.

        Raises `Reject`, `Hold`, `Unreadable`, `RegistryError`.
        """
        mapped = self.of_record(incoming(dead_letter))
        if dead_letter.rules:
            mapped.parts = [part for part in mapped.parts if part.rule in dead_letter.rules]
            mapped.refusals = [refusal for refusal in mapped.refusals if refusal.rule in dead_letter.rules]
            mapped.ignored = [ignored for ignored in mapped.ignored if ignored.rule in dead_letter.rules]
        return mapped

    def of_record(self, record: Incoming) -> Mapped:
        """What a record of a mapped topic comes to. Raises as `mapped`."""
        assert self._reader is not None
        return self._reader.mapped(record)

    def is_ruled(self, record: Incoming) -> bool:
        """Whether it has rules for reading, which are not run here: what it says may be encrypted.

        Raises `Reject`, `RegistryError`.
        """
        assert self._reader is not None
        return self._hold_rules and bool(self._reader.rules_of(record))

    def differs(self, dead_letter: StoredDeadLetter) -> bool:
        """Whether it does not come to the updates that were refused, today. Raises `Failed` without a registry."""
        refused = updates_in(dead_letter)
        if not refused or dead_letter.origin is None or not self.takes(dead_letter.origin.topic):
            return False
        try:
            updates = [update for part in self.mapped(dead_letter).parts for update in map(as_json, part.operations)]
        except (Reject, Hold, UnreadableSchema):
            return True
        except RegistryError as failure:
            raise Failed(f"the mapping of today cannot be compared: {failure}") from failure
        return any(update not in updates for update in refused)


def incoming(dead_letter: StoredDeadLetter) -> Incoming:
    """Its record, as the topic had it."""
    assert dead_letter.origin is not None
    return Incoming(
        *dead_letter.origin, dead_letter.timestamp, dead_letter.key, dead_letter.value, dead_letter.headers
    )


def updates_in(dead_letter: StoredDeadLetter) -> list[Any]:
    """The updates that the dead letter says were refused."""
    content = dead_letter.appended.get(UPDATE)
    try:
        updates = json.loads(content) if content else []
    except ValueError:
        return []
    return updates if isinstance(updates, list) else [updates]


def as_json(operation: Any) -> Any:
    """One update as the dead letter has it."""
    return json.loads(b"{" + update_tail(operation))
