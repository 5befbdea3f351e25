"""Times of the caller's clock, in seconds."""

from typing import Final

# Later than any clock: there is nothing to wait for.
NEVER: Final = 1e18
