"""A tab of this machine's Chromium, driven by Playwright: nothing is downloaded but the package."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, sync_playwright
from playwright.sync_api import Page as Tab

from consumer.sandbox.mixpanel.server import MixpanelSandbox

DEADLINE = 30.0
# As root, in a container, against a page of our own.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"]


class Page:
    """One tab, from `open` on, with what it complained of."""

    tab: Tab

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._complaints: list[str] = []

    def open(
        self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False, still: bool = False
    ) -> None:
        """Show a page in a window of this size; `still`: for a person who wants no motion."""
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
            is_mobile=width < 500,
        )
        self.tab = context.new_page()
        self.tab.on("console", lambda message: self._complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self._complaints.append(str(error)))
        self.tab.goto(url, wait_until="commit")

    def js(self, expression: str) -> Any:
        """The value of an expression in the page. Raises playwright's `Error` with what it threw."""
        return self.tab.evaluate(expression)

    def until(self, expression: str, seconds: float = DEADLINE) -> None:
        """Wait until an expression is true. Raises AssertionError when that takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(Error):  # the page is between two documents
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

    def complaints(self) -> list[str]:
        """Every exception, console line and violation of the content policy so far."""
        self.js("0")
        return self._complaints

    def close(self) -> None:
        """Close the tab."""
        self.tab.context.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of this machine, or a skip that says how to get one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next((found for found in map(shutil.which, names) if found), None)
    if executable is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A new tab."""
    tab = Page(chromium)
    yield tab
    tab.close()


@pytest.fixture
def sandbox() -> Iterator[MixpanelSandbox]:
    """A sandbox's Mixpanel with nothing in it."""
    with MixpanelSandbox() as running:
        yield running
