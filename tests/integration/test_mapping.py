"""Mapping files on a real broker and a registry, with schemas as Connect's Avro converter writes them.

Each published file runs under faults of Mixpanel and a crash in the middle, and the profiles end right; a file that
does not fit a schema holds at the record, until a corrected one is there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.mapped import PROJECTS, Mapped, framed, shown
from tests.integration.service import CODE
from tests.integration.watching import until
from tests.integration.world import PROTOCOLS, World, headers
from tests.mapping.published import CLOSED, SCHEMAS, UPDATED
from tests.mapping.tables import encode

COMPANIES = 12
MARCH = 20513  # the first of it, 2026, in days
SINCE = "2026-03-01T09:30:00"


def debezium(scene: Mapped) -> Iterator[None]:
    """A table: inserts, updates, rows that leave, deletes with their tombstones."""
    [schema], key = SCHEMAS["crm.public.companies"]
    value_id, key_id = scene.register(schema), scene.register(key, key=True)
    plans = {"p": "Pro", "e": "Enterprise", None: None, "x": "Free"}

    def write(op: str, number: int, row: dict[str, Any] | None) -> None:
        datum = {"before": None, "after": row, "source": {"table": "companies"}, "op": op, "ts_ms": None}
        scene.send(number, framed(value_id, encode(schema, datum)), framed(key_id, encode(key, {"id": number})))

    for turn, plan in enumerate(plans):
        for number in range(COMPANIES):
            kind = "supplier" if number % 5 == 4 else "customer"
            row = {
                "id": number, "kind": kind, "name": f"Company {number}", "plan_code": plan,
                "mrr": Decimal(turn * 100 + number) / 100, "renewal_date": MARCH + turn,
                "labels": json.dumps([f"turn-{turn}"]), "external_id": 2**60 + number, "created_at": 1772357400123456,
            }  # fmt: skip
            write("u" if turn else "c", number, row)
            if kind == "customer":
                values = {
                    "$name": row["name"], "MRR": (turn * 100 + number) / 100, "Labels": [f"turn-{turn}"],
                    "Renews at": f"2026-03-0{1 + turn}T00:00:00", "Account id": str(2**60 + number),
                }  # fmt: skip
                scene.expect("$set", str(number), values | ({"Plan": plans[plan]} if plans[plan] else {}))
                if plans[plan] is None:
                    scene.expect("$unset", str(number), ["Plan"])
                scene.expect("$set_once", str(number), {"Customer since": SINCE})
        yield
    for number in range(3):
        write("d", number, None)
        scene.send(number, None, framed(key_id, encode(key, {"id": number})))
        scene.expect("$delete", str(number), "")


def domain_events(scene: Mapped) -> Iterator[None]:
    """A company and its parent, in two projects; some are closed."""
    updated, closed = (
        scene.register(UPDATED, subject=f"{scene.world.topic}-{UPDATED['name']}"),
        scene.register(CLOSED, subject=CLOSED["name"]),
    )
    for turn in range(4):
        for number in range(COMPANIES):
            region, tenant = ("EU", "t1") if number % 2 else ("US", "t2")
            project = "emea" if number % 2 else "us"
            parent = f"p{number % 3}" if number % 4 else None
            company = {
                "id": f"c{number}", "name": f"Company {number} {turn}" if turn < 3 else None, "parent_id": parent,
                "address": {"city": f"City {turn}"} if turn % 2 else None, "markets": [f"m{turn}", "all"],
            }  # fmt: skip
            event = {"tenant": tenant, "region": region, "company": company}
            scene.send(number % 2, framed(updated, encode(UPDATED, event)))
            values = {"Source": "crm"} | ({"$name": company["name"]} if turn < 3 else {})
            values |= {"City": f"City {turn}"} if turn % 2 else {}
            scene.expect("$set", f"{tenant}/c{number}", values, project)
            scene.expect("$union", f"{tenant}/c{number}", {"Markets": [f"m{turn}", "all"]}, project)
            if parent:
                scene.expect("$union", f"{tenant}/{parent}", {"Children": [f"c{number}"]}, project)
        yield
    for number in (1, 2):
        region, tenant = ("EU", "t1") if number % 2 else ("US", "t2")
        event = {"tenant": tenant, "region": region, "company_id": f"c{number}"}
        scene.send(number % 2, framed(closed, encode(CLOSED, event)))
        scene.expect("$delete", f"{tenant}/c{number}", "", "emea" if number % 2 else "us")


def cdp_calls(scene: Mapped) -> Iterator[None]:
    """Group calls among others; what is personal does not arrive, but for one hash."""
    [schema], _ = SCHEMAS["cdp.calls"]
    schema_id = scene.register(schema)
    for turn in range(4):
        for number in range(COMPANIES):
            traits = {"plan": f"p{turn}", "seats": turn, "ratio": 0.5, "live": True, "email": "a@b.c", "gone": None}
            call = {"type": "group" if number % 4 else "track", "groupId": f"g{number}", "traits": traits}
            scene.send(number, framed(schema_id, encode(schema, call)))
            if number % 4:
                scene.expect("$set", f"g{number}", {"plan": f"p{turn}", "seats": turn, "ratio": 0.5, "live": True})
        yield


def ksqldb_totals(scene: Mapped) -> Iterator[None]:
    """A table of totals whose keys are plain text; a tombstone clears the totals, and not the company."""
    [schema], _ = SCHEMAS["COMPANY_USAGE"]
    schema_id = scene.register(schema)
    for turn in range(4):
        for number in range(COMPANIES):
            totals = {"ACTIVE_USERS": turn, "EVENTS": None if turn == 2 else turn * 10, "LAST_TS": 1772357400000}
            scene.send(number, framed(schema_id, encode(schema, totals)), f"company-{number}".encode())
            scene.expect("$set", f"company-{number}", {"Active users (7d)": turn, "Last active": SINCE})
            if turn == 2:
                scene.expect("$unset", f"company-{number}", ["Events (7d)"])
            else:
                scene.expect("$set", f"company-{number}", {"Events (7d)": turn * 10})
        yield
    scene.send(0, None, b"company-0")
    scene.expect("$unset", "company-0", ["Active users (7d)", "Events (7d)", "Last active"])


TRAFFIC: dict[str, tuple[str, Callable[[Mapped], Iterator[None]]]] = {
    "debezium.toml": ("crm.public.companies", debezium),
    "domain-events.toml": ("crm.company-events", domain_events),
    "cdp-calls.toml": ("cdp.calls", cdp_calls),
    "ksqldb-totals.toml": ("COMPANY_USAGE", ksqldb_totals),
}


@pytest.mark.parametrize("file", TRAFFIC)
def test_a_published_file_ends_right_after_retries_and_a_crash(file: str, world: World, tmp_path: Path) -> None:
    """Mixpanel fails now and then, having applied what it was sent or not; the service is killed in the middle."""
    topic, traffic = TRAFFIC[file]
    scene = Mapped(world, tmp_path, file, topic)
    world.mixpanel.faults.on({"kind": "status", "name": "before", "status": 503, "probability": 0.2})
    world.mixpanel.faults.on({"kind": "status", "name": "after", "status": 500, "applied": True, "probability": 0.2})
    world.properties(tmp_path, PROTOCOLS["cooperative"])
    service, mapped = world.run(BATCH_MAX_UPDATES="5"), 0.0
    for turn, _ in enumerate(traffic(scene)):
        world.flush()
        if turn == 1:
            mapped = service.metric("mapped_total")  # that one may have done all of it
            service.kill()
            service = world.run(BATCH_MAX_UPDATES="5")
    world.flush()
    world.settled()
    scene.check()
    assert service.metric("dead_letters_total") == 0
    assert mapped + service.metric("mapped_total") > 0
    service.check_log()


def test_a_record_that_the_file_does_not_fit_holds_its_partition_until_a_corrected_file_is_there(
    world: World, tmp_path: Path
) -> None:
    """No dead letter; other partitions go on; not ready once every partition is held."""
    scene = Mapped(world, tmp_path, "ksqldb-totals.toml", "COMPANY_USAGE")
    [schema], _ = SCHEMAS["COMPANY_USAGE"]
    before = scene.register(schema)
    service = world.run()
    totals = {"ACTIVE_USERS": 1, "EVENTS": 2, "LAST_TS": 1772357400000}
    scene.send(0, framed(before, encode(schema, totals)), b"company-0")
    world.flush()
    world.settled()
    newer = {**schema, "fields": [field for field in schema["fields"] if field["name"] != "EVENTS"]}
    after = scene.register(newer)
    fewer = {"ACTIVE_USERS": 3, "LAST_TS": 1772357400000}
    for number in range(4):
        scene.send(number, framed(after, encode(newer, fewer)), f"company-{number}".encode())
    world.flush()
    line = service.said("the mapping does not fit")
    assert (line["rule"], line["path"], line["schema"]) == ("usage of seven days", "value.EVENTS", after)
    assert line["subject"] == f"{world.topic}-value"
    until(lambda: any("mapping" in reason for reason in service.reasons()), "it is not ready")
    [blocked] = [
        one["blocked"] for one in json.loads(service.get("/status")[1])["partitions"] if one["partition"] == 0
    ]
    assert (blocked["offset"], blocked["cause"]) == (1, "mapping")
    assert blocked["detail"] == {"id": after, "rule": "usage of seven days", "path": "value.EVENTS"}
    assert service.metric("paused", cause="mapping") == 4
    assert service.metric("dead_letters_total") == 0
    assert service.stop() == 0
    scene.write("".join(line for line in scene.file.read_text().splitlines(True) if "EVENTS" not in line))
    world.run()
    world.settled()
    assert world.profile("company-0") == {
        "Active users (7d)": 3, "Events (7d)": 2, "Last active": SINCE
    }  # fmt: skip


def test_what_is_refused_is_one_dead_letter_of_its_rules(world: World, tmp_path: Path) -> None:
    """One part of a record is refused by Mixpanel, the other stands; the letter names the rule."""
    scene = Mapped(world, tmp_path, "domain-events.toml", "crm.company-events")
    updated = scene.register(UPDATED, subject=f"{world.topic}-{UPDATED['name']}")
    world.run()
    world.mixpanel.faults.on("refuse", group_id="t/parent")
    company = {"id": "c", "name": "C", "parent_id": "parent", "address": None, "markets": []}
    scene.send(0, framed(updated, encode(UPDATED, {"tenant": "t", "region": "EU", "company": company})))
    world.flush()
    world.settled()
    [letter] = world.letters(1)
    found = headers(letter)
    assert (found["mixpanel.reason"], found["mixpanel.rule"]) == ("rejected", "children of the parent")
    assert [one["rule"] for one in json.loads(found["mixpanel.refusals"])] == ["children of the parent"]
    [update] = json.loads(found["mixpanel.update"])
    assert update == {"$group_key": "company", "$group_id": "t/parent", "$union": {"Children": ["c"]}}
    assert found["mixpanel.project"] == "emea"
    assert (PROJECTS["emea"], "t/c") in shown(world.mixpanel.profiles)


def test_a_file_with_faults_starts_nothing(world: World, tmp_path: Path) -> None:
    """All of them at once, with their lines; status 2."""
    scene = Mapped(world, tmp_path, "ksqldb-totals.toml", "COMPANY_USAGE")
    scene.write(scene.file.read_text().replace("deletes", "delets").replace('"value.EVENTS"', '"valu.EVENTS"'))
    command = [sys.executable, "-P", "-m", "consumer", "run"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": CODE, **world.settings}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "delets" in ended.stderr
    assert "valu.EVENTS" in ended.stderr
    assert ended.stdout == ""
