"""A headless Chromium, spoken to over its debugging pipe: no driver, no port, nothing to install but Chromium."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from consumer.sandbox.mixpanel.server import MixpanelSandbox

DEADLINE = 30.0
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # as root, in a container, against a page of our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
)
# Chromium wants its pipe at the file descriptors 3 and 4.
LAUNCH = "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 63); os.dup2(w, 64); \
os.dup2(63, 3); os.dup2(64, 4); os.execv(sys.argv[3], sys.argv[3:])"


class Chromium:
    """One browser process, and the commands of the DevTools protocol."""

    def __init__(self, executable: str, profile: Path) -> None:
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []
        command = [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(read_commands), str(write_answers), *command],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """The result of one command. Raises RuntimeError with the browser's words, TimeoutError without an answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != number:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            read = os.read(self._answers, 1 << 16) if ready else b""
            if not read:
                raise TimeoutError("Chromium does not answer")
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def close(self) -> None:
        """End the browser, and wait for it."""
        with suppress(OSError, TimeoutError):
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._commands)
        os.close(self._answers)


class Page:
    """One tab."""

    def __init__(self, browser: Chromium) -> None:
        self._browser = browser
        browser.events.clear()
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._target = target
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """One command to this tab."""
        return self._browser.call(method, self._session, **parameters)

    def open(
        self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False, still: bool = False
    ) -> None:
        """Show a page in a window of this size; `still`: for a person who wants no motion."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.call("Emulation.setEmulatedMedia", features=[scheme, motion])
        self.call("Page.navigate", url=url)

    def js(self, expression: str) -> Any:
        """The value of an expression in the page. Raises RuntimeError with what it threw."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = DEADLINE) -> None:
        """Wait until an expression is true. Raises AssertionError when that takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(RuntimeError):  # the page is between two documents
                if self.js(f"Boolean({expression})"):  # an element comes back as {}, which is false in Python
                    return
            time.sleep(0.02)
        raise AssertionError(f"never true: {expression}\n{self.js('document.body.innerText')}")

    @staticmethod
    def wait_for(condition: Callable[[], bool]) -> None:
        """Wait until something outside the page is true. Raises AssertionError when that takes too long."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key, as a person does."""
        code = {"Tab": 9, "Enter": 13, " ": 32}.get(key, 0)
        text = text or {"Enter": "\r", " ": " "}.get(key, "")
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path) -> Path:
        """The whole page as a picture."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def complaints(self) -> list[str]:
        """Every exception, console error and violation of the content policy so far."""
        self.js("0")
        loud = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [json.dumps(event["params"]) for event in self._browser.events if event.get("method") in loud]

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The browser of this machine, or a skip that says how to get one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next((found for found in map(shutil.which, names) if found), None)
    if executable is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    browser = Chromium(executable, tmp_path_factory.mktemp("chromium"))
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    """A new tab."""
    tab = Page(chromium)
    yield tab
    tab.close()


@pytest.fixture
def sandbox() -> Iterator[MixpanelSandbox]:
    """A sandbox's Mixpanel with nothing in it."""
    with MixpanelSandbox() as running:
        yield running
