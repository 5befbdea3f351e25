"""The sandbox's page in a real browser."""

import os
import threading
from pathlib import Path

import pytest
import requests

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

EVIL = '<img src=x onerror="window.pwned = 1"><script>window.pwned = 2</script>'
LETTER = {
    "topic": "mixpanel-groups.dead-letters",
    "partition": 1,
    "offset": 42,
    "source": "group-changes[1]@1042",
    "reason": "rejected",
    "detail": EVIL,
    "error": "$reject, refused on purpose",
    "when": 1_767_225_600,
    "update": '{"$set": {"$reject": 1}}',
}
SERVICE = {
    "instances": [
        {"name": "one", "ready": True, "reasons": [], "assigned": ["0", "2"]},
        {"name": "two", "ready": False, "reasons": ["not yet joined"], "assigned": []},
    ],
    "lag": 7,
    "events_read": 12345,
    "updates_accepted": 12000,
    "dead_letters": {"rejected": 1, EVIL: 1},
    "order": {"steps": 1234, "back": 0},
    "committed": 12338,
    "consumed": 12345,
}


def text(selector):
    """What a person reads in an element."""
    return f"(document.querySelector({selector!r})?.innerText ?? '')"


def post(sandbox, *updates):
    """Send updates as the service does."""
    envelope = {"$token": "token", "$group_key": "company"}
    url = f"{sandbox.url}/groups?ip=0&strict=1&verbose=1"
    return requests.post(url, json=[envelope | update for update in updates], timeout=10)


def fill(sandbox):
    """Something in every panel."""
    sandbox.provide("service", lambda: SERVICE)
    sandbox.provide("dead-letters", lambda: [LETTER, LETTER | {"offset": 41, "reason": "corrupt", "update": None}])
    sandbox.action("start", "Start a second instance", lambda: "started")
    sandbox.faults.on("slow", milliseconds=1)
    long = "x" * 200
    post(sandbox, {"$group_id": "acme", "$set": {"plan": "free", "seats": 12, "tags": ["a", "b"], long: long}})
    post(sandbox, {"$group_id": long, "$set": {"n": None}}, {"$group_id": "gone", "$set": {"n": 1}})
    post(sandbox, {"$group_id": "gone", "$delete": ""}, {"$group_id": "reject-me", "$set": {"n": 1}})


def test_profiles_as_they_change(sandbox, page):
    """A profile appears when it is made, changes while one looks, and is said to be deleted."""
    page.open(sandbox.url)
    post(sandbox, {"$group_id": "acme", "$set": {"plan": "free"}})
    page.until(f"{text('#profiles ul')}.includes('acme') && {text('#profiles ul')}.includes('\"free\"')")
    post(sandbox, {"$group_id": "acme", "$set": {"plan": "paid"}})
    page.until(f"{text('#profiles ul')}.includes('\"paid\"')")
    post(sandbox, {"$group_id": "acme", "$delete": ""})
    page.until(f"{text('#profiles ul')}.includes('deleted')")

    assert page.complaints() == []


def test_profiles_of_a_company(sandbox, page):
    """The same id in two companies is two rows, each with its company, by which it is found."""
    ann = {"$group_key": "$user_id", "$group_id": "ann"}
    for company in ("acme", "other"):
        post(sandbox, ann | {"$company_id": company, "$set": {"n": 1}})
    page.open(sandbox.url)
    page.until("document.querySelectorAll('#profiles li').length === 2")
    assert "ann of company acme" in page.js(text("#profiles ul"))

    page.tab.fill("#match", "other")

    page.until("document.querySelectorAll('#profiles li').length === 1")
    assert "ann of company other" in page.js(text("#profiles ul"))


def test_profiles_are_found(sandbox, page):
    """Typing a part of a group id shows only the profiles with it, also one that is not among the newest."""
    post(sandbox, {"$group_id": "needle-1", "$set": {"n": 1}})
    post(sandbox, *[{"$group_id": f"hay-{n}", "$set": {"n": 1}} for n in range(200)])
    page.open(sandbox.url)
    page.until("document.querySelectorAll('#profiles li').length === 50")

    page.tab.fill("#match", "needle")

    page.until("document.querySelectorAll('#profiles li').length === 1")
    assert "needle-1" in page.js(text("#profiles ul"))


