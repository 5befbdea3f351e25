"""What the pipeline keeps of one assignment: its ledger, and what of it waits for what."""

from collections import deque
from typing import final

from consumer.core.model import Assignment, Record, SchemaRef
from consumer.core.offsets import Ledger


@final
class Partition:
    """What the pipeline keeps of one assignment."""

    __slots__ = (
        "assignment",
        "blocked",
        "blocked_bytes",
        "bytes",
        "draining",
        "held",
        "ledger",
        "needs",
        "open",
        "reached",
    )

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.ledger = Ledger()
        self.open = 0  # records in lanes, in runs, or awaiting their dead letter
        self.bytes = 0
        self.reached = -1  # the highest offset that was ever part of a run
        self.held: deque[Record] = deque()  # the head needs a schema that is not yet known
        self.needs: SchemaRef | None = None
        self.blocked = 0  # dead letters that could not be written so far
        self.blocked_bytes = 0
        self.draining = False
