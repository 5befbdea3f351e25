"""What a refusal may cost in memory: a full state of which everything is refused stays near what it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import consumer
from consumer.app import compiled

CODE = str(Path(consumer.__file__).parents[1])  # the very code that these tests see, compiled or not
MOST = 1.3  # times the full state


@pytest.mark.skipif(not compiled(), reason="takes minutes as plain Python, and keeps the same")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from Linux's /proc")
@pytest.mark.timeout(900)  # a quarter of a minute of the processor, which a busy machine has not to give
@pytest.mark.parametrize("shape", ["text", "small"])
def test_a_refused_full_state_takes_little_more_than_a_full_one(shape):
    """The limit of bytes is reached, and every update is refused until each record is a dead letter."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("full_state.py")), shape]
    path = os.pathsep.join([CODE, str(Path(__file__).parent)])
    printed = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, check=True)
    full, refused = map(float, printed.stdout.split())

    assert full > 64
    assert refused <= MOST * full, f"{refused:.0f} MiB after {full:.0f}"
