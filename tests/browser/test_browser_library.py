"""Mixpanel's browser library, in a page of another site, on the sandbox."""

import functools
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LIBRARY = "mixpanel-browser@2.83.0"
FOLDER = Path(__file__).parents[2] / ".tools" / "clients" / "browser"
PAGE = '<!doctype html><title>A shop</title><script type="module" src="calls.js"></script>'
CALLS = """
import mixpanel from "./node_modules/mixpanel-browser/dist/mixpanel.module.js";

const [url, way] = new URLSearchParams(location.search).values();
const batched = { batch_requests: way === "batched", batch_flush_interval_ms: 50, persistence: "localStorage" };
mixpanel.init("token", { api_host: url, ...batched });
const call = (id, name, ...given) => new Promise((done) => mixpanel.get_group("company", id)[name](...given, done));

if (way === "batched") {
  for (let n = 0; n < 20; n++) call(String(n), "set", { n }); // the library keeps no order between batches
} else {
  const said = [];
  said.push(await call("acme", "set", { name: "Acme", plan: "free" }));
  said.push(await call("acme", "set_once", { plan: "paid", since: 2020 }));
  said.push(await call("acme", "union", "tags", ["a", "b"]));
  said.push(await call("acme", "union", "tags", ["b", "c"]));
  said.push(await call("acme", "remove", "tags", "b"));
  said.push(await call("acme", "unset", "name"));
  document.title = JSON.stringify(said);
}
"""


class Quiet(SimpleHTTPRequestHandler):
    """Files, without a line for each."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def site():
    """A site with the library and a page that makes its group calls."""
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine: install Node.js 18 or newer")
    FOLDER.mkdir(parents=True, exist_ok=True)
    install = ["npm", "install", "--prefix", ".", "--no-audit", "--no-fund", "--ignore-scripts", LIBRARY]
    subprocess.run(install, cwd=FOLDER, check=True, timeout=200, capture_output=True)
    (FOLDER / "calls.js").write_text(CALLS)
    (FOLDER / "index.html").write_text(PAGE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=FOLDER))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_group_calls(sandbox, page, site):
    """Every group call of the library changes the profile as it says, and its caller is told."""
    page.open(f"{site}/?url={sandbox.url}&way=single")

    page.until("document.title.startsWith('[')")
    assert page.js("JSON.parse(document.title)") == [1] * 6
    wanted = {"plan": "free", "since": 2020, "tags": ["a", "c"]}
    assert sandbox.profiles.get("token", "company", "acme") == wanted
    assert {entry["answer"]["status"] for entry in sandbox.requests.newest()} == {200}


def test_group_calls_in_batches(sandbox, page, site):
    """The library's batches, as it sends them by default, arrive whole, and it does not send them again."""
    page.open(f"{site}/?url={sandbox.url}&way=batched")

    page.wait_for(lambda: len(sandbox.profiles) == 20)
    page.until("Object.values(localStorage).every((kept) => !kept.includes('$group_id'))")
    assert sum(entry["updates"] for entry in sandbox.requests.newest()) == 20
