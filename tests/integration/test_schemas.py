"""Schemas: by id, by GUID, by reference; and a registry that is away holds only what needs it."""

from uuid import UUID

import fastavro

from tests.integration.events import SCHEMA, bare, change, changed, framed
from tests.integration.watching import until


def copy(name: str) -> dict:
    """The event schema with one more field, so that it is another schema."""
    return {**SCHEMA, "fields": [*SCHEMA["fields"], {"name": name, "type": "int", "default": 0}]}


def test_a_schema_may_refer_to_others(world):
    """What a writer's schema refers to is fetched with it."""
    operation = next(field["type"] for field in SCHEMA["fields"] if field["name"] == "operation")
    referred = {**operation, "namespace": SCHEMA["namespace"]}
    writer = {
        **SCHEMA,
        "fields": [
            {**field, "type": "mixpanel.groups.Operation"} if field["name"] == "operation" else field
            for field in SCHEMA["fields"]
        ],
    }
    world.register("operations", referred)
    reference = ("mixpanel.groups.Operation", "operations", 1)
    number = world.register("with-a-reference", writer, [reference])
    named: dict = {}
    fastavro.parse_schema(referred, named)
    world.send(framed(change("a", "UNSET", property_names=["plan"]), fastavro.parse_schema(writer, named), number))
    world.send(framed(change("a", plan="x"), fastavro.parse_schema(writer, named), number))
    world.run()
    world.settled()
    assert world.profile("a") == {"plan": "x"}


def test_a_guid_in_a_header_names_the_schema(world):
    """Frames of the newer kind: the schema's GUID in a header, the value bare Avro; a dead letter names the GUID."""
    guid = world.registry.guid(1)
    header = [("__value_schema_id", b"\x01" + UUID(guid).bytes)]
    world.send(bare(change("a", plan="x")), b"\xff", headers=header)
    world.run()
    world.settled()
    assert world.profile("a") == {"plan": "x"}
    (letter,) = world.letters(1)
    told = headers_after(letter, 1)
    assert told["mixpanel.reason"] == "corrupt"
    assert told["mixpanel.schema.guid"] == guid
    assert "mixpanel.schema.id" not in told


def headers_after(letter, own: int) -> dict[str, str]:
    """The appended headers of a record that had so many of its own."""
    return {name: value.decode() for name, value in letter.headers()[own:]}


def test_a_registry_that_is_away_holds_only_what_needs_it(world):
    """A partition with a known schema goes on; one with a new schema waits, and goes on when the registry is back."""
    number = world.register("newer", copy("more"))
    service = world.run()
    world.send(changed("a", plan="x"))
    world.settled()
    world.registry.stop()
    later = framed(change("b", plan="y") | {"more": 1}, copy("more"), number)
    world.send(later, changed("c", plan="z"), partition=1)
    until(lambda: service.metric("paused", cause="schema") == 1, "the partition is held")
    world.send(changed("a", plan="w"), partition=0)
    until(lambda: world.profile("a") == {"plan": "w"}, "the other partition goes on")
    assert 1 not in world.committed()
    assert service.ready(), service.reasons()
    line = service.said("schema registry failing")
    assert line["cause"] == "connection"
    world.registry.start()
    world.settled()
    assert (world.profile("b"), world.profile("c")) == ({"plan": "y"}, {"plan": "z"})
    service.said("schema registry back")
    assert service.metric("dead_letters_total") == 0


def test_a_registry_that_is_away_at_the_start_is_waited_for(world):
    """When every partition is held the service is not ready, lives, and goes on by itself; nothing is a reject."""
    world.registry.stop()
    for partition in range(4):
        world.send(changed(f"g{partition}", plan="x"), partition=partition)
    service = world.run(ready=False)
    until(lambda: any("every partition is held" in reason for reason in service.reasons()), "it is not ready")
    assert service.get("/livez")[0] == 200
    world.registry.faults.on("status", status=503)
    world.registry.start()
    until(lambda: service.lines("status_503"), "the log tells the other fault")
    world.registry.faults.clear()
    world.settled()
    until(service.ready, "it is ready again")
    assert [world.profile(f"g{partition}") for partition in range(4)] == [{"plan": "x"}] * 4
    assert service.metric("dead_letters_total") == 0


def test_known_schemas_survive_a_restart_in_an_outage(world, tmp_path):
    """With a cache folder a start while the registry is away decodes what was seen before."""
    settings = {"SCHEMA_CACHE_DIR": str(tmp_path / "schemas")}
    (tmp_path / "schemas").mkdir()
    service = world.run(**settings)
    world.send(changed("a", plan="x"))
    world.settled()
    assert service.stop() == 0
    world.registry.stop()
    world.send(changed("a", plan="y"))
    world.run(**settings)
    world.settled()
    assert world.profile("a") == {"plan": "y"}


RULES = {"domainRules": [{"name": "hide-owner", "kind": "TRANSFORM", "type": "ENCRYPT", "mode": "WRITEREAD"}]}


def test_a_schema_with_rules_for_reading_holds_its_partition(world):
    """What a rule encrypted never reaches Mixpanel as a value, nor a dead letter; other partitions go on."""
    number = world.register("ruled", SCHEMA, rules=RULES)
    service = world.run()
    world.send(framed(change("hidden", owner="Zm9vYmFy"), SCHEMA, number), partition=1)
    world.send(changed("a", plan="x"), partition=0)
    until(lambda: world.profile("a") == {"plan": "x"}, "the other partition goes on")
    until(lambda: service.metric("paused", cause="rules") == 1, "the partition is held")
    assert service.metric("paused", cause="schema") == 0
    assert service.said("rules for reading")["rules"] == "hide-owner (ENCRYPT)"
    assert service.ready(), service.reasons()
    assert world.profile("hidden") is None
    assert service.metric("dead_letters_total") == 0


def test_rules_are_ignored_where_that_is_set(world):
    """Then the record is read as it is."""
    number = world.register("ruled", SCHEMA, rules=RULES)
    world.run(SCHEMA_RULES="ignore")
    world.send(framed(change("open", owner="Zm9vYmFy"), SCHEMA, number))
    until(lambda: world.profile("open") == {"owner": "Zm9vYmFy"}, "it is read")