def test_requests_with_their_answers(sandbox, page):
    """A request shows what was sent and answered when it is opened, and stays open while others arrive."""
    post(sandbox, {"$group_id": "acme", "$set": {"plan": "free"}}, {"$group_id": "reject-1", "$set": {"n": 1}})
    page.open(sandbox.url)
    page.until("document.querySelector('#requests summary')")
    assert "1 not applied" in page.js(text("#requests summary"))

    page.js("document.querySelector('#requests summary').click()")
    post(sandbox, {"$group_id": "acme", "$set": {"plan": "paid"}})
    page.until("document.querySelectorAll('#requests li').length === 2")

    opened = page.js(text("#requests details[open]"))
    assert '"num_good_events": 1' in opened
    assert "refused on purpose" in opened
    assert '"plan":"free"' in opened


def test_faults_by_a_click(sandbox, page):
    """A click switches a fault on, changing an option changes it, another click switches it off."""
    page.open(sandbox.url)
    page.until("document.querySelectorAll('#faults [role=switch]').length === 15")
    switch = "document.querySelector('#faults [role=switch]')"

    page.js(f"{switch}.click()")
    page.until(f"{switch}.getAttribute('aria-checked') === 'true'")
    assert post(sandbox, {"$group_id": "acme", "$set": {"n": 1}}).status_code == 503
    page.until(f"{text('#faults li')}.includes('struck 1')")

    page.js("document.querySelector('#faults [aria-expanded]').click()")
    page.js(
        """(() => {
            const box = document.querySelector("#faults form input");
            box.value = 429;
            box.form.requestSubmit();
            box.dispatchEvent(new Event("change", { bubbles: true }));
        })()"""
    )
    page.wait_for(lambda: sandbox.faults.as_json()[0]["status"] == 429)

    page.js(f"{switch}.click()")
    page.wait_for(lambda: sandbox.faults.as_json() == [])
    assert page.complaints() == []


def test_a_fault_for_one_group(sandbox, page):
    """A group typed among a fault's options makes it that group's, and the switch says so."""
    page.open(sandbox.url)
    page.until("document.querySelector('#faults li')")
    page.js(
        """(() => {
            document.querySelector("#faults [aria-expanded]").click();
            const label = [...document.querySelectorAll("#faults form label")].find((one) =>
                one.innerText.startsWith("group_id"));
            label.querySelector("input").value = "acme";
            document.querySelector("#faults [role=switch]").click();
        })()"""
    )

    page.until(f"{text('#faults li')}.includes('only group_id acme')")
    assert post(sandbox, {"$group_id": "acme", "$set": {"n": 1}}).status_code == 503
    assert post(sandbox, {"$group_id": "other", "$set": {"n": 1}}).status_code == 200


def test_faults_switched_elsewhere(sandbox, page):
    """A fault switched on by a test or another page is shown, under its own name too, and can be switched off."""
    page.open(sandbox.url)
    page.until("document.querySelector('#faults li')")
    sandbox.faults.on("reset", at="after-applying")
    sandbox.faults.on("status", name="at night", status=500)
    page.until("document.querySelectorAll('#faults [aria-checked=true]').length === 2")
    assert "at night" in page.js(text("#faults ul"))

    page.js("document.querySelector('#faults-off').click()")

    page.wait_for(lambda: sandbox.faults.as_json() == [])
    page.until("document.querySelectorAll('#faults li').length === 15")


