"""The forms in which Mixpanel's own libraries send group updates."""

import base64
import json

import pytest

from consumer.sandbox.mixpanel.request_parsing import read


def encoded(value, urlsafe=False):
    """Base64 of the value's JSON, as text."""
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    return encode(json.dumps(value, ensure_ascii=False).encode()).decode()


def forms(updates):
    """Each form as (query parameters, keyword arguments of a requests call), GET where it has no body."""
    return {
        "a JSON array": ({}, {"json": updates}),
        "JSON without a content type": ({}, {"data": json.dumps(updates).encode()}),
        "JSON under curl's default content type": (
            {},
            {"data": json.dumps(updates), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        ),
        "python: form, plain JSON": ({}, {"data": {"data": json.dumps(updates), "verbose": 1, "ip": 0}}),
        "java, ruby, php: form, base64": ({}, {"data": {"data": encoded(updates), "verbose": "1"}}),
        "browser: form, base64 without padding": ({}, {"data": {"data": encoded(updates, True).rstrip("=")}}),
        "node: GET, base64": ({"data": encoded(updates), "verbose": 1}, {}),
        "GET, plain JSON": ({"data": json.dumps(updates)}, {}),
    }


@pytest.mark.parametrize("form", forms([]))
def test_forms(sandbox, session, update, form):
    """One object or an array arrives whole in every form, beyond ASCII too, and is answered as asked."""
    one = update("Ünï?>~corp", set={"näme": "Müller & Söhne + 1 / 2"})
    for updates in (one, [one, update("b", union={"l": ["x"]})]):
        sandbox.profiles.clear()
        query, arguments = forms(updates)[form]
        method = "POST" if arguments else "GET"

        answer = session.request(method, f"{sandbox.url}/groups", params=query, timeout=10, **arguments)

        asked = "verbose" in query or "verbose" in str(arguments.get("data", ""))
        assert answer.json() == ({"error": None, "status": 1} if asked else 1)
        assert sandbox.profiles.get("token", "company", "Ünï?>~corp") == {"näme": "Müller & Söhne + 1 / 2"}
        assert len(sandbox.profiles) == (1 if updates is one else 2)


def test_a_form_that_lost_its_pluses(update):
    """Base64 whose + became blanks on the way is read all the same."""
    updates = [update("?>?>?>", set={"x": "~~~???>>>"})]

    assert read("", "application/x-www-form-urlencoded", b"data=" + encoded(updates).encode()).updates == updates


def test_the_official_python_library(sandbox):
    """Every group call of Mixpanel's Python library works on the sandbox unchanged."""
    mixpanel = pytest.importorskip("mixpanel", reason="the mixpanel package is not installed")
    consumer = mixpanel.Consumer(groups_url=f"{sandbox.url}/groups")
    library = mixpanel.Mixpanel("token", consumer=consumer)

    library.group_set("company", "acme", {"name": "Acme", "plan": "free"})
    library.group_set_once("company", "acme", {"plan": "paid", "since": 2020})
    library.group_union("company", "acme", {"tags": ["a", "b"]})
    library.group_union("company", "acme", {"tags": ["b", "c"]})
    library.group_remove("company", "acme", {"tags": "b"})
    library.group_unset("company", "acme", ["name"])
    library.group_set("company", "gone", {"x": 1})
    library.group_delete("company", "gone")
    with pytest.raises(mixpanel.MixpanelException, match="refused on purpose"):
        library.group_set("company", "reject-me", {"x": 1})

    assert sandbox.profiles.get("token", "company", "acme") == {"plan": "free", "since": 2020, "tags": ["a", "c"]}
    assert len(sandbox.profiles) == 1
    consumer._session.close()


def test_the_official_python_library_in_batches(sandbox):
    """Its buffered form, an array in the field `data`, works unchanged too."""
    mixpanel = pytest.importorskip("mixpanel", reason="the mixpanel package is not installed")
    consumer = mixpanel.BufferedConsumer(groups_url=f"{sandbox.url}/groups")
    library = mixpanel.Mixpanel("token", consumer=consumer)
    for n in range(20):
        library.group_set("company", str(n), {"n": n})
    consumer.flush()

    assert len(sandbox.profiles) == 20
    assert len(sandbox.requests.newest()) == 1
    consumer._consumer._session.close()
