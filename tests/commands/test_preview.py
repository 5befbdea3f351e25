"""Events as JSON lines, and the updates that `preview` shows for them."""

import json

import pytest

from consumer.commands.events import BadLine, EventReader

SET = {"group_key": "company", "group_id": "acme", "operation": "SET", "properties": {"plan": "gold"}}


def event(**fields):
    """A line that is a SET, with these fields changed; None leaves one out."""
    return json.dumps({name: value for name, value in (SET | fields).items() if value is not None})


def read(line):
    """What one line is."""
    return EventReader(()).one(line.encode() if isinstance(line, str) else line, 1)


def preview(call, *lines, fold="on"):
    """The JSON that `preview` says of these lines, and its exit status."""
    result = call("preview", "--output", "json", "--fold", fold, stdin="\n".join(lines))
    return json.loads(result.stdout), result.exit_code


def test_one_update(call):
    """An event becomes the update that the service would send, but for the token."""
    content, status = preview(call, event())
    assert status == 0
    assert content["updates"] == [
        {
            "request": 1,
            "project": "default",
            "lines": [1],
            "update": {
                "$token": "MIXPANEL_TOKEN",
                "$group_key": "company",
                "$group_id": "acme",
                "$set": {"plan": "gold"},
            },
        }
    ]


OPERATIONS = [
    ("SET_ONCE", {"properties": {"a": [1, {"b": 2.5}]}}, {"$set_once": {"a": [1, {"b": 2.5}]}}),
    ("ADD", {"properties": {"n": 9007199254740993}}, {"$add": {"n": 9007199254740993}}),
    ("UNION", {"properties": {"l": ["x", 1]}}, {"$union": {"l": ["x", 1]}}),
    ("REMOVE", {"properties": {"l": True}}, {"$remove": {"l": True}}),
    ("UNSET", {"properties": None, "property_names": ["a"]}, {"$unset": ["a"]}),
    ("DELETE", {"properties": None}, {"$delete": ""}),
]


@pytest.mark.parametrize(
    ("operation", "fields", "verb"), OPERATIONS, ids=[operation for operation, _, _ in OPERATIONS]
)
def test_operations(operation, fields, verb, call):
    """Every operation, with 64-bit integers exact."""
    content, _ = preview(call, event(operation=operation, **fields))
    assert verb.items() <= content["updates"][0]["update"].items()


def test_companies(call):
    """A group in two companies is two groups, and the company stands behind the group's id."""
    content, _ = preview(
        call, event(company_id="acme"), event(company_id="other", properties={"plan": "free"}), event()
    )
    assert [list(one["update"]) for one in content["updates"]] == [
        ["$token", "$group_key", "$group_id", "$company_id", "$set"],
        ["$token", "$group_key", "$group_id", "$company_id", "$set"],
        ["$token", "$group_key", "$group_id", "$set"],
    ]
    assert [one["update"].get("$company_id") for one in content["updates"]] == ["acme", "other", None]


def test_folded_and_in_order(call):
    """The events of a group are folded, and what must wait goes with a later request."""
    content, _ = preview(
        call,
        event(),
        event(operation="ADD", properties={"seats": 2}),
        event(group_id="other"),
        event(operation="DELETE", properties=None),
        event(properties={"new": 1}),
    )
    assert [(one["request"], one["lines"]) for one in content["updates"]] == [(1, [1, 2, 4]), (1, [3]), (2, [5])]
    assert content["updates"][0]["update"]["$delete"] == ""
    assert content["updates"][2]["update"]["$set"] == {"new": 1}


def test_fold_off(call):
    """With --fold off every event is an update, one of a group in each request."""
    content, _ = preview(call, event(), event(properties={"b": 1}), fold="off")
    assert [(one["request"], one["lines"]) for one in content["updates"]] == [(1, [1]), (2, [2])]


