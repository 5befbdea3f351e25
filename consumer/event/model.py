"""What producers send, and what it asks for. None of these values is changed once it is made.

The verbs are small integers, since the compiled core compares them without a call; `VERB_NAMES` has the
names that Mixpanel reads.
"""

from typing import Final, TypeAlias, final

from consumer.compiling import mypyc_attr

SET: Final = 0
SET_ONCE: Final = 1
ADD: Final = 2
UNION: Final = 3
REMOVE: Final = 4
UNSET: Final = 5
DELETE: Final = 6

VERB_NAMES: Final = ("$set", "$set_once", "$add", "$union", "$remove", "$unset", "$delete")
VERBS: Final = {
    "SET": SET,
    "SET_ONCE": SET_ONCE,
    "ADD": ADD,
    "UNION": UNION,
    "REMOVE": REMOVE,
    "UNSET": UNSET,
    "DELETE": DELETE,
}

# The name of the project of events that name none.
DEFAULT: Final = "default"

# A registry names a schema by an integer id (Confluent's frame) or a GUID (the `__value_schema_id` header).
SchemaRef: TypeAlias = int | str
Headers: TypeAlias = list[tuple[str, bytes | None]]


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Change:
    """A decoded event: the nine fields of `group_change.avsc`; version 1 had no `company_id`."""

    __slots__ = (
        "company_id",
        "event_id",
        "group_id",
        "group_key",
        "occurred_at",
        "operation",
        "project",
        "properties",
        "property_names",
    )

    def __init__(
        self,
        event_id: str,
        occurred_at: int,
        project: str | None,
        group_key: str,
        group_id: str,
        operation: str,
        properties: dict[str, object],
        property_names: list[str],
        company_id: str | None = None,
    ) -> None:
        self.event_id = event_id
        self.occurred_at = occurred_at
        self.project = project
        self.group_key = group_key
        self.group_id = group_id
        self.operation = operation
        self.properties = properties
        self.property_names = property_names
        self.company_id = company_id


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Operation:
    """One verb on one group. `values` maps a property to its value: to None for UNSET; empty for DELETE.

    `company_id` is the parent company's, where the project knows groups by it; else None.
    """

    __slots__ = ("company_id", "group_id", "group_key", "values", "verb")

    def __init__(
        self, group_key: str, group_id: str, verb: int, values: dict[str, object], company_id: str | None = None
    ) -> None:
        self.group_key = group_key
        self.group_id = group_id
        self.verb = verb
        self.values = values
        self.company_id = company_id


def creates(verb: int) -> bool:
    """Whether the verb creates a missing profile (DOC: $set, $set_once, $add, $union do)."""
    return verb == SET or verb == SET_ONCE or verb == ADD or verb == UNION
