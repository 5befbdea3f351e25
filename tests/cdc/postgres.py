"""A real PostgreSQL on loopback with logical decoding, from Debian's package; what it wrote is gone when it ends."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from consumer.sandbox.broker.child_process import ChildProcess
from consumer.sandbox.ports import HOST, free_port

USER = "postgres"
START_TIMEOUT = 60.0
PACKAGED = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder with `initdb` and the server; None where there is no PostgreSQL."""
    found = sorted(PACKAGED.glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))  # the newest
    on_path = shutil.which("initdb")
    found += [Path(on_path).resolve()] if on_path is not None else []
    return next((one.parent for one in reversed(found) if (one.parent / "postgres").exists()), None)


class Postgres:
    """One cluster. Root may not run PostgreSQL: the package's own user does it then."""

    def __init__(self) -> None:
        found = programs()
        assert found is not None, "no PostgreSQL on this machine"
        self._programs = found
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="cdc-postgres-"))  # not pytest's: the other user may not enter it
        self._process: ChildProcess | None = None

    @property
    def log(self) -> Path:
        """What it says of itself."""
        return self.folder / "log"

    def start(self) -> None:
        """Make the cluster and start it; returns once it answers."""
        if os.geteuid() == 0:
            owner = pwd.getpwnam(USER)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        data = self.folder / "data"
        made = [*self._as_owner("initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale"]
        subprocess.run([*made, "--no-sync"], check=True, capture_output=True, cwd=self.folder)
        options = {"wal_level": "logical", "listen_addresses": HOST, "port": self.port, "fsync": "off"}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [*self._as_owner("postgres"), "-D", str(data), "-k", str(self.folder), *settings]
        self._process = ChildProcess(command, self.log)
        deadline = time.monotonic() + START_TIMEOUT
        ready = [str(self._programs / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.running, f"PostgreSQL ended:\n{self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"PostgreSQL is not ready:\n{self.log.read_text()[-2000:]}"
            time.sleep(0.05)

    def sql(self, script: str) -> str:
        """Run statements; what they print, unaligned. Fails at the first error."""
        command = [str(self._programs / "psql"), "-h", HOST, "-p", str(self.port), "-U", USER, "-d", USER]
        quiet = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        ended = subprocess.run([*command, *quiet], input=script, text=True, capture_output=True, check=False)
        assert ended.returncode == 0, f"{ended.stderr}\nin:\n{script[-3000:]}"
        return ended.stdout.strip()

    def stop(self) -> None:
        """End it, and forget its data."""
        if self._process is not None:
            self._process.end(signal.SIGINT, 20)  # fast: sessions are cut off, and their processes end with it
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _as_owner(self, program: str) -> list[str]:
        """The command, as the user that may run it."""
        command = [str(self._programs / program)]
        if os.geteuid() != 0:
            return command
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
