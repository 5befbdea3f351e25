"""Fields that a data contract encrypted: opened by the registry's keys, or held, or a reject; never passed on."""

import base64
import json
import threading
from queue import SimpleQueue
from typing import Any

import pytest

from consumer.app import reader
from consumer.core.intake import Intake
from consumer.core.model import Assignment, Record
from consumer.core.taken import HELD, REJECTED, TAKEN, Taken
from consumer.event.model import DEFAULT
from consumer.registry.access import Access, Endpoint
from consumer.registry.asks import Patience
from consumer.registry.contracts import contract_of
from consumer.registry.facts import SchemaFact, SchemaFailing, SchemaHeld, SchemaKnown
from consumer.registry.fetcher import RegistryFetcher
from consumer.registry.keys import Keys
from consumer.registry.login import nobody
from consumer.registry.tls import Tls
from consumer.sandbox.registry.models import ApiError
from consumer.sandbox.registry.server import RegistrySandbox
from tests.integration.events import SCHEMA, change, framed
from tests.sealing import KEK, SECRET, needs_rules, rule, tagged, written

pytestmark = needs_rules

PATIENCE = 20.0
TOPIC = "groups"


class World:
    """A registry, a writer of encrypted records, and what the service makes of them without a broker."""

    def __init__(self, registry: RegistrySandbox, secret: str = SECRET) -> None:
        self.registry = registry
        self.results: SimpleQueue[SchemaFact] = SimpleQueue()
        self.intake = Intake({DEFAULT: 0})
        self.keys = Keys(lambda: secret)
        self.fetcher = RegistryFetcher(
            Access((Endpoint(registry.url, nobody()),), Tls()),
            cache_dir=None,
            reader=reader(),
            results=self.results,
            patience=Patience(unknown_after=0.1, held_for=0.1, backoff=(0.02, 0.05)),
            keys=self.keys,
        )

    def register(self, schema: Any, *rules: dict[str, Any], subject: str = f"{TOPIC}-value", **more: Any) -> None:
        """A new version of the subject with these rules."""
        self.registry.register(subject, json.dumps(schema), rules={"domainRules": list(rules)}, **more)

    def take(self, value: bytes, topic: str = TOPIC) -> tuple[Taken, Record]:
        """What becomes of the record, once the registry said what it asked for."""
        record = Record(Assignment(topic, 0), 0, None, value, None, 0, 0.0)
        while True:
            taken = self.intake.take(record, 0.0)
            if taken.outcome != HELD:
                return taken, record
            for need in self.intake.schemas.take_wanted():
                self.fetcher.fetch(need)
            fact = self.results.get(timeout=PATIENCE)
            if not isinstance(fact, SchemaKnown):
                return taken, record
            self.intake.schemas.known(fact.ref, fact.reader, fact.seal)

    def facts(self, count: int) -> list[SchemaFact]:
        """The next so many."""
        return [self.results.get(timeout=PATIENCE) for _ in range(count)]


@pytest.fixture
def world():
    """With the local KMS's secret."""
    with RegistrySandbox() as registry:
        made = World(registry)
        yield made
        made.fetcher.close()


def test_fields_are_in_the_clear_in_the_update(world):
    """Text in the record, in a map's values, in a union; the record itself stays as it came."""
    world.register(tagged(SCHEMA, "group_id", "properties", "company_id"), rule())
    value = written(world.registry.url, TOPIC, change("acme", plan="gold", company_id="north"))
    assert b"acme" not in value
    assert b"gold" not in value
    taken, record = world.take(value)
    assert taken.outcome == TAKEN
    assert taken.operation.group_id == "acme"
    assert taken.operation.company_id == "north"
    assert taken.operation.values == {"plan": "gold"}
    assert record.sealed
    assert record.value == value


def test_a_key_is_asked_for_once(world):
    """The data key stays; a second record asks the registry nothing."""
    world.register(tagged(SCHEMA, "group_id"), rule())
    first, second = (written(world.registry.url, TOPIC, change(name, plan="gold")) for name in ("acme", "other"))
    world.take(first)
    asked = list(world.registry.asked)
    taken, _ = world.take(second)
    assert taken.operation.group_id == "other"
    assert list(world.registry.asked) == asked


@pytest.mark.parametrize("algorithm", ["AES128_GCM", "AES256_GCM", "AES256_SIV"])
@pytest.mark.parametrize("days", ["", "7"])
def test_every_algorithm_with_keys_that_last_and_keys_that_are_rotated(world, algorithm: str, days: str):
    """As Confluent's serializer writes them."""
    params = {"dek_algorithm": algorithm} | ({"dek_expiry_days": days} if days else {})
    world.register(tagged(SCHEMA, "group_id"), rule(**params))
    taken, _ = world.take(written(world.registry.url, TOPIC, change("acme", plan="gold")))
    assert taken.operation.group_id == "acme"


