"""The tables, what they owe to Mixpanel as SQL keeps it, and the mapping file that reads their changes.

Two schemas have the same tables: `keyed` under the default replica identity, `whole` under the full one. Triggers
keep the table `owed` beside them: for each group what its profile is to hold, in the transaction of the change.
"""

from typing import Final

from tests.cdc.columns import ACCOUNTS, COMPANIES, MODES, SECONDS, TIER, Column

SCHEMAS: Final = ("keyed", "whole")
TABLES: Final = {"companies": COMPANIES, "accounts": ACCOUNTS}
KEYS: Final = {"companies": ("id",), "accounts": ("tenant", "number")}
KEY_TYPES: Final = {"id": "int", "tenant": "text", "number": "int"}
MATCHED: Final = ("open", "trial")
PARTITIONS: Final = {"keyed.companies": 3, "whole.companies": 3, "keyed.accounts": 3}
"""Of each topic; one of those that are not here, since there the group is not the record's key."""

OWED: Final = """
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE owed (place text, id text, properties jsonb NOT NULL, lacks text[] NOT NULL, PRIMARY KEY (place, id));

-- The large columns, of those named, that both rows have alike.
CREATE FUNCTION alike(names text[], one jsonb, other jsonb) RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(n), '{}') FROM unnest(names) AS n
    WHERE one -> n = other -> n AND length((one -> n)::text) > 2000
$$;
"""


def ddl(schema: str, table: str) -> str:
    """Statements that make one table, its identity and its trigger."""
    name, keys, columns = f"{schema}.{table}", KEYS[table], TABLES[table]
    lines = [f"{key} {KEY_TYPES[key]}" for key in keys] + [f"{column.name} {column.type}" for column in columns]
    lines += ["created timestamp not null"] if table == "companies" else []
    apart = "".join(
        f"ALTER TABLE {name} ALTER {column.name} SET STORAGE EXTERNAL;\n" for column in columns if column.large
    )
    identity = f"ALTER TABLE {name} REPLICA IDENTITY FULL;\n" if schema == "whole" else ""
    return (
        f"CREATE TABLE {name} ({', '.join(lines)}, PRIMARY KEY ({', '.join(keys)}));\n{apart}{identity}"
        f"{profile(schema, table)}{trigger(schema, table)}"
    )


def profile(schema: str, table: str) -> str:
    """The function that says what a row's profile is."""
    parts = []
    columns = [*TABLES[table]]
    for start in range(0, len(columns), 40):  # a function of SQL takes no more than a hundred arguments
        pairs = [f"'{one.name}', {one.json.replace('{c}', f'r.{one.name}')}" for one in columns[start : start + 40]]
        parts.append(f"jsonb_build_object({', '.join(pairs)})")
    parts.append(f"jsonb_build_object('tier', to_jsonb(r) -> '{TIER.name}')")
    if table == "companies":
        parts.append(f"jsonb_build_object('created', to_char(r.created, {SECONDS}))")
    name = f"{schema}.{table}"
    return (
        f"CREATE FUNCTION {name}_profile(r {name}) RETURNS jsonb LANGUAGE sql AS $$ SELECT {' || '.join(parts)} $$;\n"
    )


def trigger(schema: str, table: str) -> str:
    """The trigger that keeps what is owed, as the rule of `rule_of` has it."""
    name = f"{schema}.{table}"
    old, new = (identity(schema, table, row) for row in ("OLD", "NEW"))
    large = ", ".join(f"'{column.name}'" for column in TABLES[table] if column.large)
    matches = f"{{}}.status IN ({', '.join(map(repr, MATCHED))})" if table == "accounts" else "true"
    moved = " OR ".join(f"OLD.{key} IS DISTINCT FROM NEW.{key}" for key in KEYS[table])
    begins = f"({moved} OR NOT coalesce({matches.format('OLD')}, false))"
    # A row that leaves: its profile goes where the rule says so, else it stays as it is. A new one leaves nothing.
    leaves = f"DELETE FROM owed WHERE place = '{name}' AND id = {new};" if schema == "keyed" else ""
    hidden = "true" if schema == "keyed" else "false"
    return f"""
CREATE FUNCTION {name}_owe() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE hides text[] := '{{}}';
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM owed WHERE place = '{name}' AND id = {old};
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF {old} <> {new} THEN
            DELETE FROM owed WHERE place = '{name}' AND id = {old};
        END IF;
        IF {hidden} THEN
            hides := alike(ARRAY[{large}], to_jsonb(OLD), to_jsonb(NEW));
            IF NOT {begins} THEN  -- the profile has them already, but those that it lacked
                SELECT coalesce(array_agg(n), '{{}}') INTO hides FROM unnest(hides) AS n
                WHERE n = ANY((SELECT lacks FROM owed WHERE place = '{name}' AND id = {old})::text[]);
            END IF;
        END IF;
    END IF;
    IF coalesce({matches.format("NEW")}, false) THEN
        INSERT INTO owed VALUES ('{name}', {new}, {name}_profile(NEW), hides)
        ON CONFLICT (place, id) DO UPDATE SET lacks = EXCLUDED.lacks, properties = EXCLUDED.properties
            || CASE WHEN owed.properties ? 'created' THEN jsonb_build_object('created', owed.properties -> 'created')
               ELSE '{{}}' END;
    ELSIF TG_OP = 'UPDATE' THEN
        {leaves or "NULL;"}
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER owe AFTER INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION {name}_owe();
"""


def identity(schema: str, table: str, row: str) -> str:
    """The group's id, as SQL."""
    if table == "companies":
        return f"{row}.id::text"
    return f"{row}.code" if schema == "whole" else f"{row}.tenant || '/' || {row}.number"


def topic(mode: str, schema: str, table: str) -> str:
    """Where the changes of a table are."""
    return f"{mode}.{schema}.{table}"


def group_key(mode: str, schema: str, table: str) -> str:
    """Each topic's groups are apart from the others'."""
    return f"{mode}_{schema}_{table}"


def mapping(tier: bool) -> str:
    """The mapping file, with the column that is added later or without it."""
    rules = [rule_of(mode, schema, table, tier) for mode in MODES for schema in SCHEMAS for table in TABLES]
    return "version = 1\n" + "".join(rules)


def rule_of(mode: str, schema: str, table: str, tier: bool) -> str:
    """The rule of one topic."""
    group_id = '"key.id"' if table == "companies" else '{ join = ["key.tenant", "key.number"], with = "/" }'
    if (schema, table) == ("whole", "accounts"):
        group_id = '"row.code"'
    lines = [
        "[[rule]]",
        f'name = "{mode} {schema} {table}"',
        f'topics = ["{topic(mode, schema, table)}"]',
        'format = "debezium"',
        f'group = {{ key = "{group_key(mode, schema, table)}", id = {group_id} }}',
        'deletes = "delete"',
        'null = "unset"',
    ]
    if schema == "whole":
        lines += ['before = "whole"', 'send = "changed"']
    if table == "accounts":
        lines += [f'where = [{{ path = "row.status", in = {list(MATCHED)} }}]'.replace("'", '"')]
        lines += ['leaves = "delete"'] if schema == "keyed" else []
    columns: list[Column] = [*TABLES[table], *([TIER] if tier else [])]
    lines += ["[rule.set]", *(column.line(mode) for column in columns if column.mapped(mode, schema))]
    if table == "companies":
        lines += ["[rule.set_once]", 'created = "row.created"']
    return "\n".join(["", *lines, ""])
