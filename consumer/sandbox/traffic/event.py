"""One event of the sandbox's traffic, and what has to come of all of them."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from consumer.sandbox.mixpanel.profiles import Profiles

NUMBER_HEADER: Final = "traffic-event"
"""Every event has its number in this header, so that it is known again where its value cannot be read."""

Headers: TypeAlias = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class TrafficEvent:
    """One record, and what is to become of it: `update` is applied, or `reason` is that of its dead letter."""

    number: int
    key: bytes
    value: bytes | None
    headers: Headers
    update: dict[str, Any] | None
    reason: str | None


@dataclass
class Expected:
    """What has come of the events that were noted, once all of them are settled and none was sent twice."""

    events: int = 0
    profiles: Profiles = field(default_factory=Profiles)
    reasons: dict[int, str] = field(default_factory=dict)
    """By the event's number: the reason of its dead letter."""

    def note(self, event: TrafficEvent) -> None:
        """This event was produced, after those of its group that were noted before."""
        self.events += 1
        if event.reason is not None:
            self.reasons[event.number] = event.reason
        if event.update is not None:
            self.profiles.change([event.update])
