"""Records of mapped topics through their rules, for the commands: schemas are asked for as they are met."""

from collections.abc import Mapping

from consumer.commands.map.registered import RegisteredSchemas, TopicSchemas, UnreadableSchema
from consumer.event.decode import frame
from consumer.event.model import SchemaRef
from consumer.mapping.bodies import KeyPlan, ValuePlan
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import Mapped
from consumer.mapping.seen import Incoming
from consumer.settings import Settings


class RecordReader:
    """Maps records of these topics. One registry is asked, and each schema once."""

    def __init__(self, settings: Settings, topics: Mapping[str, TopicMap]) -> None:
        self._topics = topics
        self._schemas = RegisteredSchemas(settings)
        self._registered: dict[str, TopicSchemas] = {}
        self._plans: dict[tuple[str, SchemaRef], ValuePlan] = {}
        self._key_plans: dict[tuple[str, SchemaRef], KeyPlan] = {}

    def takes(self, topic: str) -> bool:
        """Whether the mapping names the topic; the others carry the built-in event."""
        return topic in self._topics

    def registered(self, topic: str) -> TopicSchemas:
        """What the registry has for the topic. Raises `RegistryError`."""
        if topic not in self._registered:
            self._registered[topic] = self._schemas.of(topic, self._topics[topic].rules)
        return self._registered[topic]

    def mapped(self, record: Incoming) -> Mapped:
        """What the record comes to. Raises `Reject`, `Hold`, `Unreadable`, `RegistryError`."""
        rules = self._topics[record.topic]
        plan, start, key_plan, key_start, key_fault = None, 0, None, 0, ""
        if record.value is not None:
            ref, start = frame(record.value, record.headers)
            plan = self._plan(record.topic, ref)
        framed = rules.key_frame(record)
        if framed is not None:
            ref, key_start = framed
            try:
                key_plan = self._key_plan(record.topic, ref)
            except UnreadableSchema as fault:
                key_fault = str(fault)
        return rules.apply(record, plan, start, key_plan, key_start, key_fault)

    def rules_of(self, record: Incoming) -> tuple[str, ...]:
        """The names of the rules for reading, none of which are run here.

        Raises `Reject`, `RegistryError`.
        """
        frames = [frame(record.value, record.headers)] if record.value is not None else []
        framed = self._topics[record.topic].key_frame(record)
        refs = [ref for ref, _ in [*frames, *([framed] if framed else [])]]
        return tuple(name for ref in refs for name in self._schemas.rules_of(ref))

    def _plan(self, topic: str, ref: SchemaRef) -> ValuePlan:
        if (topic, ref) not in self._plans:
            writer = self._schemas.type_of(ref)
            around = self.registered(topic).around(writer)
            self._plans[topic, ref] = self._topics[topic].value_plan(writer, *around)
        return self._plans[topic, ref]

    def _key_plan(self, topic: str, ref: SchemaRef) -> KeyPlan:
        if (topic, ref) not in self._key_plans:
            self._key_plans[topic, ref] = self._topics[topic].key_plan(self._schemas.type_of(ref))
        return self._key_plans[topic, ref]
