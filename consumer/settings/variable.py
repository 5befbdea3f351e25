"""One setting as it is declared: a field of a dataclass that carries all that is known of it."""

from dataclasses import dataclass, field, fields
from typing import Any, Final

from consumer.settings.values import Value, ValueKind

FILE_TWIN: Final = "_FILE"


@dataclass(frozen=True)
class Variable:
    """One setting. `default` is text, empty where leaving it out means none; `rule` says how another fills it in.

    A `lines` one can be a file with an entry a line.
    """

    name: str
    kind: ValueKind[Any]
    default: str
    meaning: str
    required: bool = False
    secret: bool = False
    rule: str = ""
    lines: bool = False

    @property
    def twin(self) -> bool:
        """Whether `NAME_FILE` can name a file that holds it."""
        return self.secret or self.lines

    @property
    def field(self) -> str:
        """Its attribute of `Settings`."""
        return self.name.lower()

    @property
    def option(self) -> str:
        """Its command-line option."""
        return "--" + self.name.lower().replace("_", "-")


def setting(
    kind: ValueKind[Value],
    default: str,
    meaning: str,
    *,
    required: bool = False,
    secret: bool = False,
    rule: str = "",
    lines: bool = False,
) -> Value:
    """The field that declares a setting, see `Variable`; its attribute's name in capitals is the variable's."""
    metadata = {"kind": kind, "default": default, "meaning": meaning}
    metadata |= {"required": required, "secret": secret, "rule": rule, "lines": lines}
    declared: Any = field(repr=not (secret or kind.credentials), metadata=metadata)
    return declared  # type: ignore[no-any-return]  # the attribute has the value's type, as with `field` itself


def variables(of: type) -> tuple[Variable, ...]:
    """What the fields of a class declare, in their order."""
    return tuple(Variable(name=declared.name.upper(), **declared.metadata) for declared in fields(of))
