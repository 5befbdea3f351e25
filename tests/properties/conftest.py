"""The properties are tested in the world of the core's tests, `tests/core/machine.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
