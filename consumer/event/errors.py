"""Why a record ends as a dead letter, and the one exception that says so.

Reject    raised by decode, convert and schemas, caught in one place: `Pipeline._admit`
"""

from typing import Final

NOT_FRAMED: Final = "not_framed"
UNKNOWN_SCHEMA: Final = "unknown_schema"
INCOMPATIBLE_SCHEMA: Final = "incompatible_schema"
CORRUPT: Final = "corrupt"
TOMBSTONE: Final = "tombstone"
INVALID_CHANGE: Final = "invalid_change"
UNKNOWN_PROJECT: Final = "unknown_project"
TOO_LARGE: Final = "too_large"
REJECTED: Final = "rejected"
AMBIGUOUS_ADD: Final = "ambiguous_add"
UNMAPPED: Final = "unmapped"
QUARANTINED: Final = "quarantined"

REASONS: Final = (
    NOT_FRAMED,
    UNKNOWN_SCHEMA,
    INCOMPATIBLE_SCHEMA,
    CORRUPT,
    TOMBSTONE,
    INVALID_CHANGE,
    UNKNOWN_PROJECT,
    TOO_LARGE,
    REJECTED,
    AMBIGUOUS_ADD,
    UNMAPPED,
    QUARANTINED,
)

# The stages are Kafka Connect's names, so that its tools can read them.
VALUE_CONVERTER: Final = "VALUE_CONVERTER"
TRANSFORMATION: Final = "TRANSFORMATION"
TASK_PUT: Final = "TASK_PUT"


class Reject(Exception):
    """This record can never be applied: it belongs in the dead-letter topic, and is not tried again.

    `reason` is one of `REASONS`; `stage` where it was found; `detail` one sentence for a person, without
    any value of the record.
    """

    def __init__(self, reason: str, stage: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.stage = stage
        self.detail = detail
