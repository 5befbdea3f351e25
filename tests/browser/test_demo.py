"""`demo --serve` as a newcomer meets it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.xdist_group("browser")]

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # of a person; a machine under load may need some of it
CLICK = "[...document.querySelectorAll('#actions button')].find((one) => one.innerText.includes({!r})).click()"


@pytest.fixture
def demo(tmp_path):
    """The served demo; the URL of its page."""
    environment = {key: value for key, value in os.environ.items() if "DISPLAY" not in key}
    with (tmp_path / "log").open("w+") as log:
        command = [sys.executable, "-m", "consumer", "demo", "--serve"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            found = next((line for line in process.stdout if line.startswith("Open ")), "")
            log.seek(0)
            assert found, log.read()
            yield re.search(r"http://\S+", found)[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert process.returncode == 0


def test_two_minutes(demo, page):
    """A refused record is seen to reach the dead letters, and partitions to move while no group steps back."""
    page.open(demo)
    page.until("document.querySelectorAll('#actions button').length > 3", PATIENCE)

    page.js(CLICK.format("bad records"))
    rejected = "[...document.querySelectorAll('#dead-letters li')].find((one) => one.innerText.includes('rejected'))"
    page.until(rejected, PATIENCE)
    page.js(f"{rejected}.querySelector('summary').click()")
    page.until("document.querySelector('#dead-letters details[open]').innerText.includes('refused on purpose')")

    page.js(CLICK.format("Add an instance"))
    rows = "[...document.querySelectorAll('#instances li')]"
    page.until(
        f"{rows}.length === 2 && {rows}.every((row) => /ready\\s+partitions? \\d/.test(row.innerText))", PATIENCE
    )
    figures = r"document.querySelector('#figures').innerText.match(/Steps back\n0\nof ([\d,]+)/)"
    steps = f"Number({figures}?.[1].replace(',', ''))"
    before = page.js(steps)
    page.until(f"{steps} > {before} + 20", PATIENCE)
    assert page.complaints() == []
