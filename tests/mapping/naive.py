"""The mapping as its page says it, the plain way: over a file read by tomllib and data as fastavro gives it.

Written apart from `consumer.mapping`, and sharing nothing with it: dictionaries, datetime and decimal, all of the
record in hand. Types are looked up in the schema's JSON. Data is as it is written: fastavro must not convert it.
"""

import json
from typing import Any

from tests.mapping.naive_properties import HIDDEN, MISSING, Properties
from tests.mapping.naive_values import (
    Refused,
    hidden,
    limit,
    paths_of,
    same,
    word,
)

VERBS = ("set", "set_once", "add", "union", "remove")


class Naive(Properties):
    """One file and one schema. `key` and `value` are data, None for a tombstone."""

    def apply(self, key: Any, value: Any, headers: dict[str, str] | None = None) -> list[Any]:
        self.key, self.value, self.headers = key, value, headers or {}
        return [self.rule(rule) for rule in self.file["rule"]]

    def rule(self, rule: dict[str, Any]) -> Any:
        try:
            return self.decide(rule)
        except Refused as refused:
            return ("refused", rule["name"], str(refused) or "invalid_change")

    # What happens.

    def decide(self, rule: dict[str, Any]) -> Any:
        name = rule["name"]
        debezium = rule.get("format") == "debezium"
        if self.value is None:
            return self.end(rule, "tombstone")
        if debezium:
            op = self.value["op"]
            if op in ("t", "m"):
                return ("ignored", name, "op")
            if op == "d":
                return self.end(rule, "action")
            if op not in ("c", "r", "u") or self.value["after"] is None:
                raise Refused
        elif rule.get("format") == "row" and self.value.get("__deleted") == "true":
            return self.end(rule, "action")
        else:
            op = "row" if rule.get("format") == "row" else "c"
        whole = rule.get("before") == "whole"
        if not all(self.holds(rule, condition, "after") for condition in rule.get("where", [])):
            leaves = rule.get("leaves", "ignore")
            if leaves == "ignore" or op == "c":
                return ("ignored", name, "where")
            before = whole and self.value["before"] is not None and not self.compacted
            if before and not all(self.holds(rule, condition, "before") for condition in rule.get("where", [])):
                return ("ignored", name, "where")
            return self.finish(rule, leaves, "after")
        action = self.choose(rule["action"], "after") if "action" in rule else "write"
        if action == "ignore":
            return ("ignored", name, "action")
        if action != "write":
            return self.finish(rule, action, "after")
        return self.write(rule, op, whole)

    def end(self, rule: dict[str, Any], why: str) -> Any:
        deletes = rule.get("deletes", "delete")
        if deletes == "ignore":
            return ("ignored", rule["name"], why)
        if "__debezium.newkey" in self.headers and rule.get("format") == "debezium":
            columns = json.loads(self.headers["__debezium.newkey"])
            roots = [path.split(".") for path in paths_of(rule["group"]["id"])]
            if not all(root[0] == "key" or (root[0] == "row" and root[1] in columns) for root in roots):
                return ("ignored", rule["name"], "tombstone" if why == "tombstone" else "op")
        if why == "tombstone" and any(path.startswith(("row", "value")) for path in self.id_paths(rule)):
            return ("ignored", rule["name"], "tombstone")
        for condition in rule.get("where", []):
            of_value = condition["path"].startswith(("row", "value", "op", "source"))
            if not of_value and not self.holds(rule, condition, "after"):
                return ("ignored", rule["name"], "where")
        return self.finish(rule, deletes, "before" if rule.get("before") == "whole" else "after")

    def finish(self, rule: dict[str, Any], action: str, side: str) -> Any:
        who = self.who(rule, side)
        if action == "delete":
            return ("part", rule["name"], *who, {"delete": {}})
        names = [name for verb in rule if verb in VERBS for name in rule[verb]]
        return ("part", rule["name"], *who, {"unset": dict.fromkeys(names)})

    def write(self, rule: dict[str, Any], op: str, whole: bool) -> Any:
        who = self.who(rule, "after")
        only = rule.get("send") == "changed" and op == "u" and not self.compacted and self.value["before"] is not None
        if only:
            deciding = self.id_paths(rule) + [condition["path"] for condition in rule.get("where", [])]
            only = not any(self.differs(path) for path in deciding)
        found: dict[str, dict[str, Any]] = {}
        changed = False
        for verb, sources in rule.items():
            if verb in VERBS:
                for name, source in sources.items():
                    paths = [path for path in paths_of(source) if path.startswith("row")]
                    differs = any(self.differs(path) for path in paths)
                    changed = changed or differs
                    if only and paths and not differs:
                        continue
                    self.put(found, verb, name, source, rule)
        if "copy" in rule:
            changed = self.copy(found, rule, only) or changed
        if not found or (only and not changed):
            return ("ignored", rule["name"], "unchanged")
        return ("part", rule["name"], *who, found)

    def put(self, found: Any, verb: str, name: str, source: Any, rule: dict[str, Any]) -> None:
        value = self.property(verb, source)
        if value is HIDDEN:
            return
        if value is None:
            null = rule.get("null", "skip")
            if isinstance(source, dict):
                null = source.get("null", null)
            if verb != "set" or null == "skip":
                return
            if null == "unset":
                found.setdefault("unset", {})[name] = None
                return
        found.setdefault(verb, {})[name] = value

    def copy(self, found: Any, rule: dict[str, Any], only: bool) -> bool:
        path = rule["copy"]["from"]
        container, kind = self.find(path, "after")
        old, _ = self.find(path, "before") if path.startswith("row") and only else (None, None)
        if isinstance(container, str):
            container, old, kind = held(container), held(old, optional=True), None
        changed = False
        named = {name for verb in rule if verb in VERBS for name in rule[verb]}
        for name, value in ({} if container in (None, MISSING, HIDDEN) else container).items():
            if name.startswith("__") or name in named or name in rule["copy"].get("except", []):
                continue
            types = {field["name"]: field["type"] for field in (kind or {}).get("fields", [])}
            item = types[name] if types else kind and kind["values"]
            if hidden(value) and rule.get("format") in ("row", "debezium"):
                continue
            if only and isinstance(old, dict) and name in old and same(old[name], value):
                continue
            changed = True
            came = value if kind is None else self.natural(value, item)
            if came is None:
                null = rule.get("null", "skip")
                if null == "skip":
                    continue
                if null == "unset":
                    found.setdefault("unset", {})[name] = None
                    continue
            limit(came)
            found.setdefault("set", {})[name] = came
        return changed

    # Who it is for.

    def id_paths(self, rule: dict[str, Any]) -> list[str]:
        paths = list(paths_of(rule["group"]["id"]))
        for more in (rule["group"].get("company"), rule.get("project"), rule.get("action")):
            if isinstance(more, dict) or (more is not None and more is rule["group"].get("company")):
                paths += paths_of(more)
        return paths

    def who(self, rule: dict[str, Any], side: str) -> tuple[Any, ...]:
        group = self.identity(rule["group"]["id"], side)
        if group is None:
            raise Refused
        company = self.identity(rule["group"]["company"], side) if "company" in rule["group"] else None
        project = rule.get("project")
        if isinstance(project, dict):
            try:
                project = self.choose(project, side)
            except Refused:
                raise Refused("unknown_project") from None
        return project, company, rule["group"]["key"], group

    def identity(self, source: Any, side: str) -> str | None:
        if isinstance(source, dict) and "join" in source:
            parts = []
            for path in source["join"]:
                part = self.identity(path, side)
                if part is None:
                    raise Refused
                parts.append(part)
            if any(source.get("with") and source["with"] in part for part in parts[:-1]):
                raise Refused
            return source.get("with", "").join(parts)
        how = source.get("as") if isinstance(source, dict) else None
        value = self.read(source["from"] if isinstance(source, dict) else source, how or "text", side)
        if value is HIDDEN:
            raise Refused
        if value is None:
            return None
        if value == "":
            raise Refused
        return str(value)

    def choose(self, choice: dict[str, Any], side: str) -> str:
        if "from" not in choice:
            return choice["values"]["*"]
        value, _ = self.find(choice["from"], side)
        if value is HIDDEN or value is None or value is MISSING:
            raise Refused
        text = word(value)
        if "values" not in choice:
            return text
        found = choice["values"].get(text, choice["values"].get("*"))
        if found is None:
            raise Refused
        return found

    def holds(self, rule: dict[str, Any], condition: dict[str, Any], side: str) -> bool:
        value, _ = self.find(condition["path"], side)
        whole = rule.get("before") == "whole" and self.value["before"] is not None
        if value is HIDDEN and whole and condition["path"].startswith("row"):
            value, _ = self.find(condition["path"], "before")
        if value is HIDDEN:
            raise Refused
        there = value is not None and value is not MISSING
        if "exists" in condition:
            return there == condition["exists"]
        listed = [condition["is"]] if "is" in condition else condition.get("in", condition.get("not_in"))
        inside = there and any(type(value) is type(item) and value == item for item in listed)
        return not inside if "not_in" in condition else inside


def held(text: Any, optional: bool = False) -> Any:
    """The object that a text holds as JSON."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        found = ""
    if found is not None and not isinstance(found, dict):
        if optional:
            return None
        raise Refused
    return found
