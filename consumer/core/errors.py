"""What can be in the way of a record whose fields a data contract encrypted.

KeyWanted    a data key is not here yet: the partition waits for it
SealBroken   what is encrypted does not decrypt: the record is corrupt
"""


class KeyWanted(Exception):
    """A data key that the record needs is not here; it was asked for."""


class SealBroken(Exception):
    """The field does not decrypt. `detail` is a clause without any value."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
