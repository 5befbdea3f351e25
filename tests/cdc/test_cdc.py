"""The service behind real change data capture: whatever happens to the tables, profiles end as SQL says.

A seed is a history: `make cdc SEED=7`. What differs is printed by topic, group and property.
"""

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from consumer.kafka.dead_letter_format import DETAIL, REASON
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.errors import SandboxError
from consumer.sandbox.traffic.connect_schemas import INTEGER, TEXT, Column, decimal, envelope_schema, key_schema
from tests.cdc import connect, postgres
from tests.cdc.columns import MODES, TIER
from tests.cdc.tables import SCHEMAS, TABLES, group_key, mapping
from tests.cdc.transactions import Transactions
from tests.cdc.world import World, world

SEED = int(os.environ.get("CDC_SEED", "1"))
SHOWN = 20

MISSING = [program for program in connect.PROGRAMS if shutil.which(program) is None]
MISSING += [] if postgres.programs() else ["PostgreSQL (Debian's package postgresql)"]

pytestmark = [
    pytest.mark.cdc,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        bool(MISSING), reason=f"change data capture is not tested: no {', no '.join(MISSING)} on this machine"
    ),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, broker: Broker, apicurio: str) -> Iterator[World]:
    """The world; skipped where Debezium cannot be downloaded."""
    try:
        connect.jars()
    except SandboxError as error:
        pytest.skip(f"change data capture is not tested: {error}")
    with world(tmp_path_factory.mktemp("cdc"), broker, apicurio) as made:
        yield made


def test_profiles_end_as_sql_says(running: World) -> None:
    """Through a snapshot, crashes of Connect and of the service, its end, retries, a new column and a truncate."""
    happen, sql = Transactions(SEED), running.postgres.sql
    sql(happen.some(40, rewrite=False))  # what was before a snapshot, nobody sees
    running.connect.start()
    running.run(mapping(tier=False))
    sql(happen.some(20, rewrite=False))
    running.caught_up()
    running.trouble()
    sql(happen.some(60))
    running.connect.kill()
    sql(happen.some(40))
    running.connect.start()
    sql(happen.some(40))
    running.caught_up()
    assert running.service is not None
    assert running.service.stop() == 0

    sql(happen.alter())
    running.column_is_known()
    running.run(mapping(tier=True))
    running.trouble()
    sql(happen.some(60))
    running.caught_up()
    running.service.kill()
    sql(happen.truncate())
    running.run(mapping(tier=True))
    sql(happen.some(60))
    running.caught_up()

    differ = list(differences(running))
    assert not differ, f"seed {SEED}: {len(differ)} differ\n" + "\n".join(differ[:SHOWN])
    assert running.letters() == []


def differences(running: World) -> Iterator[str]:
    """What Mixpanel holds and SQL does not say, or the other way round."""
    lines = running.postgres.sql("SELECT json_build_array(place, id, properties, lacks) FROM owed").splitlines()
    owed = [json.loads(line) for line in lines]
    assert len(owed) > 50
    profiles = running.profiles()
    for mode in MODES:
        for schema in SCHEMAS:
            for table, columns in TABLES.items():
                key = group_key(mode, schema, table)
                names = {column.name for column in [*columns, TIER] if column.mapped(mode, schema)} | {"created"}
                wanted = {
                    group: (
                        {name: value for name, value in said.items() if name in names and value is not None},
                        lacks,
                    )
                    for place, group, said, lacks in owed
                    if place == f"{schema}.{table}"
                }
                found = {group: profile for (kind, group), profile in profiles.items() if kind == key}
                yield from compared(key, wanted, found)


def compared(key: str, wanted: dict[str, tuple[Any, Any]], found: dict[str, Any]) -> Iterator[str]:
    """The differences of one topic's groups."""
    for group in wanted.keys() | found.keys():
        if group not in found or group not in wanted:
            yield f"{key} {group}: {'no profile' if group in wanted else 'a profile of a row that is gone'}"
            continue
        said, lacks = wanted[group]
        for name in sorted(said.keys() | found[group].keys()):
            one, other = said.get(name), found[group].get(name)
            if plain(one) != plain(other) and not (other is None and name in lacks):
                yield f"{key} {group} {name}: SQL says {shown(one)}, Mixpanel has {shown(other)}"


def plain(value: Any) -> Any:
    """The value with numbers as the sandbox's reader of JSON has them: whole ones of more than 64 bits as floats."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, int) and abs(value) >= 2**63 else value


def shown(value: Any) -> str:
    """The value, cut."""
    return json.dumps(value)[:200]


def test_the_sandbox_writes_the_same_schemas(running: World) -> None:
    """What the sandbox plays is what Debezium and Connect's converter register for the same table."""
    name = "adaptive.keyed.accounts"
    key = [Column("tenant", TEXT, nullable=False), Column("number", INTEGER, nullable=False)]
    columns = [
        *key,
        Column("code", TEXT, nullable=False),
        Column("status", TEXT),
        Column("seats", INTEGER, default=7),
        Column("balance", decimal(12, 2)),
        Column("note", TEXT),
    ]
    assert running.versions(f"{name}-key") == [key_schema(name, key)]
    tables = [columns, [*columns, Column(TIER.name, TEXT)]]
    assert running.versions(f"{name}-value") == [envelope_schema(name, table) for table in tables]


NO_FORM = {"health": "'NaN'", "seen": "'0044-03-15 BC'", "renews": "'12026-03-01'"}


def test_what_has_no_form_is_a_dead_letter_that_names_rule_and_path(running: World) -> None:
    """A number that is none and times outside the years 1 to 9999, under every mode."""
    for number, (column, value) in enumerate(NO_FORM.items(), 2_000_000_000):
        columns = f"id, name, created, {column}"
        running.postgres.sql(f"INSERT INTO keyed.companies ({columns}) VALUES ({number}, 'x', now(), {value});")
    running.caught_up()
    letters = running.letters()
    assert {letter[REASON] for letter in letters} == {"invalid_change"}
    wanted = [f"rule {mode} keyed companies, row.{column}" for mode in MODES for column in NO_FORM]
    assert sorted(letter[DETAIL].split(":")[0] for letter in letters) == sorted(wanted)
