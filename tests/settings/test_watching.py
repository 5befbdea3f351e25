"""The one thread that looks at the files of the settings."""

import threading

from consumer.settings import watching
from consumer.settings.watching import Files, watch


class Watched:
    """Counts the looks; the first fails."""

    def __init__(self, path: str, fails: bool = False) -> None:
        self.files = Files([path])
        self.looks = 0
        self.thrice = threading.Event()
        self._fails = fails

    def look(self) -> None:
        self.looks += 1
        if self.looks == 3:
            self.thrice.set()
        if self._fails:
            raise OSError("it cannot")


def test_one_that_fails_stops_no_other(tmp_path, monkeypatch, caplog):
    """Nor itself; what has no file is not looked at."""
    monkeypatch.setattr(watching, "EVERY", 0.001)
    file = tmp_path / "file"
    file.write_text("x")
    failing, idle, fine = Watched(str(file), fails=True), Watched(""), Watched(str(file))
    stop = watch((failing, idle, fine))
    assert failing.thrice.wait(10)
    assert fine.thrice.wait(10)
    stop()
    assert idle.looks == 0
    assert "what was used before stays in force" in caplog.text
