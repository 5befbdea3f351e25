"""The properties are tested in the worlds of `tests/core/machine.py` and `tests/mapping/tables.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
sys.path.insert(0, str(Path(__file__).parents[1] / "mapping"))
