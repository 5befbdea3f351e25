"""What paths and properties come to, the plain way: the lower half of `naive`."""

import base64
import hashlib
import hmac
import json
import re
from decimal import Decimal
from typing import Any

from tests.mapping.naive_values import (
    ENDLESS,
    ENDLESS_DAYS,
    Refused,
    annotation,
    forbidden,
    hidden,
    limit,
    moment,
    same,
    scalar,
    text,
    word,
)

MISSING = object()
HIDDEN = object()


class Properties:
    """One file and one schema, and the record in hand."""

    key: Any
    value: Any
    headers: dict[str, str]

    def __init__(self, file: dict[str, Any], schema: Any, secret: bytes, compacted: bool = False) -> None:
        self.file = file
        self.schema = schema
        self.secret = secret
        self.compacted = compacted
        self.names: dict[str, Any] = {}
        self.learn(schema)

    def learn(self, schema: Any) -> None:
        if isinstance(schema, list):
            for branch in schema:
                self.learn(branch)
        elif isinstance(schema, dict):
            if "name" in schema and schema.get("type") in ("record", "enum", "fixed"):
                self.names[schema["name"]] = schema
            for field in schema.get("fields", []):
                self.learn(field["type"])
            self.learn(schema.get("items"))
            self.learn(schema.get("values"))

    # What a property is.

    def property(self, verb: str, source: Any) -> Any:
        if isinstance(source, dict) and "value" in source:
            return source["value"]
        spec = source if isinstance(source, dict) else {"from": source}
        if "join" in spec:
            texts = [self.read(path, "text", "after") for path in spec["join"]]
            if any(text is HIDDEN for text in texts):
                return HIDDEN
            texts = [text for text in texts if text is not None]
            value = spec.get("with", "").join(texts) if texts else None
        else:
            paths = spec["from"] if isinstance(spec["from"], list) else [spec["from"]]
            value = None
            for path in paths:
                value = self.read(path, spec.get("as"), "after")
                if value is not None:
                    break
        if value is HIDDEN:
            return HIDDEN
        if value is None:
            return spec.get("default")
        if "values" in spec:
            row = spec["values"].get(word(value), spec["values"].get("*", MISSING))
            if row is MISSING:
                raise Refused
            return row
        return self.fit(verb, value)

    def fit(self, verb: str, value: Any) -> Any:
        limit(value)
        if verb == "add" and (isinstance(value, bool) or not isinstance(value, (int, float, Decimal))):
            raise Refused
        if verb == "union":
            if not isinstance(value, list):
                raise Refused
            value = [item for item in value if item is not None]
            if any(isinstance(item, (bool, list, dict)) for item in value):
                raise Refused
            return value or HIDDEN
        if verb == "remove" and isinstance(value, (list, dict)):
            raise Refused
        return value

    def read(self, path: str, how: str | None, side: str) -> Any:
        value, kind = self.find(path, side)
        if value is HIDDEN:
            return HIDDEN
        if value is None or value is MISSING:
            return None
        return self.convert(value, kind, how)

    def differs(self, path: str) -> bool:
        if not path.startswith("row"):
            return False
        after, before = self.find(path, "after")[0], self.find(path, "before")[0]
        return after is not HIDDEN and not same(after, before)

    def find(self, path: str, side: str) -> tuple[Any, Any]:
        root, *parts = path.split(".")
        rows = self.file["rule"][0].get("format") in ("row", "debezium")
        if root == "key":
            here, kind = self.key
        elif root == "header":
            return self.headers.get(parts[0]), "string"
        else:
            here, kind = self.value, self.schema
            parts = [side, *parts] if root == "row" else parts if root == "value" else [root, *parts]
        for part in parts:
            here, kind = self.open(here, kind)
            if here is None:
                return MISSING, None
            if "values" in kind:
                if rows and hidden(here) and root in ("row", "value"):
                    return HIDDEN, None
                kind = kind["values"]
                here = here.get(part, MISSING)
                if here is MISSING:
                    return MISSING, None
            else:
                kind = next(field["type"] for field in kind["fields"] if field["name"] == part)
                here = here[part]
        here, kind = self.open(here, kind)
        if rows and root in ("row", "value") and hidden(here):
            return HIDDEN, None
        return here, kind

    def open(self, here: Any, kind: Any) -> tuple[Any, Any]:
        """The one branch of a union that is not null, and a name's type."""
        if isinstance(kind, list):
            if here is None:
                return None, None
            kind = next(branch for branch in kind if branch != "null" and self.could(here, branch))
        return here, self.names.get(kind, kind) if isinstance(kind, str) else kind

    def could(self, here: Any, branch: Any) -> bool:
        name = branch["type"] if isinstance(branch, dict) else branch
        named = {"string": str, "long": int, "int": int, "boolean": bool, "double": float, "bytes": bytes}
        return name not in named or (isinstance(here, named[name]) and isinstance(here, bool) == (name == "boolean"))

    # Conversions.

    def natural(self, value: Any, kind: Any) -> Any:
        value, kind = self.open(value, kind)
        if value is None:
            return None
        if isinstance(value, list):
            return [self.natural(item, kind["items"]) for item in value]
        if isinstance(value, dict):
            fields = {field["name"]: field["type"] for field in kind.get("fields", [])}
            return {name: self.natural(item, fields.get(name) or kind["values"]) for name, item in value.items()}
        return scalar(value, kind)

    def convert(self, value: Any, kind: Any, how: str | None) -> Any:
        if how is None:
            return self.natural(value, kind)
        if how == "json":
            try:
                return json.loads(value, parse_constant=forbidden)
            except ValueError:
                raise Refused from None
        if how == "hash":
            came = value if isinstance(value, bytes) else scalar(value, kind)
            if came is None:
                return None
            data = came if isinstance(came, bytes) else text(came).encode()
            return hmac.new(self.secret, data, hashlib.sha256).hexdigest()[:32]
        if how == "base64":
            return base64.b64encode(value).decode()
        if how in ("seconds", "millis", "micros", "days"):
            if value in (ENDLESS_DAYS if how == "days" else ENDLESS):
                return None
            return moment(value * {"seconds": 10**6, "millis": 10**3, "micros": 1, "days": 86400 * 10**6}[how])
        if how == "text" and isinstance(value, bytes) and annotation(kind) != "decimal":
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise Refused from None
        if how == "text" and annotation(kind) == "decimal":
            return f"{scalar(value, kind):.{kind.get('scale', 0)}f}"
        came = scalar(value, kind)
        if came is None:
            return None
        if how == "list":
            return [came]
        if how == "number":
            if not isinstance(came, str):
                return came
            if not re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", came.strip()):
                raise Refused
            return Decimal(came.strip())
        return text(came).lower() if how == "lower" else text(came)
