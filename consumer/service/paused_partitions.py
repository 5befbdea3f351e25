"""Partitions that are not read right now: a line for each cause, when its partitions change."""

import logging
from collections.abc import Mapping

from consumer.core.causes import BREAKER, FAULT, LIMIT, MAPPING, PROJECT, RULES, SCHEMA
from consumer.core.model import Assignment
from consumer.core.pipeline import Pipeline

log = logging.getLogger("consumer")


class PausedPartitions:
    """`look` is given what is paused; what was told is remembered by its cause."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._told: dict[str, list[str]] = {}

    def look(self, paused: Mapping[Assignment, str]) -> None:
        """Tell which partitions are paused now, each with its cause, where that has changed."""
        by_cause: dict[str, list[str]] = {}
        for assignment, cause in paused.items():
            if cause != PROJECT or self._stands(assignment):  # one that answers waits for its turn, as at a limit
                by_cause.setdefault(cause, []).append(repr(assignment))
        for cause in sorted({*by_cause, *self._told}):
            now, before = by_cause.get(cause, []), self._told.get(cause, [])
            if now != before:
                level = logging.DEBUG if cause in (LIMIT, BREAKER) else logging.INFO
                if cause in (FAULT, MAPPING) and now:
                    level = logging.ERROR
                log.log(
                    level, "partitions paused" if now else "no partition paused any more", extra=self._why(cause, now)
                )
        self._told = by_cause

    def _stands(self, assignment: Assignment) -> bool:
        """Whether the project that this partition waits for does not answer well."""
        partition = self._pipeline.partitions.by_assignment.get(assignment)
        delivery = self._pipeline.destinations.by_name.get(partition.project) if partition is not None else None
        return delivery is not None and delivery.dispatch.share.stands

    def _why(self, cause: str, partitions: list[str]) -> dict[str, object]:
        fields: dict[str, object] = {"cause": cause, "partitions": partitions}
        ours = self._pipeline.partitions.by_assignment.values()
        if cause in (FAULT, MAPPING):
            holding = [partition for partition in ours if partition.held_for == cause and partition.held]
            records = [f"{partition.held[0]!r}: {partition.why_held}" for partition in holding]
            fields |= {"records": records} if records else {}  # none where a batch cannot be read
        if cause == PROJECT:
            fields["projects"] = sorted({partition.project for partition in ours if partition.project})
        if cause in (SCHEMA, RULES):
            fields["schemas"] = sorted({str(ref) for ref in self._pipeline.partitions.held_schemas().values()})
        return fields
