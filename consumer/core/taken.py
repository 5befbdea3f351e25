"""What intake says of one record, or of one of its parts."""

from typing import Final, TypeAlias, final

from consumer.compiling import mypyc_attr
from consumer.core.model import DeadLetter
from consumer.core.schemas import Need
from consumer.event.model import DEFAULT, Operation
from consumer.mapping.outcome import Mapped

TAKEN: Final = 0
REJECTED: Final = 1
HELD: Final = 2
PARTED: Final = 3  # it makes several updates, or is refused in part
IGNORED: Final = 4  # it is settled as it is

# What /status says of a hold: the schema's id, and rule and path of a mapping that does not fit.
Detail: TypeAlias = dict[str, object]


NOTHING: Final[Detail] = {}


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Taken:
    """One record, taken in: `operation` of `project` with its `tail` as JSON, made by the `rule` of a mapping.

    Or its `dead_letter`; or its `parts` in the file's order, each TAKEN or REJECTED, at least one TAKEN; or for what
    `cause` it is held, with `words`, the `needs` whose answer releases it, and `detail`. `mapped` is what is to be
    counted of a mapped record once it is taken in.
    """

    __slots__ = (
        "cause",
        "dead_letter",
        "detail",
        "mapped",
        "needs",
        "operation",
        "outcome",
        "parts",
        "project",
        "rule",
        "tail",
        "words",
    )

    def __init__(self, outcome: int) -> None:
        self.outcome = outcome
        self.project = DEFAULT
        self.operation: Operation | None = None
        self.tail = b""
        self.rule = ""
        self.dead_letter: DeadLetter | None = None
        self.parts: list[Taken] | None = None
        self.mapped: Mapped | None = None
        self.cause = ""
        self.words = ""
        self.needs: Need | None = None
        self.detail: Detail = NOTHING


def held(cause: str, words: str, needs: Need | None, detail: Detail) -> Taken:
    """The record's partition is held at it."""
    taken = Taken(HELD)
    taken.cause = cause
    taken.words = words
    taken.needs = needs
    taken.detail = detail
    return taken


def rejected(dead_letter: DeadLetter) -> Taken:
    """The dead letter of a record, or of one of its parts."""
    taken = Taken(REJECTED)
    taken.dead_letter = dead_letter
    return taken
