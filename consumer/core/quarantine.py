"""What an operator has taken out by name: it becomes a dead letter, whatever it says."""

from collections.abc import Collection
from typing import Final, final

from consumer.core.model import Record
from consumer.event.errors import QUARANTINED, TRANSFORMATION, Reject
from consumer.event.model import Operation, SchemaRef

WORDS: Final = "QUARANTINE names its %s; where it was sent before, it may have been applied already"


@final
class Quarantine:
    """Records are named by place (topic, partition, offset), project, group (key, id) or schema.

    A group is meant in all projects and companies. Each question raises `Reject` where the answer is yes.
    """

    __slots__ = ("_groups", "_places", "_projects", "_schemas")

    def __init__(
        self,
        places: Collection[tuple[str, int, int]] = (),
        projects: Collection[str] = (),
        groups: Collection[tuple[str, str]] = (),
        schemas: Collection[SchemaRef] = (),
    ) -> None:
        self._places = frozenset(places)
        self._projects = frozenset(projects)
        self._groups = frozenset(groups)
        self._schemas = frozenset(schemas)

    def place(self, record: Record) -> None:
        """Is the record's place named?"""
        assignment = record.assignment
        if self._places and (assignment.topic, assignment.partition, record.offset) in self._places:
            raise Reject(QUARANTINED, TRANSFORMATION, WORDS % "place")

    def schema(self, schema: SchemaRef) -> None:
        """Is the schema named?"""
        if schema in self._schemas:
            raise Reject(QUARANTINED, TRANSFORMATION, WORDS % "schema")

    def change(self, project: str, operation: Operation) -> None:
        """Is the project named, or the group?"""
        if project in self._projects:
            raise Reject(QUARANTINED, TRANSFORMATION, WORDS % "project")
        if self._groups and (operation.group_key, operation.group_id) in self._groups:
            raise Reject(QUARANTINED, TRANSFORMATION, WORDS % "group")
