"""The settings that the core works by."""

from typing import final


@final
class Limits:
    """The settings that the core needs; sizes in bytes, times in seconds. `announces`: the journal has `$add`s."""

    __slots__ = (
        "announces",
        "batch_bytes",
        "batch_updates",
        "breaker",
        "fold",
        "linger",
        "max_in_flight",
        "open_bytes",
        "open_records",
        "resend_adds",
    )

    def __init__(
        self,
        batch_updates: int = 2000,
        batch_bytes: int = 2 * 1024 * 1024,
        linger: float = 1.0,
        max_in_flight: int = 8,
        open_records: int = 50_000,
        open_bytes: int = 64 * 1024 * 1024,
        fold: bool = True,
        resend_adds: bool = True,
        breaker: bool = True,
        announces: bool = False,
    ) -> None:
        self.batch_updates = batch_updates
        self.batch_bytes = batch_bytes
        self.linger = linger
        self.max_in_flight = max_in_flight
        self.open_records = open_records
        self.open_bytes = open_bytes
        self.fold = fold
        self.resend_adds = resend_adds
        self.breaker = breaker
        self.announces = announces
