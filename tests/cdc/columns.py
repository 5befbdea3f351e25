"""The columns of the tables: of every type that PostgreSQL has and a mapping takes, what SQL says of it, and how a
rule reads it under each of Debezium's modes.

`json` is what Mixpanel is to hold, as an SQL expression over `{c}`: SQL is the oracle, and shares no code with us.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

# Debezium's own settings, by the name that stands before the topics.
MODES: Final[dict[str, dict[str, str]]] = {
    "adaptive": {},
    "iso": {
        "time.precision.mode": "isostring",
        "decimal.handling.mode": "string",
        "binary.handling.mode": "base64",
        "hstore.handling.mode": "map",
    },
    "connect": {
        "time.precision.mode": "connect",
        "decimal.handling.mode": "double",
        "binary.handling.mode": "hex",
    },
}
NOT: Final = "not mapped"
LARGE: Final = 3_000
"""Bytes from which on a value is kept apart from its row, and is not written again by an update of other columns."""
WORDS: Final = ("north", "Grün", "it's", "東京", "", "a\\b", '{"x"}', "NULL", "true", "42")

FOREVER: Final = ("infinity", "-infinity")

Draw = Callable[[Random], str]


@dataclass(frozen=True)
class Column:
    """One column. `how` is the rule's conversion by mode: nothing is as it is. `large` are values kept apart."""

    name: str
    type: str
    draw: Draw
    json: str = "to_jsonb({c})"
    how: dict[str, str] = field(default_factory=dict)
    large: Draw | None = None
    unmapped_where_kept: tuple[str, ...] = ()
    """Modes in which Debezium writes null where an update leaves a large value alone, but under full identity."""

    @property
    def nullable(self) -> bool:
        """Whether it may be null."""
        return "not null" not in self.type

    def mapped(self, mode: str, schema: str) -> bool:
        """Whether the rule for this mode and schema has it."""
        kept = schema == "keyed" and mode in self.unmapped_where_kept
        return self.how.get(mode) != NOT and not kept

    def line(self, mode: str) -> str:
        """Its line in a rule."""
        how = self.how.get(mode, "")
        return (
            f'{self.name} = {{ from = "row.{self.name}", as = "{how}" }}'
            if how
            else f'{self.name} = "row.{self.name}"'
        )

    def value(self, draw: Random) -> str:
        """A value as SQL: null now and then, large now and then."""
        if self.nullable and draw.random() < 0.12:
            return "NULL"
        if self.large is not None and draw.random() < 0.6:
            return self.large(draw)
        return self.draw(draw)


def quoted(text: str) -> str:
    """A text of SQL."""
    return "'" + text.replace("'", "''") + "'"


def word(draw: Random) -> str:
    """A short text."""
    return quoted(draw.choice(WORDS))


def choice(*values: str) -> Draw:
    """One of these literals."""
    return lambda draw: quoted(draw.choice(values))


def number(low: int, high: int, scale: int = 0) -> Draw:
    """A number with so many places."""
    return lambda draw: f"{draw.randint(low, high) / 10**scale:.{scale}f}"


def day(draw: Random) -> str:
    """A day that Mixpanel has a form for."""
    year = draw.choice((1, 1582, 1899, 1969, 1970, 2026, 2026, 9999))
    return f"{year:04}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"


def late_day(draw: Random) -> str:
    """A day of the Gregorian calendar: in an array Debezium shifts those before it."""
    return f"{draw.choice((1583, 1969, 1970, 2026, 9999))}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"


def clock(draw: Random) -> str:
    """A time of day."""
    return f"{draw.randint(0, 23):02}:{draw.randint(0, 59):02}:{draw.randint(0, 59):02}.{draw.randint(0, 999_999):06}"


def dated(zone: bool = False, forever: bool = True) -> Draw:
    """A point in time, or none."""

    def made(draw: Random) -> str:
        if forever and draw.random() < 0.1:
            return quoted(draw.choice(FOREVER))
        offset = draw.choice(("+00", "-08", "+05:30", "+12:45")) if zone else ""
        year = draw.choice((1583, 1899, 1969, 1970, 2026, 2026, 9998))
        return quoted(f"{year}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02} {clock(draw)}{offset}")

    return made


def listed(kind: str, one: Draw) -> Draw:
    """An array of this type, empty or with nulls now and then."""

    def made(draw: Random) -> str:
        items = ["NULL" if draw.random() < 0.2 else one(draw) for _ in range(draw.randint(0, 3))]
        return f"ARRAY[{', '.join(items)}]::{kind}[]"

    return made


