"""From a change to the operation that it asks for, or a reject that says what is wrong.

The table of the event schema, as code: what each operation needs, and that it has nothing else. Details count
properties from 1 and name kinds, never a name or a value: both may be a customer's.
"""

from typing import Final

from consumer.event.errors import INVALID_CHANGE, TOO_LARGE, TRANSFORMATION, Reject
from consumer.event.model import ADD, DELETE, REMOVE, SET, SET_ONCE, UNION, UNSET, VERBS, Change, Operation

# Mixpanel's limit for one update (DOC: data-type).
MAX_PROPERTIES: Final = 255


def convert(change: Change) -> Operation:
    """The operation that the change asks for. Raises `Reject`: invalid_change, too_large."""
    verb = VERBS.get(change.operation, -1)
    if verb < 0:
        raise invalid("the operation is none that can be sent to Mixpanel")
    if not change.group_key:
        raise invalid("group_key is empty")
    if not change.group_id:
        raise invalid("group_id is empty")
    company = change.company_id
    if company is not None and not company:
        raise invalid("company_id is empty: a group without a company has null")
    operation = Operation(change.group_key, change.group_id, verb, values_of(change, verb), company)
    if len(operation.values) > MAX_PROPERTIES:
        raise too_large(f"{len(operation.values)} properties, and Mixpanel takes at most {MAX_PROPERTIES}")
    return operation


def values_of(change: Change, verb: int) -> dict[str, object]:
    """What the operation does to which property: exactly what its verb needs."""
    properties = change.properties
    names = change.property_names
    if verb == UNSET:
        return names_to_unset(properties, names)
    if names:
        raise invalid(f"{change.operation} takes no property_names")
    if verb == DELETE:
        if properties:
            raise invalid("DELETE takes no properties")
        return properties
    if not properties:
        raise invalid(f"{change.operation} needs properties")
    if verb != SET and verb != SET_ONCE:
        check_values(verb, properties)
    return properties


def names_to_unset(properties: dict[str, object], names: list[str]) -> dict[str, object]:
    """The names, each with None for a value."""
    if properties:
        raise invalid("UNSET takes no properties")
    if not names:
        raise invalid("UNSET needs property_names")
    values: dict[str, object] = dict.fromkeys(names)
    if len(values) != len(names):
        raise invalid("property_names has the same name twice")
    return values


def check_values(verb: int, properties: dict[str, object]) -> None:
    """Every value is of a kind that the verb takes."""
    for position, value in enumerate(properties.values(), 1):
        if verb == ADD:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise unfit(position, len(properties), value, "ADD needs a number")
            if value - value != 0:
                raise invalid(f"property {position} of {len(properties)} is not finite, and ADD needs a number")
        elif verb == REMOVE:
            if not isinstance(value, (str, int, float)):
                raise unfit(position, len(properties), value, "REMOVE needs one string, number or boolean")
        elif verb == UNION:
            if not isinstance(value, list):
                raise unfit(position, len(properties), value, "UNION needs an array of strings or numbers")
            if not value:
                raise invalid(f"property {position} of {len(properties)} is an empty array, and UNION needs items")
            for item in value:
                if isinstance(item, bool) or not isinstance(item, (str, int, float)):
                    detail = f"has an item that is {kind_of(item)}, and UNION needs strings or numbers"
                    raise invalid(f"property {position} of {len(properties)} {detail}")


def unfit(position: int, count: int, value: object, needs: str) -> Reject:
    """A value of a kind that the verb does not take."""
    return invalid(f"property {position} of {count} is {kind_of(value)}, and {needs}")


def kind_of(value: object) -> str:
    """The kind of a value, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "a map"


def invalid(detail: str) -> Reject:
    """The change breaks the table of the event schema."""
    return Reject(INVALID_CHANGE, TRANSFORMATION, detail)


def too_large(detail: str) -> Reject:
    """The update is over one of Mixpanel's limits."""
    return Reject(TOO_LARGE, TRANSFORMATION, detail)