def test_by_keyboard_alone(sandbox, page):
    """Tab reaches every control in the order of the page, each with a name, and Space and Enter work them."""
    fill(sandbox)
    sandbox.faults.clear()
    page.open(sandbox.url)
    page.until("document.querySelectorAll('#dead-letters summary').length === 2")
    seen = []
    while len(seen) < 80:
        page.tab.keyboard.press("Tab")
        name = page.js("(document.activeElement.ariaLabel || document.activeElement.innerText || '').trim()")
        if name.startswith("Start a second"):
            page.tab.keyboard.press("Space")
        if name.startswith("Answer with an HTTP") and "options" not in name:
            page.tab.keyboard.press("Space")
        if "rejected" in name and "group-changes[1]@1042" in name:
            page.tab.keyboard.press("Enter")
        if page.js("document.activeElement === document.body"):
            break
        seen.append(name)

    assert seen[0] == "Skip to the content"
    assert "Pause the page" in seen
    assert "Options: Reset the connection" in seen
    page.until(f"{text('#said')} === 'started'")
    page.wait_for(lambda: [fault["name"] for fault in sandbox.faults.as_json()] == ["status"])
    assert "$reject, refused on purpose" in page.js(text("#dead-letters details[open]"))


def test_every_control_has_a_name(sandbox, page):
    """A screen reader has a name for each button, switch, field and region."""
    fill(sandbox)
    page.open(sandbox.url)
    page.until("document.querySelectorAll('#dead-letters summary').length === 2")
    page.js("document.querySelectorAll('#faults [aria-expanded]').forEach((button) => button.click())")
    named = {
        "button",
        "switch",
        "textbox",
        "searchbox",
        "spinbutton",
        "combobox",
        "checkbox",
        "region",
        "form",
        "image",
    }

    devtools = page.tab.context.new_cdp_session(page.tab)
    nodes = devtools.send("Accessibility.getFullAXTree")["nodes"]
    roles = [(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if not node.get("ignored")]

    assert len([role for role, _ in roles if role == "switch"]) == 15
    assert [role for role, name in roles if role in named and not name] == []


def test_nothing_that_arrives_is_markup(sandbox, page):
    """Names, values, ids, words and dead letters are shown as text, whatever is in them."""
    sandbox.provide("service", lambda: SERVICE)
    sandbox.provide("dead-letters", lambda: [LETTER | {"update": EVIL, "error": EVIL, "topic": EVIL}])
    sandbox.action("evil", EVIL, lambda: EVIL)
    sandbox.faults.on("refuse", name=EVIL, group_id="refused", words=EVIL)
    post(sandbox, {"$group_id": EVIL, "$set": {EVIL: EVIL}}, {"$group_id": "refused", "$set": {"n": 1}})
    page.open(sandbox.url)
    page.until("document.querySelector('#requests summary') && document.querySelector('#dead-letters summary')")

    page.js("document.querySelectorAll('summary').forEach((summary) => summary.click())")
    page.js("document.querySelector('#actions button').click()")
    page.until(f"{text('#said')}.includes('onerror')")

    assert EVIL in page.js(text("#profiles ul"))
    assert page.js("document.querySelectorAll('main img, main script, #said img').length") == 0
    assert page.js("window.pwned") is None
    assert page.complaints() == []


def test_panels_without_a_service(sandbox, page):
    """Without a service and dead letters the page has no panels for them, and asks for neither."""
    page.open(sandbox.url)
    page.until(f"{text('#link')} === 'live'")

    hidden = "['service', 'dead-letters', 'lag'].every((id) => document.getElementById(id).offsetParent === null)"
    assert page.js(hidden)
    assert page.complaints() == []
    sandbox.provide("service", lambda: SERVICE)
    page.until(f"!({hidden})")
    assert "not yet joined" in page.js(text("#service"))
    assert "partitions 0, 2" in page.js(text("#service"))
    assert "12,345" in page.js(text("#figures"))
    assert "Steps back\n0\nof 1,234" in page.js(text("#figures"))


def test_a_service_that_does_not_answer(sandbox, page):
    """While one provider fails, the rest of the page goes on."""

    def fail():
        raise TimeoutError("gone")

    sandbox.provide("service", fail)
    page.open(sandbox.url)
    post(sandbox, {"$group_id": "acme", "$set": {"n": 1}})

    page.until(f"{text('#profiles ul')}.includes('acme')")
    page.until(f"{text('#link')} === 'live, but without service'")


def test_an_action_that_fails(sandbox, page):
    """What an action raises is said, and the page goes on."""

    def fail():
        raise RuntimeError("there is no second instance")

    sandbox.action("stop", "Stop the second instance", fail)
    page.open(sandbox.url)
    page.until("document.querySelector('#actions button')")

    page.js("document.querySelector('#actions button').click()")

    page.until(f"{text('#said')} === 'there is no second instance'")
    page.until("document.querySelector('#actions button').ariaDisabled === 'false'")


def test_an_action_takes_its_time(sandbox, page):
    """While an action is done its button cannot be pressed again, and keeps the keyboard's place."""
    go_on, done = threading.Event(), []
    sandbox.action("freeze", "Freeze", lambda: (done.append(1), go_on.wait(20), "thawed")[-1])
    page.open(sandbox.url)
    page.until("document.querySelector('#actions button')")

    page.js("document.querySelector('#actions button').focus()")
    page.tab.keyboard.press("Space")
    page.wait_for(lambda: done)
    page.tab.keyboard.press("Space")
    assert page.js("document.activeElement.innerText") == "Freeze"
    go_on.set()

    page.until(f"{text('#said')} === 'thawed'")
    assert page.js("document.activeElement.innerText") == "Freeze"
    assert done == [1]


def test_the_plot_is_drawn(sandbox, page):
    """The plots have a line, and say in words what it shows."""
    sandbox.provide("service", lambda: SERVICE)
    page.open(sandbox.url)
    drawn = """(id) => {
        const canvas = document.getElementById(id);
        const picture = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return picture.data.some((byte) => byte > 0);
    }"""
    page.until(f"({drawn})('plot-throughput') && ({drawn})('plot-lag')")
    post(sandbox, *[{"$group_id": str(n), "$set": {"n": 1}} for n in range(100)])

    page.until("/at most [1-9]/.test(document.getElementById('plot-throughput').ariaLabel)")
    page.until("document.getElementById('plot-lag').ariaLabel.startsWith('Lag in records: 7 now')")


def test_down_and_back(sandbox, page):
    """When the sandbox stops the page says so, and goes on by itself when it is back."""
    page.open(sandbox.url)
    page.until(f"{text('#link')} === 'live'")
    sandbox.stop()
    page.until(f"{text('#link')}.includes('does not answer')")
    sandbox.start()

    page.until(f"{text('#link')} === 'live'")


def test_pause(sandbox, page):
    """A paused page stands still, and goes on when it is asked to."""
    page.open(sandbox.url)
    page.until(f"{text('#link')} === 'live'")
    page.js("document.querySelector('#pause').click()")
    assert page.js(text("#link")) == "paused"
    post(sandbox, {"$group_id": "acme", "$set": {"n": 1}})
    arrived = page.js("performance.getEntriesByType('resource').length")
    page.js("new Promise((resume) => setTimeout(resume, 1200))")
    assert page.js("performance.getEntriesByType('resource').length") == arrived

    page.js("document.querySelector('#pause').click()")
    page.until(f"{text('#profiles ul')}.includes('acme')")


def test_nothing_comes_from_elsewhere(sandbox, page):
    """Every file and every answer comes from the sandbox itself."""
    page.open(sandbox.url)
    page.until(f"{text('#link')} === 'live'")

    origins = page.js("performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)")
    assert set(origins) == {sandbox.url}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1400])
def test_it_can_be_read(sandbox, page, tmp_path, width, dark):
    """No width needs scrolling sideways, and every text stands out from what is behind it, 4.5 to 1 or more."""
    fill(sandbox)
    page.open(sandbox.url, width=width, height=900, dark=dark, still=True)
    page.until(
        "document.querySelectorAll('#dead-letters summary').length === 2 && document.querySelector('#profiles li')"
    )
    page.js("document.querySelectorAll('summary').forEach((summary) => summary.click())")
    page.js("document.querySelector('#faults [aria-expanded]').click()")

    assert page.js("document.documentElement.scrollWidth") <= width
    assert page.js(CONTRAST) == []
    picture = f"page-{width}-{'dark' if dark else 'light'}.png"
    page.tab.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / picture, full_page=True)
    assert page.complaints() == []


CONTRAST = """(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.offsetParent || element.disabled) continue;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push(`${element.tagName} ${element.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return weak;
})()"""
