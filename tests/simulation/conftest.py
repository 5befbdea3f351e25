"""Lets the tests import this package by its name, behind an installed (compiled) `consumer`."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)
