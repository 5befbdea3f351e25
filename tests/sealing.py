"""Records with encrypted fields as Confluent's own serializer writes them: the judge of what decrypts them here."""

import json
from importlib.util import find_spec
from typing import Any, Final

import pytest

SECRET: Final = "the-local-kms-secret"
KEK: Final = "customers"
needs_rules = pytest.mark.skipif(
    find_spec("tink") is None, reason="the extra is not installed: pip install 'mixpanel-group-consumer[rules]'"
)


def rule(name: str = "hide", *tags: str, kek: str = KEK, **params: str) -> dict[str, Any]:
    """One rule that encrypts the fields of these tags, by the local KMS."""
    said = {
        "encrypt.kek.name": kek,
        "encrypt.kms.type": "local-kms",
        "encrypt.kms.key.id": "here",
        **{f"encrypt.{key.replace('_', '.')}": value for key, value in params.items()},
    }
    shared = {"name": name, "kind": "TRANSFORM", "type": "ENCRYPT", "mode": "WRITEREAD"}
    return {**shared, "tags": list(tags or ("PII",)), "params": said, "onFailure": "ERROR,NONE"}


def tagged(schema: dict[str, Any], *fields: str, tag: str = "PII") -> dict[str, Any]:
    """The record's schema with these of its fields tagged."""
    return {
        **schema,
        "fields": [
            {**field, "confluent:tags": [tag]} if field["name"] in fields else field for field in schema["fields"]
        ],
    }


def written(url: str, topic: str, record: dict[str, Any], *, key: bool = False, more: Any = None) -> bytes:
    """The record, framed, with its fields encrypted, by the newest schema of its subject.

    `more` are settings of the serializer.
    """
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroSerializer
    from confluent_kafka.schema_registry.rule_registry import RuleRegistry
    from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import FieldEncryptionExecutor
    from confluent_kafka.schema_registry.rules.encryption.localkms.local_driver import LocalKmsDriver
    from confluent_kafka.serialization import MessageField, SerializationContext

    LocalKmsDriver.register()
    executor = FieldEncryptionExecutor()
    rules = RuleRegistry()
    rules.register_executor(executor)
    conf = {"auto.register.schemas": False, "use.latest.version": True, **(more or {})}
    with SchemaRegistryClient({"url": url}) as client:
        serializer = AvroSerializer(client, None, conf=conf, rule_conf={"secret": SECRET}, rule_registry=rules)
        try:
            copied = json.loads(json.dumps(record))
            field = MessageField.KEY if key else MessageField.VALUE
            value: bytes = serializer(copied, SerializationContext(topic, field))
        finally:
            executor.close()
    return value
