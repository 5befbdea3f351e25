"""Which fields of a schema a data contract encrypted, by Confluent's rules, and with which keys.

    contract = contract_of(answer)      -> the rules and tags of a registry's answer
    rules = contract.field_rules()      -> what decrypts fields, in the order of reading; None where there are others
    marks(writer, contract, rules)      -> which fields each of them is for

A rule of type ENCRYPT is for the texts and bytes in fields that have one of its tags: by `confluent:tags` in the
schema, or by a path of the contract's metadata. Everything else that is run when a record is read is not run here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from consumer.avro.rewriting import tags_of
from consumer.avro.schema import Type
from consumer.registry.rules import is_read

KEK_NAME: Final = "encrypt.kek.name"
KMS_TYPE: Final = "encrypt.kms.type"
KMS_KEY_ID: Final = "encrypt.kms.key.id"
ALGORITHM: Final = "encrypt.dek.algorithm"
EXPIRY_DAYS: Final = "encrypt.dek.expiry.days"
DEFAULT_ALGORITHM: Final = "AES256_GCM"
ALGORITHMS: Final = ("AES128_GCM", DEFAULT_ALGORITHM, "AES256_SIV")


class KeyId(NamedTuple):
    """Which data key: of which key-encryption key, for which subject: the first of these that has it."""

    kek: str
    subjects: tuple[str, ...]
    algorithm: str
    version: int

    def paths(self) -> list[str]:
        """Where a registry has the versions, by subject."""
        deks = f"/dek-registry/v1/keks/{quote(self.kek, safe='')}/deks"
        return [f"{deks}/{quote(subject, safe='')}/versions" for subject in self.subjects]


@dataclass(frozen=True)
class FieldRule:
    """One rule of type ENCRYPT. `text` is the rule as the registry gave it; `rotated`: each field names its key."""

    name: str
    text: str
    tags: tuple[str, ...]
    kek: str
    algorithm: str
    rotated: bool
    kms_type: str = ""  # empty where the rule does not say it, as is the next
    kms_key_id: str = ""


@dataclass(frozen=True)
class Contract:
    """A data contract with rules for reading: `rule_set` and `metadata` as the registry gave them, as JSON."""

    rule_set: str
    metadata: str

    def field_rules(self) -> tuple[FieldRule, ...] | None:
        """What decrypts fields, the last rule first, as Confluent's clients read; None where others are run."""
        found: list[FieldRule] = []
        properties = self._metadata("properties")
        rule_set = json.loads(self.rule_set)
        if rule_set.get("enableAt") not in (None, "ALL", "CLIENT") or any(map(is_odd, self._metadata("tags"))):
            return None
        for kind, rules in rule_set.items():
            if not isinstance(rules, list):
                continue
            for rule in rules:
                if is_read(rule):
                    read = field_rule(rule, properties) if kind == "domainRules" else None
                    if read is None:
                        return None
                    found.append(read)
        # Of rules with the very same tags, only the one that was the first to write has encrypted.
        seen = [one.tags for one in found]
        kept = [one for place, one in enumerate(found) if not one.tags or one.tags not in seen[:place]]
        return tuple(reversed(kept))

    def tagged(self, field: str) -> set[str]:
        """The tags that the metadata gives a field, by its full name."""
        tags: set[str] = set()
        for path, names in self._metadata("tags").items():
            if isinstance(names, list) and matches(field, path):
                tags.update(name for name in names if isinstance(name, str))
        return tags

    def _metadata(self, name: str) -> Mapping[str, Any]:
        found = json.loads(self.metadata).get(name)
        return found if isinstance(found, dict) else {}


def contract_of(answer: Mapping[str, object]) -> Contract:
    """The contract in a registry's answer."""
    rule_set, metadata = answer.get("ruleSet"), answer.get("metadata")
    return Contract(
        json.dumps(rule_set if isinstance(rule_set, dict) else {}),
        json.dumps(metadata if isinstance(metadata, dict) else {}),
    )


def field_rule(rule: object, properties: Mapping[str, Any]) -> FieldRule | None:
    """The rule, if it is one that decrypts fields and says with which key."""
    if not isinstance(rule, dict) or str(rule.get("type")).upper() != "ENCRYPT":
        return None
    if rule.get("kind", "TRANSFORM") != "TRANSFORM" or rule.get("mode") not in ("WRITEREAD", "READ"):
        return None
    params = rule.get("params")
    said = {**properties, **(params if isinstance(params, dict) else {})}
    kek, algorithm = said.get(KEK_NAME), said.get(ALGORITHM, DEFAULT_ALGORITHM)
    days = str(said.get(EXPIRY_DAYS, "0"))
    tags = [] if rule.get("tags") is None else rule["tags"]
    if not isinstance(tags, list) or not isinstance(kek, str) or not kek:
        return None
    if algorithm not in ALGORITHMS or not days.isdecimal():
        return None
    name = str(rule.get("name") or "unnamed")
    kms = [str(said.get(one) or "") for one in (KMS_TYPE, KMS_KEY_ID)]
    return FieldRule(name, json.dumps(rule), tuple(map(str, tags)), kek, algorithm, int(days) > 0, *kms)


def marks(
    writer: Type, contract: Contract, rules: tuple[FieldRule, ...]
) -> tuple[dict[str, int], list[tuple[FieldRule, ...]]]:
    """A mark for each field that rules are for, and by mark those rules, in the order of reading."""
    found: dict[str, int] = {}
    chains: list[tuple[FieldRule, ...]] = []
    for field, inline in tags_of(writer).items():
        tags = contract.tagged(field).union(inline)
        chain = tuple(rule for rule in rules if not rule.tags or tags.intersection(rule.tags))
        if chain:
            if chain not in chains:
                chains.append(chain)
            found[field] = chains.index(chain)
    return found, chains


def is_odd(path: str) -> bool:
    """Whether a path of the metadata has more than is understood here: classes of letters, escapes."""
    return "[" in path or "\\" in path


def matches(name: str, path: str) -> bool:
    """Whether a path of the metadata names the field: `*` is a part of a name, `**` takes dots, too, `?` a letter."""
    wildcards = {"**.*": ".*", "**": ".*", "*": r"[^.]*", "?": r"[^.]"}
    pieces = re.split(r"(\*\*\.\*|\*\*|\*|\?)", path)
    return re.fullmatch("".join(wildcards.get(piece, re.escape(piece)) for piece in pieces), name) is not None
