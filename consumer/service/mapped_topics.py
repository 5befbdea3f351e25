"""What the rules of a mapping file did is counted, and what a writer's schema means to them is told.

Groups that were seen in two partitions are told once for each topic, of whatever kind it is.
"""

import logging

from consumer.core.pipeline import Pipeline
from consumer.core.schemas import Need
from consumer.registry.facts import SchemaKnown
from consumer.service.metrics import Metrics

log = logging.getLogger("consumer")

SCATTERED = (
    "a group has changes in two partitions of the topic: they have no order between them; have the record key "
    "determine the group"
)


class MappedTopics:
    """`look` counts what happened since the last look."""

    def __init__(self, pipeline: Pipeline, metrics: Metrics) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._scattered: set[str] = set()  # topics that were told of

    def look(self) -> None:
        """Count, and tell of topics whose groups are scattered."""
        self._count_mapped()
        self._count_scattered()

    def schema(self, fact: SchemaKnown) -> None:
        """What the schema that a record of a mapped topic was written with means to the rules."""
        changes = fact.changes.as_fields() if fact.changes is not None else {}
        if changes and isinstance(fact.ref, tuple):
            self._metrics.schema_changes.labels(fact.ref[0]).inc()
            level = logging.WARNING if changes.keys() - {"unmapped"} else logging.INFO
            log.log(
                level, "a writer's schema means something new to the mapping", extra=schema_fields(fact.ref) | changes
            )

    def _count_scattered(self) -> None:
        """Groups that were seen in two partitions: told once for each topic."""
        for topic, count in self._pipeline.scatter.take().items():
            self._metrics.scattered.labels(topic).inc(count)
            if topic not in self._scattered:
                self._scattered.add(topic)
                log.warning(SCATTERED, extra={"topic": topic})

    def _count_mapped(self) -> None:
        """What rules of a mapping made, ignored and left out since the last look."""
        metrics = self._metrics
        for topic in self._pipeline.mapped_topics():
            counted = topic.take_counts()
            for rule, count in counted.mapped.items():
                metrics.mapped.labels(rule).inc(count)
            for (rule, why), count in counted.ignored.items():
                metrics.ignored.labels(rule, why).inc(count)
            if counted.left_out:
                metrics.left_out.labels(topic.name).inc(counted.left_out)


def schema_fields(need: Need) -> dict[str, object]:
    """The schema, and the topic whose mapping reads it."""
    return {"schema": need[1], "topic": need[0]} if isinstance(need, tuple) else {"schema": need}
