"""What a record came to, rule by rule."""

from typing import Final, final

from consumer.event.model import Operation

# Why a rule did nothing with a record that it has.
WHERE: Final = "where"
UNCHANGED: Final = "unchanged"
ACTION: Final = "action"
OP: Final = "op"
TOMBSTONE: Final = "tombstone"
UNMATCHED: Final = "unmatched"


@final
class Part:
    """What one rule asks for: operations on one group, which commute.

    `project` is a name of the settings, None for the default project; `company_id` is Mixpanel's third part of a
    group's identity, None where the rule has none.
    """

    __slots__ = ("company_id", "operations", "project", "rule")

    def __init__(self, rule: str, project: str | None, company_id: str | None, operations: list[Operation]) -> None:
        self.rule = rule
        self.project = project
        self.company_id = company_id
        self.operations = operations


@final
class RuleRefusal:
    """What one rule could not take. `detail` names rule and path, and no value; `reason` is a dead letter's.

    `group` is the key, id and company of the group that it is about, None where they cannot be read.
    """

    __slots__ = ("detail", "group", "reason", "rule")

    def __init__(self, rule: str, reason: str, detail: str, group: tuple[str, str, str | None] | None) -> None:
        self.rule = rule
        self.reason = reason
        self.detail = detail
        self.group = group


@final
class Ignored:
    """A rule that does nothing with the record, and why. The rule is empty where no rule has the record."""

    __slots__ = ("rule", "why")

    def __init__(self, rule: str, why: str) -> None:
        self.rule = rule
        self.why = why


@final
class Mapped:
    """All of one record, each list in the file's order. `unmapped`: no rule has its topic and name.

    `left_out` counts the paths that only a later version of its schema has.
    """

    __slots__ = ("ignored", "left_out", "parts", "refusals", "unmapped")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.refusals: list[RuleRefusal] = []
        self.ignored: list[Ignored] = []
        self.unmapped = False
        self.left_out = 0

    def add(self, outcome: Part | RuleRefusal | Ignored) -> None:
        """What one rule more came to."""
        if isinstance(outcome, Part):
            self.parts.append(outcome)
        elif isinstance(outcome, RuleRefusal):
            self.refusals.append(outcome)
        else:
            self.ignored.append(outcome)