def hexadecimal(draw: Random, size: int = LARGE) -> str:
    """A long text that does not compress to nothing."""
    return f"{draw.getrandbits(size * 4):0{size}x}"


def _every(expression: str) -> str:
    """An expression over each item `x` of an array."""
    items = f"(SELECT coalesce(jsonb_agg({expression}), '[]') FROM unnest({{c}}) AS x)"
    return f"CASE WHEN {{c}} IS NOT NULL THEN {items} END"


SECONDS: Final = "'YYYY-MM-DD\"T\"HH24:MI:SS'"


def _stamp(value: str) -> str:
    return f"CASE WHEN isfinite({value}) THEN to_jsonb(to_char({value}, {SECONDS})) END"


STAMP: Final = _stamp("{c}")
ZONED: Final = "CASE WHEN isfinite({c}) THEN to_jsonb(to_char({c} AT TIME ZONE 'UTC', " + SECONDS + ")) END"
CLOCK: Final = "to_jsonb(left({c}::text, 8))"
BASE64: Final = "to_jsonb(translate(encode({c}, 'base64'), E'\\n', ''))"
PARSED: Final = {"adaptive": "json", "iso": "json", "connect": "json"}
DEFAULTED: Final = "to_jsonb(coalesce({c}, 7))"  # Connect's converter writes a column's default in the place of null
TEXT_NUMBER: Final = {"iso": "number"}
NOT_AS_TEXT: Final = {"iso": NOT}

