"""A process that cannot outlive this one, however this one ends.

The shell that becomes the process leaves a watcher behind, which reads a pipe that only we can write to. When we die
(also by SIGKILL, also while the process is stopped by SIGSTOP) the pipe ends, and the watcher kills the process.
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_LAUNCH: Final = 'exec 3<&0; { read -r _ <&3 || kill -9 $$; } >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'
"""`$$` is the same in the watcher as in the shell: the id of the process, after the exec."""


class ChildProcess:
    """One process of ours, its output in a log file."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        """Start it. Raises OSError where that cannot be done."""
        watched, self._alive = os.pipe()
        with log.open("ab") as output:
            try:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", _LAUNCH, "sh", *command],
                    stdin=watched,
                    stdout=output,
                    stderr=output,
                    env=environment,
                    start_new_session=True,  # so that Ctrl-C is for us to act on, in our order
                )
            finally:
                os.close(watched)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended; a stopped one runs."""
        return self._process.poll() is None

    @property
    def status(self) -> int | None:
        """Its exit status once it has ended; -9 where a signal 9 ended it."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended gets none."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals, patience: float) -> int:
        """Send a signal and wait until it has ended; what does not end in time is killed. Says its exit status."""
        self.send(number)
        try:
            return self.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self.wait(patience)

    def wait(self, patience: float) -> int:
        """Wait until it has ended by itself; its exit status. Raises `subprocess.TimeoutExpired`."""
        status = self._process.wait(patience)
        self._dismiss()
        return status

    def _dismiss(self) -> None:
        """Have the watcher go without killing whoever has the process id next."""
        if self._alive < 0:
            return
        with suppress(BrokenPipeError):  # it is gone already
            os.write(self._alive, b"done\n")
        os.close(self._alive)
        self._alive = -1