def test_tags_may_be_those_of_the_metadata(world):
    """By path, with wildcards; parameters of the rule, too."""
    metadata = {
        "tags": {"mixpanel.groups.*.group_id": ["PII"], "**.company_id": ["PII"]},
        "properties": {"encrypt.kek.name": KEK},
    }
    bare = rule()
    del bare["params"]["encrypt.kek.name"]
    world.register(SCHEMA, bare, metadata=metadata)
    value = written(world.registry.url, TOPIC, change("acme", company_id="north", plan="gold"))
    assert b"acme" not in value
    assert b"north" not in value
    taken, _ = world.take(value)
    assert (taken.operation.group_id, taken.operation.company_id) == ("acme", "north")


def test_two_rules_with_keys_of_their_own(world):
    """A field with both tags was encrypted twice, and is decrypted twice, the last first."""
    schema = tagged(tagged(SCHEMA, "group_id"), "company_id", tag="SECRET")
    for field in schema["fields"]:
        if field["name"] == "properties":
            field["confluent:tags"] = ["PII", "SECRET"]
    world.register(schema, rule(), rule("more", "SECRET", kek="other"))
    value = written(world.registry.url, TOPIC, change("acme", plan="gold", company_id="north"))
    taken, _ = world.take(value)
    assert (taken.operation.group_id, taken.operation.company_id) == ("acme", "north")
    assert taken.operation.values == {"plan": "gold"}


def test_one_schema_of_two_topics_has_two_keys(world):
    """Data keys are by subject."""
    schema = tagged(SCHEMA, "group_id")
    world.register(schema, rule())
    world.register(schema, rule(), subject="others-value")
    for topic, group in ((TOPIC, "acme"), ("others", "zenith")):
        taken, _ = world.take(written(world.registry.url, topic, change(group, plan="gold")), topic)
        assert taken.operation.group_id == group
    assert {place[1] for place in world.registry.deks.deks} == {"groups-value", "others-value"}


def test_a_key_under_the_records_name(world):
    """A subject by another of Confluent's strategies is found by who has the schema."""
    world.register(tagged(SCHEMA, "group_id"), rule(), subject="mixpanel.groups.GroupChange")
    conf = {"subject.name.strategy": lambda *_: "mixpanel.groups.GroupChange"}
    taken, _ = world.take(written(world.registry.url, TOPIC, change("acme", plan="gold"), more=conf))
    assert taken.operation.group_id == "acme"


def test_a_field_that_does_not_decrypt_is_corrupt(world):
    """A text that was tampered with, one that nobody encrypted: the field's path, and nothing of its value."""
    world.register(tagged(SCHEMA, "group_id"), rule())
    value = written(world.registry.url, TOPIC, change("acme", plan="gold"))
    assert world.take(value)[0].outcome == TAKEN
    place = value.index(b"company") + 20
    other = b"A" if value[place : place + 1] != b"A" else b"B"
    for wrong in (value[:place] + other + value[place + 1 :], framed(change("acme", plan="gold"))):
        taken, record = world.take(wrong)
        assert taken.outcome == REJECTED
        assert taken.dead_letter.reason == "corrupt"
        assert taken.dead_letter.detail.startswith("field group_id: rule hide: it does not decrypt (")
        assert "acme" not in taken.dead_letter.detail
        assert taken.dead_letter.record.value == wrong
        assert record.sealed


def test_a_rotated_field_that_names_no_key_is_corrupt(world, monkeypatch):
    """A field may name any number: one that was never given out must not hold its partition for ever."""
    monkeypatch.setattr("consumer.registry.keys.UNKNOWN_AFTER", 0.1)
    world.register(tagged(SCHEMA, "group_id"), rule(dek_expiry_days="7"))
    value = written(world.registry.url, TOPIC, change("acme", plan="gold"))
    assert world.take(value)[0].outcome == TAKEN
    zero = base64.b64encode(bytes(40)).decode()
    for text in ("Zm9vYmFyYmF6", "AMERICAN", zero):  # the second names a version that no registry takes
        plain, _ = world.take(framed(change(text, plan="gold")))
        assert plain.dead_letter.detail == "field group_id: rule hide: it is not encrypted, or names no data key"
    never = framed(change(base64.b64encode(b"\0\0\0\0\7" + bytes(40)).decode(), plan="gold"))
    held, _ = world.take(never)
    assert held.outcome == HELD
    while isinstance(fact := world.results.get(timeout=PATIENCE), SchemaFailing):
        assert fact.cause == "key_unknown"
    world.intake.schemas.known(fact.ref, fact.reader, fact.seal)
    taken, _ = world.take(never)
    assert (taken.outcome, taken.dead_letter.reason) == (REJECTED, "corrupt")
    assert "data key 7, which the registry never gave out" in taken.dead_letter.detail


