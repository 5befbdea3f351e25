"""Dead letters of mapped topics, sent again: on a real broker and a registry, by the mapping of today."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.mapped import PROJECTS, Mapped, framed, shown
from tests.integration.service import CODE
from tests.integration.world import TOKEN, World
from tests.mapping.published import SCHEMAS, UPDATED
from tests.mapping.tables import encode


def test_a_replay_sends_the_refused_rules_by_the_file_of_today(world: World, tmp_path: Path) -> None:
    """The accepted part is not sent again; the plan says what differs; a rule that is gone leaves its letter open."""
    scene = Mapped(world, tmp_path, "domain-events.toml", "crm.company-events")
    updated = scene.register(UPDATED, subject=f"{world.topic}-{UPDATED['name']}")
    service = world.run()
    world.mixpanel.faults.on("refuse", group_id="t/parent")
    company = {"id": "c", "name": "C", "parent_id": "parent", "address": None, "markets": []}
    scene.send(0, framed(updated, encode(UPDATED, {"tenant": "t", "region": "EU", "company": company})))
    world.flush()
    world.settled()
    service.stop()
    world.mixpanel.faults.clear()
    whole = scene.file.read_text()
    scene.write(whole.replace('name = "children of the parent"', 'name = "others"'))
    assert command(world, "dlq", "replay", "--dry-run")["plan"]["left_out"]["rule_gone"] == 1
    scene.write(whole.replace("Children =", '"All children" ='))
    plan = command(world, "dlq", "replay", "--dry-run")["plan"]
    assert (plan["letters"], plan["other_updates_today"]) == (1, ["0:0"])
    [traced] = command(world, "trace", f"{world.topic}:0:0")
    rules = ["company updated", "children of the parent"]
    assert (traced["fate"], [one["rule"] for one in traced["update"]]) == ("dead letter", rules)
    update = {"$group_key": "company", "$group_id": "t/parent", "$union": {"All children": ["c"]}}
    event = command(world, "dlq", "show", "0:0")["event"]
    assert event["updates"] == [{"rule": "children of the parent", **update, "project": "emea"}]
    before = len(world.mixpanel.requests.newest())
    done = command(world, "dlq", "replay", "--yes")["outcome"]
    assert (done["accepted"], done["refused"]) == (1, {})
    assert len(world.mixpanel.requests.newest()) == before + 1
    assert shown(world.mixpanel.profiles)[PROJECTS["emea"], "t/parent"] == {"All children": ["c"]}


def test_an_old_row_is_replayed_by_force_alone(world: World, tmp_path: Path) -> None:
    """Its key has a later record, which an old one would undo."""
    scene = Mapped(world, tmp_path, "ksqldb-totals.toml", "COMPANY_USAGE")
    [schema], _ = SCHEMAS["COMPANY_USAGE"]
    schema_id = scene.register(schema)
    service = world.run()
    world.mixpanel.faults.on("refuse", property="Events (7d)")
    for number, key in enumerate((b"old", b"only")):
        totals = {"ACTIVE_USERS": number, "EVENTS": 1, "LAST_TS": None}
        scene.send(0, framed(schema_id, encode(schema, totals)), key)
    world.flush()
    world.settled()
    world.mixpanel.faults.clear()
    scene.send(0, framed(schema_id, encode(schema, {"ACTIVE_USERS": 9, "EVENTS": 9, "LAST_TS": None})), b"old")
    world.flush()
    world.settled()
    service.stop()
    plan = command(world, "dlq", "replay", "--dry-run")["plan"]
    assert (plan["letters"], plan["left_out"]["outdated_rows"]) == (1, 1)
    assert command(world, "dlq", "replay", "--dry-run", "--force")["plan"]["letters"] == 2
    assert command(world, "dlq", "replay", "--yes")["outcome"]["accepted"] == 1
    profiles = shown(world.mixpanel.profiles)
    assert (profiles[TOKEN, "old"]["Events (7d)"], profiles[TOKEN, "only"]["Events (7d)"]) == (9, 1)


def command(world: World, *arguments: str) -> Any:
    """What a command of the tools says, under the world's settings."""
    line = [sys.executable, "-P", "-m", "consumer", *arguments, "--output", "json"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": CODE, **world.settings}
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_record_of_several_groups_is_left_out_where_one_has_something_newer(world: World, tmp_path: Path) -> None:
    """As a whole, and it stays open; another, whose groups have nothing newer, is sent."""
    scene = Mapped(world, tmp_path, "domain-events.toml", "crm.company-events")
    updated = scene.register(UPDATED, subject=f"{world.topic}-{UPDATED['name']}")

    def send(company: str, parent: str) -> None:
        content = {"id": company, "name": company, "parent_id": parent, "address": None, "markets": []}
        scene.send(0, framed(updated, encode(UPDATED, {"tenant": "t", "region": "EU", "company": content})))
        world.flush()
        world.settled()

    service = world.run()
    for group in ("t/a", "t/parent", "t/b", "t/other"):
        world.mixpanel.faults.on({"kind": "refuse", "name": group, "group_id": group})
    send("a", "parent")
    send("b", "other")
    world.mixpanel.faults.clear()
    send("c", "parent")
    service.stop()
    plan = command(world, "dlq", "replay", "--dry-run", "--skip-newer")["plan"]
    assert (plan["letters"], plan["left_out"]["newer"], plan["left_out"]["newer_keys"]) == (1, 1, 1)
    assert command(world, "dlq", "replay", "--yes", "--skip-newer")["outcome"]["accepted"] == 1
    profiles = shown(world.mixpanel.profiles)
    assert profiles[PROJECTS["emea"], "t/b"]["$name"] == "b"
    assert (PROJECTS["emea"], "t/a") not in profiles
    assert command(world, "dlq", "replay", "--yes")["outcome"]["accepted"] == 1
    assert shown(world.mixpanel.profiles)[PROJECTS["emea"], "t/parent"] == {"Children": ["a", "c"]}
