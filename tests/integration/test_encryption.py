"""Encrypted fields on a real broker, as Confluent's own serializer writes them: in the clear in Mixpanel, and nowhere
else; nothing encrypted gets there."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.events import SCHEMA, change, changed, framed
from tests.integration.service import CODE
from tests.integration.watching import until
from tests.integration.world import World, headers
from tests.sealing import SECRET, needs_rules, rule, tagged, written

pytestmark = needs_rules

RULES = {"domainRules": [rule()]}
SETTINGS = {"SCHEMA_RULES_LOCAL_SECRET": SECRET}


class Sealed:
    """The world, with a schema of which some fields are encrypted."""

    def __init__(self, world: World, *fields: str) -> None:
        self.world = world
        self.sealed: list[str] = []
        self.number = world.register(f"{world.topic}-value", tagged(SCHEMA, *fields), rules=RULES)

    def send(self, event: dict[str, Any], partition: int = 0) -> bytes:
        """Write it encrypted; the value."""
        value = written(self.world.registry.url, self.world.topic, event)
        self.world.send(value, partition=partition)
        return value

    def check(self, *clear: str) -> None:
        """Mixpanel got these in the clear, and no text that is base64 of more than an AEAD's own bytes."""
        sent = json.dumps([one["sample"] for one in self.world.mixpanel.requests.newest(1000)])
        assert all(text in sent for text in clear)
        found = [word for word in sent.split('"') if len(word) >= 40 and " " not in word]
        assert found == []


def test_in_the_clear_in_mixpanel_and_still_encrypted_in_the_dead_letter(world):
    """Also where Mixpanel refuses it with words that repeat the value; what does not decrypt is corrupt."""
    sealed = Sealed(world, "group_id", "properties", "company_id")
    world.mixpanel.faults.on("refuse", group_id="secret-bad", words="secret-bad is refused with secret-plan")
    sealed.send(change("secret-good", plan="secret-plan"))
    bad = sealed.send(change("secret-bad", plan="secret-plan", company_id="secret-company"))
    plain = framed(change("plain", plan="x"), number=sealed.number)
    world.send(plain)
    service = world.run(**SETTINGS)
    world.settled()
    assert world.profile("secret-good") == {"plan": "secret-plan"}
    sealed.check("secret-good", "secret-plan")
    corrupt, refused = sorted(world.letters(2), key=lambda letter: headers(letter)["mixpanel.reason"])
    assert refused.value() == bad
    assert headers(refused)["mixpanel.reason"] == "rejected"
    assert "not told" in headers(refused)["mixpanel.error"]
    assert "secret" not in str(refused.headers())
    assert corrupt.value() == plain
    assert headers(corrupt)["mixpanel.reason"] == "corrupt"
    assert headers(corrupt)["mixpanel.detail"].startswith("field group_id: rule hide: it does not decrypt")
    assert "secret-" not in service.log_file.read_text()
    assert "secret-" not in dlq(world, "show", "--source", f"{world.topic}:0:1", "--output", "json")


def test_a_replay_decrypts_again(world):
    """The dead letter has the record as it came."""
    sealed = Sealed(world, "group_id", "properties")
    world.mixpanel.faults.on("refuse", name="bad", group_id="secret-bad", words="no")
    sealed.send(change("secret-bad", plan="secret-plan"))
    service = world.run(**SETTINGS)
    world.settled()
    world.letters(1)
    world.mixpanel.faults.clear()
    assert service.stop() == 0
    dlq(world, "replay", "--yes")
    assert world.profile("secret-bad") == {"plan": "secret-plan"}
    sealed.check("secret-plan")


def test_a_key_that_cannot_be_had_holds_its_partition(world):
    """The KMS does not unwrap, the registry is away: other partitions go on, no dead letter; then it goes on."""
    sealed = Sealed(world, "group_id")
    sealed.send(change("secret", plan="x"), partition=1)
    service = world.run(SCHEMA_RULES_LOCAL_SECRET="another")
    world.register("plain", SCHEMA)
    world.send(changed("a", plan="x"), partition=0)
    until(lambda: world.profile("a") == {"plan": "x"}, "the other partition goes on")
    until(lambda: service.metric("paused", cause="rules") == 1, "the partition is held")
    line = service.said("a data key cannot be had")
    assert "local-kms://here does not unwrap" in line["why"]
    assert service.ready(), service.reasons()
    assert service.stop() == 0
    assert world.profile("secret") is None
    world.run(**SETTINGS)
    until(lambda: world.profile("secret") == {"plan": "x"}, "it goes on with the right secret")
    sealed.check("secret")


def test_a_mapped_topic_reads_fields_within_fields_in_the_clear(world, tmp_path):
    """And the key; tags come by the path of the metadata, too."""
    owner = {"type": "record", "name": "Owner", "fields": [{"name": "mail", "type": ["null", "string"]}]}
    fields = [
        {"name": "id", "type": "string", "confluent:tags": ["PII"]},
        {"name": "owner", "type": owner},
        {"name": "seats", "type": "int"},
        {"name": "labels", "type": {"type": "array", "items": "string"}, "confluent:tags": ["PII"]},
    ]
    schema = {"type": "record", "name": "Company", "namespace": "shop", "fields": fields}
    subject = f"{world.topic}-value"
    metadata = {"tags": {"shop.Owner.*": ["PII"]}}
    world.registry.register(subject, json.dumps(schema), rules=RULES, metadata=metadata)
    file = tmp_path / "mapping.toml"
    file.write_text(
        f"""version = 1
[[rule]]
name = "companies"
topics = ["{world.topic}"]
group = {{ key = "company", id = "key.id" }}
null = "skip"
[rule.set]
Owner = "value.owner.mail"
Seats = "value.seats"
Labels = "value.labels"
Id = "value.id"
"""
    )
    company = {"id": "secret-id", "owner": {"mail": "secret@mail"}, "seats": 3, "labels": ["secret-one", "two"]}
    value = written(world.registry.url, world.topic, company)
    assert b"secret" not in value
    named = {"type": "record", "name": "CompanyKey", "fields": [fields[0]]}
    world.register(f"{world.topic}-key", named, rules=RULES)
    key = written(world.registry.url, world.topic, {"id": "secret-key"}, key=True)
    assert b"secret" not in key
    world.send(value, value[:5] + b"\xff", key=key)
    world.run(**SETTINGS, MAPPING_FILE=str(file))
    world.settled()
    assert world.profile("secret-key") == {
        "Owner": "secret@mail",
        "Seats": 3,
        "Labels": ["secret-one", "two"],
        "Id": "secret-id",
    }
    (letter,) = world.letters(1)
    assert headers(letter)["mixpanel.reason"] == "corrupt"


def test_another_schema_loads_nothing_of_it(world):
    """The extra costs nothing where no schema needs it."""
    world.registry.register(f"{world.topic}-value", json.dumps(SCHEMA))
    world.send(changed("a", plan="x"))
    service = world.run(**SETTINGS)
    world.settled()
    assert "tink" not in Path(f"/proc/{service.process.pid}/maps").read_text()


def dlq(world: World, *arguments: str) -> str:
    """What the command says."""
    done = subprocess.run(
        [sys.executable, "-m", "consumer", "dlq", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": CODE, **world.settings, **SETTINGS},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
