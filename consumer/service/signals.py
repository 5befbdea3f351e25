"""SIGTERM and SIGINT: the first asks for a drain, the second ends the process at once. And the end itself."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def end(status: int) -> NoReturn:
    """End the process with this status, and nothing more.

    A client that could not close in time is still inside librdkafka and OpenSSL: taking the interpreter down under
    its threads crashes now and then, and a crash is no exit status.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Signals:
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
