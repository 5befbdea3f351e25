"""SIGTERM and SIGINT: the first asks for a drain, the second ends the process at once."""

import os
import signal
from types import FrameType


class Stopping:
    """Listens from when it is made; only the main thread can make one."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def asked(self) -> bool:
        """Whether the process was told to stop."""
        return self._asked

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self._asked:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._asked = True