COMPANIES: Final = [
    Column("name", "text not null", word),
    Column("short", "varchar(20)", word),
    Column("padded", "char(5)", choice("a", "bcd"), "to_jsonb(rpad({c}::text, 5))"),
    Column("folded", "citext", choice("Mixed", "CASE")),
    Column("small", "int2", number(-32768, 32767)),
    Column("seats", "int4 default 7", number(-(2**31), 2**31 - 1), DEFAULTED),
    Column("external_id", "int8", number(-(2**63), 2**63 - 1)),
    Column("as_text", "int8", number(2**53, 2**60), "to_jsonb({c}::text)", dict.fromkeys(MODES, "text")),
    Column("score", "float4", number(-999, 999, 1), "to_jsonb({c}::float8)"),
    Column("health", "float8", number(-(10**9), 10**9, 3)),
    Column("mrr", "numeric(12,2)", number(-(10**11), 10**11, 2), how=TEXT_NUMBER),
    Column("ratio", "numeric(30,12)", lambda draw: f"{draw.randint(0, 10**17)}.{draw.randint(0, 10**12 - 1):012}",
           how=TEXT_NUMBER | {"connect": NOT}),
    Column("any_scale", "numeric", lambda draw: draw.choice(("0", "1e25", "-0.000001", "12345.678", "100")),
           how=TEXT_NUMBER | {"connect": NOT}),
    Column("price", "money", number(-(10**6), 10**6, 2), "to_jsonb({c}::numeric)", TEXT_NUMBER),
    Column("active", "boolean not null default true", choice("t", "f")),
    Column("flag", "bit(1)", lambda draw: draw.choice(("B'0'", "B'1'")), "to_jsonb({c} = B'1')"),
    Column("renews", "date", lambda draw: quoted(draw.choice((day(draw), day(draw), *FOREVER))), STAMP),
    Column("seen", "timestamp", dated(), STAMP),
    Column("seen_ms", "timestamp(3)", dated(), STAMP),
    Column("seen_s", "timestamp(0)", dated(), STAMP),
    Column("updated", "timestamptz not null default now()", dated(zone=True), ZONED),
    Column("opens", "time", lambda draw: quoted(clock(draw)), CLOCK),
    Column("opens_ms", "time(3)", lambda draw: quoted(clock(draw)), CLOCK),
    Column("opens_utc", "timetz", lambda draw: quoted(clock(draw) + draw.choice(("+00", "-08", "+05:30"))),
           "to_jsonb(left(({c} AT TIME ZONE 'UTC')::text, 8))"),
    Column("account", "uuid", lambda draw: quoted(f"{draw.getrandbits(128):032X}")),
    Column("mood", "mood", choice("sad", "ok", "happy")),
    Column("was_json", "json", choice('{"a": [1, null]}', "[]", '"text"', "null", "1.5"), "{c}::jsonb", PARSED),
    Column("page", "xml", choice("<a>b</a>", "<a/>"), "to_jsonb({c}::text)"),
    Column("pairs", "hstore", choice("a=>1, b=>NULL", '"x y"=>"it\'s"', ""), "hstore_to_jsonb({c})",
           {"adaptive": "json", "connect": "json"}),
    Column("tags", "text[]", listed("text", word)),
    Column("numbers", "int4[]", listed("int4", number(-9, 9))),
    Column("longs", "int8[]", listed("int8", number(-(2**62), 2**62))),
    Column("amounts", "numeric(12,2)[]", listed("numeric(12,2)", number(-999, 999, 2)), how=NOT_AS_TEXT),
    Column("days", "date[]", listed("date", lambda draw: quoted(late_day(draw))), _every(_stamp("x"))),
    Column("ids", "uuid[]", listed("uuid", lambda draw: quoted(f"{draw.getrandbits(128):032x}"))),
    Column("stamps", "timestamp[]", listed("timestamp", dated(forever=False)), _every(_stamp("x"))),
    Column("flags", "boolean[]", listed("boolean", choice("t", "f"))),
    Column("moods", "mood[]", lambda draw: draw.choice(("'{sad,ok}'", "'{}'"))),
    Column("rates", "float8[]", listed("float8", number(-999, 999, 2))),
    Column("raw", "bytea", choice("\\x", "\\x00ff"), BASE64, {"adaptive": "base64"} | {"connect": NOT}),
    Column("address", "inet", choice("10.0.0.1/8", "fe80::1/64")),
    Column("network", "cidr", choice("10.0.0.0/8")),
    Column("span", "int4range", choice("[1,5)", "empty"), "to_jsonb({c}::text)"),
    Column("path", "ltree", choice("a.b", "a"), "to_jsonb({c}::text)"),
    Column("object_id", "oid", number(1, 2**32 - 1), "to_jsonb({c}::int8)"),
    # Large: kept apart from the row, by the form that each has.
    Column("l_text", "text", word, large=lambda draw: quoted(hexadecimal(draw))),
    Column("l_folded", "citext", word, large=lambda draw: quoted(hexadecimal(draw))),
    Column("l_must", "text not null default 'none'", word, large=lambda draw: quoted(hexadecimal(draw))),
    Column("l_bytes", "bytea", choice("\\x01"), BASE64, {"adaptive": "base64", "connect": NOT},
           large=lambda draw: quoted(f"\\x{hexadecimal(draw, 2 * LARGE)}"), unmapped_where_kept=("iso",)),
    Column("l_json", "jsonb", choice('{"a": 1}', "[]", "null"), "{c}", PARSED,
           large=lambda draw: quoted(f'{{"a": "{hexadecimal(draw)}"}}')),
    Column("l_pairs", "hstore", choice("a=>1"), "hstore_to_jsonb({c})", {"adaptive": "json", "connect": "json"},
           large=lambda draw: quoted(f"k=>{hexadecimal(draw)}")),
    Column("l_texts", "text[]", choice("{a,NULL}"), large=lambda draw: f"ARRAY[{quoted(hexadecimal(draw))}]"),
    Column("l_numbers", "int4[]", choice("{1,NULL}"),
           large=lambda draw: "'{" + ",".join(str(draw.randint(0, 10**9)) for _ in range(900)) + "}'"),
    Column("l_longs", "int8[]", choice("{1}"),
           large=lambda draw: "'{" + ",".join(str(draw.randint(0, 10**15)) for _ in range(500)) + "}'"),
    Column("l_days", "date[]", choice("{2026-03-01}"), _every(_stamp("x")), unmapped_where_kept=("iso", "connect"),
           large=lambda draw: "'{" + ",".join(late_day(draw) for _ in range(900)) + "}'"),
    Column("l_ids", "uuid[]", choice("{}"),
           large=lambda draw: "'{" + ",".join(f"{draw.getrandbits(128):032x}" for _ in range(200)) + "}'"),
    Column("l_rates", "float8[]", choice("{1.5}"), unmapped_where_kept=tuple(MODES),
           large=lambda draw: "'{" + ",".join(str(draw.randint(0, 10**9) / 8) for _ in range(500)) + "}'"),
]  # fmt: skip
ACCOUNTS: Final = [
    Column("code", "text not null", word),
    Column("status", "text", choice("open", "trial", "closed", "lost")),
    Column("seats", "int4 default 7", number(0, 99), DEFAULTED),
    Column("balance", "numeric(12,2)", number(-(10**6), 10**6, 2), how=TEXT_NUMBER),
    Column("note", "text", word, large=lambda draw: quoted(hexadecimal(draw))),
]
TIER: Final = Column("tier", "text", choice("gold", "tin"))
"""The column that is added in the middle."""
