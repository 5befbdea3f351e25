"""What can be wrong with a schema or with data.

IncompatibleSchema    no record of the writer's schema can be read
InvalidDatum          these bytes are no datum of the writer's schema, or none that the reader can take
NotFinite             a number that is NaN or an infinity, which no JSON can say
"""


class IncompatibleSchema(Exception):
    """No record of the writer's schema can be read; the message says at which field."""


class InvalidDatum(Exception):
    """The bytes do not decode or resolve. `detail` is one sentence without any value."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFinite(InvalidDatum):
    """A float or double that is NaN or an infinity."""
