"""What can be wrong with a schema or with data.

IncompatibleSchema    no record of the writer's schema can be read
InvalidDatum          these bytes are no datum of the writer's schema, or none that the reader can take
Unsayable             a datum that no JSON can say as it is meant: NaN, an infinity, bytes, a date that is a number
"""


class IncompatibleSchema(Exception):
    """No record of the writer's schema can be read; the message says at which field."""


class InvalidDatum(Exception):
    """The bytes do not decode or resolve. `detail` is one sentence without any value."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Unsayable(InvalidDatum):
    """The datum is whole, and no JSON can say it as it is meant."""