def test_a_secret_that_is_wrong_holds(world, caplog):
    """The KMS does not unwrap: an outage, said once, and over when it does."""
    world.fetcher.close()
    wrong = World(world.registry, "another-secret")
    wrong.register(tagged(SCHEMA, "group_id"), rule())
    value = written(world.registry.url, TOPIC, change("acme", plan="gold"))
    taken, _ = wrong.take(value)
    assert taken.outcome == HELD
    assert taken.cause == "rules"
    assert wrong.facts(2) == [SchemaFailing(1, "kms")] * 2
    wrong.fetcher.close()
    (line,) = [line for line in caplog.records if "data key" in line.getMessage()]
    assert line.levelname == "WARNING"
    assert "local-kms://here" in line.why
    assert not any(SECRET in str(vars(line)) or "another-secret" in str(vars(line)) for line in caplog.records)


def test_a_registry_without_the_key_holds_until_it_is_there(world):
    """And so does one that is away."""
    world.register(tagged(SCHEMA, "group_id"), rule())
    value = written(world.registry.url, TOPIC, change("acme", plan="gold"))
    keks, world.registry.deks.keks = world.registry.deks.keks, {}
    taken, _ = world.take(value)
    assert (taken.outcome, taken.cause) == (HELD, "rules")
    world.registry.deks.keks = keks
    while isinstance(fact := world.results.get(timeout=PATIENCE), SchemaFailing):
        assert fact.cause == "key_unknown"
    world.intake.schemas.known(fact.ref, fact.reader, fact.seal)
    assert world.take(value)[0].operation.group_id == "acme"


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "ENCRYPT_PAYLOAD"},
        {"type": "CEL"},
        {"kind": "CONDITION"},
        {"params": {}},
        {"mode": "UPDOWN"},
        {"tags": "PII"},
        {"params": {"encrypt.kek.name": KEK, "encrypt.dek.algorithm": ""}},
        {"params": {"encrypt.kek.name": KEK, "encrypt.dek.expiry.days": ""}},
    ],
)
def test_other_rules_stay_held(world, changed: dict[str, Any]):
    """One rule that is not run here is enough."""
    world.register(tagged(SCHEMA, "group_id"), rule(), rule("second") | changed)
    world.fetcher.fetch(1)
    assert isinstance(world.results.get(timeout=PATIENCE), SchemaHeld)


@pytest.mark.parametrize(
    ("metadata", "more"),
    [({"tags": {"a.[bc]": ["PII"]}}, {}), ({"tags": {r"a.\*": ["PII"]}}, {}), ({}, {"enableAt": "CLUSTER_LINK"})],
)
def test_what_is_not_understood_stays_held(metadata: dict[str, Any], more: dict[str, Any]):
    """Paths with more than wildcards, rules that somebody else has run."""
    answer = {"ruleSet": {"domainRules": [rule()], **more}, "metadata": metadata}
    assert contract_of(answer).field_rules() is None
    assert contract_of({"ruleSet": {"domainRules": [rule()], "enableAt": "CLIENT"}}).field_rules() is not None


def test_without_the_extra_it_is_said_what_to_install(world, monkeypatch, caplog):
    """Where only that is missing."""
    for module in ("keys", "fetcher"):
        monkeypatch.setattr(f"consumer.registry.{module}.installed", lambda: False)
    world.register(tagged(SCHEMA, "group_id"), rule())
    world.fetcher.fetch(1)
    assert world.results.get(timeout=PATIENCE) == SchemaHeld(1, ("hide (ENCRYPT)",))
    world.fetcher.close()
    (line,) = [line for line in caplog.records if "rules for reading" in line.getMessage()]
    assert "mixpanel-group-consumer[rules]" in line.getMessage()


def test_a_kms_that_does_not_answer_is_given_up(monkeypatch):
    """Its SDK may wait for minutes; the registry's threads do not."""
    from consumer.registry import encryption
    from consumer.registry.errors import KeyOutage

    monkeypatch.setattr(encryption, "PATIENCE", 0.05)
    end = threading.Event()

    def hang() -> bytes:
        end.wait(PATIENCE)
        return b""

    for _ in range(2):  # the second does not begin another
        with pytest.raises(KeyOutage, match="no answer"):
            encryption.bounded("slow://", hang)
    end.set()


