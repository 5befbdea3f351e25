"""The file: what it may say, and that every fault is named at its line, all in one reading."""

from pathlib import Path

import pytest

from consumer.mapping.faults import nearest
from consumer.mapping.lines import lines_of
from consumer.mapping.reading import InvalidMapping, read

FILES = sorted((Path(__file__).parents[2] / "docs" / "mappings").glob("*.toml"))
TOPICS = ["crm.public.companies", "crm.company-events", "cdp.calls", "COMPANY_USAGE"]

PLANTED = """version = 2
colour = "red"
[[rule]]
name = "a,b"
topics = ["crm.public.companes"]
format = "debezum"
[[rule]]
name = "companies"
topics = ["crm.public.companies"]
format = "debezium"
deletes = "dellete"
null = "unsett"
send = "changed"
group = { id = "row.id", kee = "company" }
where = [{ path = "row.kind", is = 1.5 }, { path = "roww.kind", exists = true }]
project = "emeaa"
[rule.set]
"$token" = "row.token"
Plan = { from = "row.plan", as = "lowwer" }
Mail = { from = "row.mail", as = "hash" }
Since = { value = 2026-01-01 }
Both = { from = "row.a", value = 1 }
Tags = "row.tags[0]"
[rule.set_once]
Plan = "row.plan"
[rule.add]
Seats = "row.seats"
[[rule]]
name = "companies"
topics = ["cdp.calls"]
group = { key = "company", id = "value.id" }
leaves = "delete"
action = { values = { open = "write", "*" = "ignored" } }
[rule.union]
Tags = { value = "one" }
[topic."cdp.callss"]
[[test]]
rule = "company"
"""


def faults(text: str, hash_key: bool = False) -> list[str]:
    with pytest.raises(InvalidMapping) as caught:
        read(text, TOPICS, ["emea", "us"], hash_key)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_published_files_are_read(file: Path) -> None:
    mapping = read(file.read_text(), TOPICS, ["emea", "us"], True)
    assert all(rule.id is not None and rule.group_key == "company" for rule in mapping.rules)


def test_every_fault_is_named_at_once_with_its_line() -> None:
    found = faults(PLANTED)
    lines = PLANTED.splitlines()
    for word in (
        "version = 2", "colour", "a,b", "companes", "debezum", "dellete", "unsett", "changed", "kee", "1.5",
        "roww", "emeaa", "$token", "lowwer", "hash", "2026-01-01", "Both", "tags[0]", "add", "leaves", "ignored",
        '"one"', "cdp.callss", '"company"',
    ):  # fmt: skip
        places = [number for number, line in enumerate(lines, 1) if word in line]
        assert any(f"line {number}:" in fault for fault in found for number in places), word
    for near in ("companies", "debezium", "delete", "unset", "key", "emea", "lower", "ignore", "cdp.calls"):
        assert any(f"(nearest: {near})" in fault or f"(nearest: {near}" in fault for fault in found), near
    assert len(found) >= 20


def test_a_key_that_is_not_toml_is_one_fault_with_its_line() -> None:
    assert faults("version = 1\n[[rule]\n") == [faults("version = 1\n[[rule]\n")[0]]
    assert faults("version = 1\n[[rule]\n")[0].startswith("line 2: the file: not TOML")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ('key = "text"', "another key in rule first"),
        ('format = "row"\ndeletes = "ignore"', "another format in rule first"),
    ],
)
def test_the_rules_of_a_topic_agree_on_how_it_is_written(rule: str, says: str) -> None:
    both = "version = 1\n" + "".join(
        f'[[rule]]\nname = "{name}"\ntopics = ["cdp.calls"]\n{more}\ngroup = {{ key = "company", id = "key.id" }}\n'
        "[rule.set]\nA = { value = 1 }\n"
        for name, more in (("first", ""), ("second", rule))
    )
    assert any(says in fault for fault in faults(both))


def test_rows_that_delete_take_the_group_from_the_key() -> None:
    text = (
        'version = 1\n[[rule]]\nname = "r"\ntopics = ["crm.public.companies"]\nformat = "debezium"\nnull = "skip"\n'
        'group = { key = "company", id = "row.id" }\nproject = { from = "row.region" }\n%s\n[rule.set]\nA = "row.a"\n'
    )
    found = faults(text % "")
    assert ["line 7" in fault or "line 8" in fault for fault in found] == [True, True]
    for right in ('deletes = "ignore"', 'before = "whole"'):
        read(text % right, TOPICS, [], False)


