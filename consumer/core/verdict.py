"""What an answer of Mixpanel can mean for a request; `answers` reads it."""

from typing import Final, TypeAlias, final

from consumer.core.retry import TRANSIENT

# The cause of a request that took longer than it may.
TIMEOUT: Final = "timeout"
# The causes that say that a request took too long, here or for a proxy on the way.
TOO_SLOW: Final = frozenset((TIMEOUT, "408", "504", "524"))
# The cause of a request that was not made, since this process had stood still: no fault of Mixpanel.
WITHHELD: Final = "lease"


@final
class Accepted:
    """Everything that was sent is accepted."""

    __slots__ = ()


@final
class Refused:
    """The updates at these indexes are refused, with Mixpanel's message on each; all others are accepted."""

    __slots__ = ("messages",)

    def __init__(self, messages: dict[int, str]) -> None:
        self.messages = messages


@final
class Opaque:
    """Something was refused, and the answer does not say for sure what.

    `named` are the indexes that it names all the same; `none_applied` where its count says so.
    """

    __slots__ = ("message", "named", "none_applied")

    def __init__(self, message: str, none_applied: bool, named: "dict[int, str] | None" = None) -> None:
        self.message = message
        self.none_applied = none_applied
        self.named = named if named is not None else {}


@final
class Again:
    """A fault that passes, of a `kind` of `retry`. `unknown`: the updates may have been applied.

    `wait` is what the answer asked for, in seconds; None where it did not.
    """

    __slots__ = ("cause", "kind", "unknown", "wait")

    def __init__(self, cause: str, unknown: bool, kind: int = TRANSIENT, wait: float | None = None) -> None:
        self.cause = cause
        self.unknown = unknown
        self.kind = kind
        self.wait = wait


@final
class TooLarge:
    """The request is larger than Mixpanel takes."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message


@final
class Halted:
    """Credentials or configuration: no record is to blame, and nothing is to be sent until it is fixed."""

    __slots__ = ("cause",)

    def __init__(self, cause: str) -> None:
        self.cause = cause


Verdict: TypeAlias = Accepted | Refused | Opaque | Again | TooLarge | Halted