def test_versions_that_were_never_given_out_stall_once(world, monkeypatch):
    """Each clear text may name another: the first is waited for, and of all the others nothing is kept."""
    monkeypatch.setattr("consumer.registry.keys.UNKNOWN_AFTER", 0.1)
    world.register(tagged(SCHEMA, "group_id"), rule(dek_expiry_days="7"))
    assert world.take(written(world.registry.url, TOPIC, change("acme", plan="gold")))[0].outcome == TAKEN
    taken = None
    for version in range(1_000, 1_020):
        value = framed(change(base64.b64encode(b"\0" + version.to_bytes(4, "big") + bytes(40)).decode(), plan="x"))
        taken, _ = world.take(value)
        while taken.outcome == HELD and version == 1_000:
            while isinstance(fact := world.results.get(timeout=PATIENCE), SchemaFailing):
                pass
            world.intake.schemas.known(fact.ref, fact.reader, fact.seal)
            taken, _ = world.take(value)
        assert taken.outcome == REJECTED, version
    assert len(world.keys._none_until) == 1


def test_a_key_of_another_subject_is_found(world):
    """Where the topic's subject has the schema, too, and its producers wrote under the record's name."""
    schema = tagged(SCHEMA, "group_id")
    world.register(schema, rule())
    world.register(schema, rule(), subject="mixpanel.groups.GroupChange")
    conf = {"subject.name.strategy": lambda *_: "mixpanel.groups.GroupChange"}
    taken, _ = world.take(written(world.registry.url, TOPIC, change("acme", plan="gold"), more=conf))
    assert taken.operation.group_id == "acme"


def test_a_login_without_the_right_to_keys_is_an_outage_of_the_key(world, caplog, monkeypatch):
    """Held, in one line; the registry itself is neither failing nor back."""
    caplog.set_level("INFO")
    world.register(tagged(SCHEMA, "group_id"), rule())
    value = written(world.registry.url, TOPIC, change("acme", plan="gold"))

    def refused(*_: object) -> None:
        raise ApiError(403, 40301, "may not")

    monkeypatch.setattr(world.registry.deks, "answer", refused)
    taken, _ = world.take(value)
    assert (taken.outcome, taken.cause) == (HELD, "rules")
    assert world.facts(3) == [SchemaFailing(1, "key_registry")] * 3
    world.fetcher.close()
    (line,) = [line for line in caplog.records if line.name == "consumer.registry"]
    assert "DEK endpoints" in line.getMessage()
    assert "status_403" in line.why


def test_two_threads_take_turns_at_one_kms():
    """The second waits for the first, and is not told that there was no answer."""
    from consumer.registry import encryption

    begun, end = threading.Event(), threading.Event()

    def slow() -> bytes:
        begun.set()
        end.wait(PATIENCE)
        return b"one"

    found: list[bytes] = []
    first = threading.Thread(target=lambda: found.append(encryption.bounded("turns://", slow)))
    second = threading.Thread(target=lambda: found.append(encryption.bounded("turns://", lambda: b"two")))
    first.start()
    assert begun.wait(PATIENCE)
    second.start()
    second.join(0.1)
    end.set()
    first.join(PATIENCE)
    second.join(PATIENCE)
    assert found == [b"one", b"two"]


def test_a_kms_that_never_came_back_is_asked_again_one_day(monkeypatch):
    """A thread that hangs for ever blocks nobody for ever."""
    from consumer.registry import encryption
    from consumer.registry.errors import KeyOutage

    end = threading.Event()
    monkeypatch.setattr(encryption, "PATIENCE", 0.05)
    with pytest.raises(KeyOutage, match="no answer"):
        encryption.bounded("gone://", lambda: bytes(end.wait(PATIENCE)))
    monkeypatch.setattr(encryption, "GIVEN_UP", 0.0)
    monkeypatch.setattr(encryption, "PATIENCE", PATIENCE)
    assert encryption.bounded("gone://", lambda: b"key") == b"key"
    end.set()


@pytest.mark.parametrize("wrong", ["kms", "id", "length"])
def test_a_key_that_the_rule_does_not_mean_holds(world, wrong: str):
    """It is the key that is wrong, and no record."""
    from confluent_kafka.schema_registry.rules.encryption.localkms.local_client import LocalKmsClient

    world.register(tagged(SCHEMA, "group_id"), rule())
    value = written(world.registry.url, TOPIC, change("acme", plan="gold"))
    if wrong == "length":
        wrapped = LocalKmsClient(SECRET).get_aead("local-kms://here").encrypt(b"short", b"")
        (dek,) = world.registry.deks.deks.values()
        dek["encryptedKeyMaterial"] = base64.b64encode(wrapped).decode()
    else:
        world.registry.deks.keks[KEK]["kmsType" if wrong == "kms" else "kmsKeyId"] = "other"
    taken, _ = world.take(value)
    assert (taken.outcome, taken.cause) == (HELD, "rules")
    assert world.facts(2) == [SchemaFailing(1, "key_other")] * 2
