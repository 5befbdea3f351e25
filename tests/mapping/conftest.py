"""The tests of the mapping share `tables.py`, and the naive interpreter."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[2]))
