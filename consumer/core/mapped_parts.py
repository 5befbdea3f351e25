"""What the rules made of a record, each part decided on its own: an update within all limits, or its dead letter."""

from collections.abc import Collection, Mapping
from typing import Final, final

from consumer.core.model import DeadLetter, Record
from consumer.core.quarantine import Quarantine
from consumer.core.taken import TAKEN, Taken, rejected
from consumer.core.whole import several
from consumer.event.encode import bounded_tail
from consumer.event.errors import TRANSFORMATION, UNKNOWN_PROJECT, Reject
from consumer.event.model import DEFAULT, Operation, SchemaRef
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import Mapped, Part, RuleRefusal

NO_PROJECT: Final = "no such project is in MIXPANEL_PROJECTS_FILE (MIXPANEL_TOKEN for the default one)"


@final
class MappedParts:
    """Decides on the parts of one topic's records."""

    __slots__ = ("_only", "_openings", "_places", "_quarantine")

    def __init__(
        self,
        rules: TopicMap,
        openings: Mapping[str, int],
        quarantine: Quarantine | None,
        only: Mapping[Record, Collection[str]] | None,
    ) -> None:
        """`only` has records of which some rules alone apply: those that refused them before."""
        self._places = {rule.name: place for place, rule in enumerate(rules.rules)}
        self._openings = openings
        self._quarantine = quarantine
        self._only = only

    def taken(self, record: Record, schema: SchemaRef | None, mapped: Mapped) -> Taken:
        """The record, from all that the rules made of it."""
        if self._only is not None:
            keep(mapped, self._only.get(record))
        parts = mapped.parts
        if len(parts) == 1 and not mapped.refusals and len(parts[0].operations) == 1:
            taken = self._part(record, schema, parts[0], parts[0].operations[0])
        else:
            taken = several(self._all(record, schema, mapped))
        taken.mapped = mapped
        return taken

    def _all(self, record: Record, schema: SchemaRef | None, mapped: Mapped) -> list[Taken]:
        """Every part of the record, in the file's order."""
        parts: list[Taken] = []
        refusals = mapped.refusals
        after = 0
        for part in mapped.parts:
            while after < len(refusals) and self._places[refusals[after].rule] < self._places[part.rule]:
                parts.append(refused(record, schema, refusals[after]))
                after += 1
            for operation in part.operations:
                parts.append(self._part(record, schema, part, operation))  # noqa: PERF401  # compiled, the fastest
        for refusal in refusals[after:]:
            parts.append(refused(record, schema, refusal))  # noqa: PERF401
        return parts

    def _part(self, record: Record, schema: SchemaRef | None, part: Part, operation: Operation) -> Taken:
        """One update, within all limits, or its dead letter."""
        project = DEFAULT if part.project is None else part.project
        opening = self._openings.get(project, -1)
        try:
            if self._quarantine is not None:
                self._quarantine.change(project, operation)
            if opening < 0:
                raise Reject(UNKNOWN_PROJECT, TRANSFORMATION, NO_PROJECT)
            tail = bounded_tail(operation, opening)
        except Reject as reject:
            detail = f"rule {part.rule}: {reject.detail}"
            named = project if opening >= 0 else ""
            return rejected(
                DeadLetter(
                    record,
                    reject.reason,
                    reject.stage,
                    detail,
                    schema,
                    project=named,
                    company_id=operation.company_id,
                    rule=part.rule,
                )
            )
        taken = Taken(TAKEN)
        taken.project = project
        taken.operation = operation
        taken.tail = tail
        taken.rule = part.rule
        return taken


def keep(mapped: Mapped, rules: Collection[str] | None) -> None:
    """Leave out what other rules made of the record; None keeps all."""
    if rules is not None:
        mapped.parts = [part for part in mapped.parts if part.rule in rules]
        mapped.refusals = [refusal for refusal in mapped.refusals if refusal.rule in rules]
        mapped.ignored = [ignored for ignored in mapped.ignored if ignored.rule in rules]


def refused(record: Record, schema: SchemaRef | None, refusal: RuleRefusal) -> Taken:
    """What one rule could not take."""
    return rejected(DeadLetter(record, refusal.reason, TRANSFORMATION, refusal.detail, schema, rule=refusal.rule))