def test_a_rule_without_a_project_needs_a_default_one() -> None:
    text = (
        'version = 1\n[[rule]]\nname = "r"\ntopics = ["cdp.calls"]\ngroup = { key = "company", id = "value.id" }\n'
        'set = { A = "value.a" }\n'
    )
    read(text, TOPICS, ["emea"], False)
    with pytest.raises(InvalidMapping) as caught:
        read(text, TOPICS, ["emea"], False, default_project=False)
    [fault] = caught.value.faults
    assert (fault.line, fault.where) == (2, "rule r, project")
    assert "MIXPANEL_TOKEN" in fault.message
    for named in (text + 'project = "emea"\n', text + '[defaults]\nproject = "emea"\n'):
        read(named, TOPICS, ["emea"], False, default_project=False)


def test_clear_needs_the_names_of_all_properties() -> None:
    text = (
        'version = 1\n[[rule]]\nname = "r"\ntopics = ["COMPANY_USAGE"]\nformat = "row"\ndeletes = "clear"\n'
        'key = "text"\ngroup = { key = "company", id = "key" }\n[rule.copy]\nfrom = "value"\n'
    )
    assert any("clear needs the names" in fault for fault in faults(text))


def test_limits() -> None:
    assert faults("version = 1\n#" + "x" * 256 * 1024) == ["line 1: the file: it has more than 256 KiB"]
    rule = '[[rule]]\nname = "r{0}"\ntopics = ["cdp.calls"]\ngroup = {{ key = "c", id = "value.id" }}\n'
    rule += '[rule.set]\nA = "value.a"\n'
    many = "version = 1\n" + "".join(rule.format(number) for number in range(201))
    assert faults(many) == ["line 1202: the file: it has more than 200 rules"]
    properties = "".join(f"P{number} = 'value.a'\n" for number in range(256))
    assert any("more than 255 properties" in fault for fault in faults("version = 1\n" + rule.format(1) + properties))


def test_lines_of_every_form_of_toml() -> None:
    text = (
        'a = """\nb = 1\n"""\n"q.k" = { x = [1,\n  { y = 2 }], z.w = 3 }\n# c = 1\n[t."a.b"]\nd = \'\'\'\n[x]\'\'\'\n'
        '[[l]]\ne = 1\n[l.m]\nf = "\\"]"\n[[l]]\n[l.m]\nf = 2\n'
    )
    lines = lines_of(text)
    assert {place: lines[place] for place in (
        ("a",), ("q.k", "x", 1, "y"), ("q.k", "z", "w"), ("t", "a.b", "d"), ("l", 0, "e"), ("l", 0, "m", "f"),
        ("l", 1), ("l", 1, "m", "f"),
    )} == {
        ("a",): 1, ("q.k", "x", 1, "y"): 5, ("q.k", "z", "w"): 5, ("t", "a.b", "d"): 8, ("l", 0, "e"): 11,
        ("l", 0, "m", "f"): 13, ("l", 1): 14, ("l", 1, "m", "f"): 16,
    }  # fmt: skip


def test_the_nearest_name_is_none_where_none_is_like_it() -> None:
    assert nearest("PLAN", ["plan", "owner"]) == "plan"
    assert nearest("zzz", ["plan", "owner"]) == ""


RULE = 'version = 1\n[[rule]]\nname = "r"\ntopics = ["cdp.calls"]\n'
GROUP = 'group = { key = "company", id = "value.id" }\n'


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('group = { key = "c", id = { join = ["value.a", "value.b"] } }\nset = { A = "value.a" }\n', 5, "with"),
        (GROUP + 'copy = { from = "header.traits" }\n', 6, "a record or a map of the value"),
        (GROUP + 'copy = { from = "key" }\n', 6, "a record or a map of the value"),
        (GROUP + 'key = "text"\nset = { A = "key.id" }\n', 7, "key.id: a key written as text has no parts"),
        (GROUP + 'set = { A = "valu.name" }\n', 6, "(nearest: value)"),
        (GROUP + 'set = { A = "record.ofset" }\n', 6, "(nearest: offset)"),
        (GROUP + f"set = {{ A = {{ value = {'[' * 40}{']' * 40} }} }}\n", 6, "lists that nest more than 32 levels"),
        (GROUP + "set = { A = { value = { a.b.c.d = 1 } } }\n", 6, "objects that nest more than 3 levels"),
        (GROUP + f"set = {{ A = {{ value = {'[' * 5000}{']' * 5000} }} }}\n", 1, "it nests too deep"),
    ],
)
def test_a_fault_that_only_running_would_show(text: str, line: int, says: str) -> None:
    [fault] = faults(RULE + text)
    assert fault.startswith(f"line {line}: ")
    assert says in fault
