"""What the pipeline wants done."""

from typing import final

from consumer.core.batch import Batch
from consumer.core.model import DeadLetter
from consumer.core.schemas import Need


@final
class Work:
    """What is to be done now, each once: requests to send, dead letters to produce, schemas to fetch."""

    __slots__ = ("batches", "dead_letters", "schemas")

    def __init__(self, batches: list[Batch], dead_letters: list[DeadLetter], schemas: list[Need]) -> None:
        self.batches = batches
        self.dead_letters = dead_letters
        self.schemas = schemas
