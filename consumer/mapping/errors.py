"""What can be wrong while a record is mapped.

Unfit    a value that one rule cannot take: a refusal of that rule
Misfit   no value of a type can be: found when a schema is planned for
Hold     the mapping does not fit a schema or a key: the partition waits for another file
"""

from consumer.event.errors import INVALID_CHANGE


class Unfit(Exception):
    """A value that cannot become what the rule asks for. `detail` is a clause without any value."""

    def __init__(self, detail: str, reason: str = INVALID_CHANGE) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason


class Misfit(Exception):
    """No value of a type can be read as a rule asks."""


class Hold(Exception):
    """The file is wrong about this topic, so no record of it is decided. Names rule and path, never a value.

    `missing` says that the path is in no place of the writer's schema: a later version may explain it.
    """

    def __init__(self, rule: str, path: str, why: str, missing: bool = False) -> None:
        super().__init__(f"rule {rule}, {path}: {why}")
        self.rule = rule
        self.path = path
        self.why = why
        self.missing = missing
