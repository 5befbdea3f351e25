"""Why a partition is paused, and why its first open record waits: the words of metrics, of the log and of /status."""

from typing import Final

# Why a partition is paused.
LIMIT: Final = "limit"
FAULT: Final = "fault"
SCHEMA: Final = "schema"
RULES: Final = "rules"
MAPPING: Final = "mapping"
DEAD_LETTER: Final = "dead_letter"
PROJECT: Final = "project"  # the next record is for a project that has its share of what may be open
BREAKER: Final = "breaker"
JOURNAL: Final = "journal"

# Why a record waits that is read.
SUSPECT: Final = "suspect"  # its request alone is answered so
IN_FLIGHT: Final = "in_flight"
HALTED: Final = "halted"  # Mixpanel refuses everything of its project
THROTTLED: Final = "throttled"  # Mixpanel asked for a pause
RETRY: Final = "retry"
LANE: Final = "lane"  # behind another partition's change of the same group
LINGER: Final = "linger"  # a batch is being filled

# All of them, in the order in which one is told before another.
CAUSES: Final = (
    BREAKER,
    FAULT,
    SCHEMA,
    RULES,
    MAPPING,
    DEAD_LETTER,
    SUSPECT,
    IN_FLIGHT,
    HALTED,
    THROTTLED,
    RETRY,
    JOURNAL,
    PROJECT,
    LIMIT,
    LANE,
    LINGER,
)
