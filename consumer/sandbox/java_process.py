"""A Java process that cannot outlive this one, however this one ends.

The shell that becomes `java` leaves a watcher behind, which reads a pipe that only this process can write to. When
this process dies (also by SIGKILL, also while Java is stopped by SIGSTOP) the pipe ends, and the watcher kills Java.
"""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

_LAUNCH: Final = 'exec 3<&0; { read -r _ <&3 || kill -9 $$; } >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'
"""`$$` is the same in the watcher as in the shell: Java's process id, after the exec."""


class JavaProcess:
    """One run of Java, its output in a log file."""

    def __init__(self, command: list[str], log: Path) -> None:
        """Start it. Raises OSError where that cannot be done."""
        watched, self._alive = os.pipe()
        with log.open("ab") as output:
            try:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", _LAUNCH, "sh", *command],
                    stdin=watched,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # so that Ctrl-C is for us to act on, in our order
                )
            finally:
                os.close(watched)

    @property
    def pid(self) -> int:
        """Java's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended; a stopped one runs."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended gets none."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals, patience: float) -> None:
        """Send a signal and wait until it has ended; what does not end in time is killed."""
        self.send(number)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._dismiss()

    def _dismiss(self) -> None:
        """Have the watcher go without killing whoever has the process id next."""
        if self._alive < 0:
            return
        with suppress(BrokenPipeError):  # it is gone already
            os.write(self._alive, b"done\n")
        os.close(self._alive)
        self._alive = -1
