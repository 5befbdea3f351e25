"""The topics of the published files, with schemas as Connect's Avro converter writes them."""

from pathlib import Path
from typing import Any

from tests.mapping.tables import DECIMAL, KEY, connect, envelope

FILES = Path(__file__).parents[2] / "docs" / "mappings"
TOPICS = ["crm.public.companies", "crm.company-events", "cdp.calls", "COMPANY_USAGE"]
TEXT = ["null", "string"]


def record(name: str, *fields: tuple[str, object]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": kind} for field, kind in fields]}


COMPANIES: list[dict[str, Any]] = [
    {"name": "id", "type": "int"},
    {"name": "kind", "type": TEXT, "default": None},
    {"name": "name", "type": "string"},
    {"name": "plan_code", "type": TEXT, "default": None},
    {"name": "mrr", "type": ["null", DECIMAL], "default": None},
    {"name": "renewal_date", "type": ["null", connect("int", "io.debezium.time.Date")], "default": None},
    {"name": "labels", "type": ["null", connect("string", "io.debezium.data.Json")], "default": None},
    {"name": "external_id", "type": ["null", "long"], "default": None},
    {"name": "created_at", "type": connect("long", "io.debezium.time.MicroTimestamp")},
]
ADDRESS = ["null", record("com.acme.crm.Address", ("city", TEXT))]
COMPANY = record(
    "com.acme.crm.Company",
    ("id", "string"), ("name", TEXT), ("parent_id", TEXT), ("address", ADDRESS),
    ("markets", {"type": "array", "items": "string"}),
)  # fmt: skip
UPDATED = record("com.acme.crm.CompanyUpdated", ("tenant", "string"), ("region", "string"), ("company", COMPANY))
CLOSED = record("com.acme.crm.CompanyClosed", ("tenant", "string"), ("region", "string"), ("company_id", "string"))
CALL = record(
    "com.acme.Call", ("type", "string"), ("groupId", TEXT),
    ("traits", {"type": "map", "values": ["null", "string", "long", "double", "boolean"]}),
)  # fmt: skip
STAMP = connect("long", "org.apache.kafka.connect.data.Timestamp", logicalType="timestamp-millis")
TOTALS = record(
    "io.confluent.Totals",
    ("ACTIVE_USERS", ["null", "long"]),
    ("EVENTS", ["null", "long"]),
    ("LAST_TS", ["null", STAMP]),
)
SCHEMAS: dict[str, tuple[list[Any], Any]] = {
    "crm.public.companies": ([envelope(COMPANIES)], KEY),
    "crm.company-events": ([UPDATED, CLOSED], None),
    "cdp.calls": ([CALL], None),
    "COMPANY_USAGE": ([TOTALS], None),
}
# A table of each kind of column, and most that a rule may say.
EVERYTHING = """version = 1
[[rule]]
name = "everything"
topics = ["T"]
format = "debezium"
before = "whole"
send = "changed"
leaves = "clear"
group = { key = "company", id = "row.id" }
where = [{ path = "row.seats", not_in = [1, 2] }]
null = "unset"
[rule.set]
Name = "row.name"
MRR = "row.mrr"
Renews = "row.renewal_date"
Labels = { from = "row.labels", as = "json" }
Seats = ["row.seats", "row.id"]
Attributes = "row.attrs"
Tags = "row.tags"
Both = { join = ["row.kind", "row.name"], with = " " }
[rule.set_once]
Created = "row.created_at"
[[rule]]
name = "copied"
topics = ["T"]
format = "debezium"
group = { key = "row", id = "key.id" }
null = "null"
copy = { from = "row" }
"""