BAD = [
    ("{", "bad_line", "is not JSON"),
    ("[]", "bad_line", "not an object"),
    ("{ ", "bad_line", "one event a line is read"),
    ("[{}]", "bad_line", "and not an object; one event a line is read"),
    (b"\xff", "bad_line", "not UTF-8"),
    ('{"a": 1, "a": 2}', "bad_line", "same name twice"),
    ('{"a": NaN}', "bad_line", "NaN"),
    (event(propertys={}), "bad_line", "did you mean properties?"),
    (event(group_key=None), "bad_line", "group_key is missing"),
    (event(group_id=7), "bad_line", "group_id is not text"),
    (event(operation="UPSERT"), "bad_line", "operation is none of SET, SET_ONCE"),
    (event(properties=[]), "bad_line", "properties is not an object"),
    (event(properties={"a": {"b": {"c": 1}}}), "bad_line", "properties.a.b nests deeper"),
    (event(properties={"a": [[1]]}), "bad_line", "properties.a, item 1 nests deeper"),
    (event(properties={"a": 2**63}), "bad_line", "properties.a is an integer of more than 64 bits"),
    (event().replace('"gold"', "1e999"), "bad_line", "a double cannot hold"),
    (event().replace('"gold"', "9" * 5000), "bad_line", "a number too long"),
    (event().replace('"gold"', "[" * 100_000), "bad_line", "too deep"),
    (event().replace("gold", "\\ud800"), "bad_line", "half a surrogate pair"),
    (event(occurred_at="yesterday"), "bad_line", "occurred_at is no time"),
    (event(occurred_at=True), "bad_line", "occurred_at is neither"),
    (event(property_names=[1]), "bad_line", "property_names, item 1 is not text"),
    (event(company_id=1), "bad_line", "company_id is not text"),
    (event(company_id=""), "invalid_change", "company_id is empty: a group without a company has null"),
    (event(project="other"), "unknown_project", "names a project"),
    (event(properties=None), "invalid_change", "SET needs properties"),
    (event(operation="ADD", properties={"a": "x"}), "invalid_change", "ADD needs a number"),
    (event(properties={"a": "x" * 1_000_001}), "too_large", "1000000"),
]


@pytest.mark.parametrize(("line", "reason", "detail"), BAD, ids=[detail for _, _, detail in BAD])
def test_bad_line(line, reason, detail):
    """A line that is no change has the reason, and the place in it."""
    found = read(line)
    assert isinstance(found, BadLine)
    assert found.reason == reason
    assert detail in found.detail


def test_bad_lines_are_named(call):
    """A bad line is named by its number and reason, the others are shown, and the exit status is 1."""
    content, status = preview(
        call, event(), "", "nope", event(operation="ADD", properties={"a": None}), event(group_id="b")
    )
    assert status == 1
    assert [one["lines"] for one in content["updates"]] == [[1], [5]]
    assert [(one["line"], one["reason"]) for one in content["rejected"]] == [(3, "bad_line"), (4, "invalid_change")]


def test_table(call):
    """The table fits 80 columns, and the summary is on stderr."""
    result = call("preview", stdin="\n".join([event(properties={"a": "b " * 200}), "nope"]))
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stderr == "1 event, 1 update in 1 request, 1 line rejected\n"


def test_moments():
    """occurred_at may be milliseconds or a time, which is UTC where it does not say."""
    for given in (1_764_054_000_000, "2025-11-25T07:00:00Z", "2025-11-25T08:00:00+01:00", "2025-11-25T07:00:00"):
        found = read(event(event_id="e", occurred_at=given))
        assert found.value[2:8] == read(event(event_id="e", occurred_at=1_764_054_000_000)).value[2:8]


def test_no_file(call):
    """A file that is not there is a usage error."""
    assert call("preview", "/no/such/file").exit_code == 2


def test_projects(call, tmp_path):
    """Each project has requests of its own, and a group in two projects two updates; a name must be in the file."""
    file = tmp_path / "projects.toml"
    file.write_text('[other]\ntoken = "secret-of-other"\n')
    lines = [event(project="other"), event(project="other"), event(project="third"), event()]
    known = {"MIXPANEL_PROJECTS_FILE": file, "MIXPANEL_TOKEN": "t0ken"}
    content = json.loads(call("preview", "--output", "json", stdin="\n".join(lines), **known).stdout)
    found = [(one["request"], one["project"], one["lines"]) for one in content["updates"]]
    assert found == [(1, "other", [1, 2]), (2, "default", [4])]
    assert [one["update"]["$token"] for one in content["updates"]] == ["token of other", "MIXPANEL_TOKEN"]
    assert [(one["line"], one["reason"]) for one in content["rejected"]] == [(3, "unknown_project")]
