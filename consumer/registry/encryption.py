"""Decryption by Confluent's own executors and KMS drivers: the one module that imports them, where a schema needs it.

A data key is unwrapped by whatever keeps the key-encryption key, each time by a new client, so that credentials that
changed are taken; no longer than `PATIENCE`, on a thread of its own, since the SDKs have no bound for the whole.
"""

import base64
import functools
import importlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from confluent_kafka.schema_registry import Metadata, Rule, RuleMode, Schema
from confluent_kafka.schema_registry.rules.encryption import encrypt_executor
from confluent_kafka.schema_registry.rules.encryption.dek_registry.dek_registry_client import Dek, DekAlgorithm, Kek
from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import AeadWrapper, Cryptor, EncryptionExecutor
from confluent_kafka.schema_registry.rules.encryption.kms_driver_registry import get_kms_driver
from confluent_kafka.schema_registry.serde import FieldType, RuleContext, RuleError

from consumer.core.errors import KeyWanted, SealBroken
from consumer.core.schemas import Need
from consumer.registry.contracts import Contract, FieldRule, KeyId
from consumer.registry.errors import KeyOutage

# Of one key's unwrapping, in seconds; and after how many one that never came back keeps nobody waiting any more.
PATIENCE: Final = 10.0
GIVEN_UP: Final = 300.0
# By the scheme of a key-encryption key, the module and the class of what speaks to its keeper.
DRIVERS: Final = {
    "aws-kms": ("awskms.aws_driver", "AwsKmsDriver"),
    "azure-kms": ("azurekms.azure_driver", "AzureKmsDriver"),
    "gcp-kms": ("gcpkms.gcp_driver", "GcpKmsDriver"),
    "hcvault": ("hcvault.hcvault_driver", "HcVaultKmsDriver"),
    "local-kms": ("localkms.local_driver", "LocalKmsDriver"),
}
# The highest version of a data key: a registry takes a higher one for no version at all.
MOST_VERSIONS: Final = 2**31 - 1
PACKAGE: Final = "confluent_kafka.schema_registry.rules.encryption"
# It warns of each attempt; what comes of them is ours to say.
logging.getLogger(encrypt_executor.__name__).setLevel(logging.ERROR)


@dataclass(frozen=True)
class DataKey:
    """A data key in the clear, with the key-encryption key that it came wrapped in; in place of the DEK registry."""

    kek: Kek
    dek: Dek

    def get_kek(self, *_: object) -> Kek:
        """As the executor asks for it."""
        return self.kek

    def get_dek(self, *_: object) -> Dek:
        """As the executor asks for it."""
        return self.dek


class KnownKeys(Protocol):
    """The data keys that are had by now; see registry/keys.py."""

    had: dict[KeyId, DataKey]

    def is_none(self, key: KeyId) -> bool: ...
    def want(self, need: Need, key: KeyId, rule: FieldRule) -> KeyWanted: ...


class Decryption:
    """Decrypts the fields of one subject's records."""

    def __init__(
        self,
        keys: KnownKeys,
        need: Need,
        subjects: tuple[str, ...],
        chains: list[tuple[FieldRule, ...]],
        contract: Contract,
    ) -> None:
        """`subjects` may have the keys, the likeliest first. `chains` are the rules for each mark, as read."""
        self._keys = keys
        self._need = need
        self._subjects = subjects
        self._chains = chains
        metadata = Metadata.from_dict(json.loads(contract.metadata))
        self._target = Schema("", "AVRO", [], metadata)
        self._transforms: dict[tuple[FieldRule, int], Any] = {}

    def __call__(self, mark: int, data: bytes, is_text: bool) -> bytes:
        """The field in the clear. Raises `SealBroken`, and `KeyWanted` for a key that is to be had first."""
        for rule in self._chains[mark]:
            data = self._decrypted(rule, data, is_text)
        return data

    def _decrypted(self, rule: FieldRule, data: bytes, is_text: bool) -> bytes:
        key = KeyId(rule.kek, self._subjects, rule.algorithm, version_of(rule, data, is_text))
        known = self._keys.had.get(key)
        if known is None:
            if self._keys.is_none(key):
                raise SealBroken(
                    f"rule {rule.name}: it names data key {key.version}, which the registry never gave out"
                )
            raise self._keys.want(self._need, key, rule)
        try:
            transform = self._transforms.get((rule, key.version))
            if transform is None:
                transform = self._transforms[rule, key.version] = self._transform(rule, known)
            if is_text:
                return str(transform(FieldType.STRING, data.decode())).encode()
            return bytes(transform(FieldType.BYTES, data))
        except Exception as failure:  # noqa: BLE001  # executors and Tink raise many kinds
            raise SealBroken(f"rule {rule.name}: it does not decrypt ({type(failure).__name__})") from None

    def _transform(self, rule: FieldRule, key: DataKey) -> Any:
        """The executor's own way with a field."""
        executor = EncryptionExecutor()
        executor.client, executor.config = cast("Any", key), {}
        ours = Rule.from_dict(json.loads(rule.text))
        nowhere = cast("Any", None)  # for rules that look at topic and headers
        context = RuleContext(
            None, nowhere, None, self._target, self._subjects[0], RuleMode.READ, ours, 0, [ours], None, None
        )
        return functools.partial(executor.new_transform(context).transform, context)


class Wrapped(AeadWrapper):
    """What unwraps data keys, by a client of its own each time."""

    def _get_kms_client(self, config: dict[str, Any], kek_url: str) -> Any:
        return get_kms_driver(kek_url).new_kms_client(config, kek_url)


def version_of(rule: FieldRule, data: bytes, is_text: bool) -> int:
    """The version of the data key: what the field itself says, where keys are rotated. Raises `SealBroken`."""
    if not rule.rotated:
        return 1
    try:
        sealed = base64.b64decode(data) if is_text else data
    except ValueError:
        sealed = b""
    version = int.from_bytes(sealed[1:5], "big")
    if len(sealed) < 5 or sealed[0] != 0 or not 0 < version <= MOST_VERSIONS:
        raise SealBroken(f"rule {rule.name}: it is not encrypted, or names no data key")
    return version


def unwrapped(kek_answer: dict[str, Any], dek_answer: dict[str, Any], rule: FieldRule, secret: str) -> DataKey:
    """The data key that a registry gave, in the clear; what shares its keys gives them so. Raises `KeyOutage`."""
    kek, dek = Kek.from_dict(kek_answer), Dek.from_dict(dek_answer)
    wrapped = dek.get_encrypted_key_material_bytes()
    if wrapped is None:
        raise KeyOutage("key_unknown", f"the registry's data key of {rule.kek} has no key material")
    place = f"{kek.kms_type}://{kek.kms_key_id}"
    meant = f"{rule.kms_type or kek.kms_type}://{rule.kms_key_id or kek.kms_key_id}"
    if meant != place:
        raise KeyOutage("key_other", f"rule {rule.name} says that {rule.kek} is {meant}, and the registry {place}")
    if dek.get_key_material_bytes() is None:
        register(kek)
        wrapper = Wrapped({"secret": secret} if secret else {}, kek)
        dek.set_key_material(bounded(place, lambda: wrapper.decrypt(wrapped, b"")))
    check_material(dek, rule)
    return DataKey(kek, dek)


def check_material(dek: Dek, rule: FieldRule) -> None:
    """Raises `KeyOutage` for what is no key of the rule's algorithm."""
    try:
        Cryptor(DekAlgorithm[rule.algorithm]).encrypt(dek.get_key_material_bytes() or b"", b"", b"")
    except Exception:  # noqa: BLE001  # Tink and protobuf raise many kinds
        words = f"the registry's data key {dek.version} of {rule.kek} is none of {rule.algorithm}, once unwrapped"
        raise KeyOutage("key_other", words) from None


def register(kek: Kek) -> None:
    """Import what speaks to the keeper of this key. Raises `KeyOutage` for one that nobody speaks to."""
    try:
        get_kms_driver(f"{kek.kms_type}://")
    except RuleError:
        driver = DRIVERS.get(kek.kms_type or "")
        if driver is None:
            raise KeyOutage("kms", f"there is no driver for {kek.kms_type}, where {kek.name} is kept") from None
        module, name = driver
        getattr(importlib.import_module(f"{PACKAGE}.{module}"), name).register()


class Place:
    """One keeper of keys: it is asked by one thread at a time; the others wait for their turn."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.thread = threading.Thread()
        self.began = 0.0

    def is_stuck(self) -> bool:
        """Whether what was begun has not come back, and may still."""
        return self.thread.is_alive() and time.monotonic() - self.began < GIVEN_UP


_places: dict[str, Place] = {}
_lock = threading.Lock()


def bounded(name: str, unwrap: Callable[[], bytes]) -> bytes:
    """What it unwraps, if that takes no longer than `PATIENCE`, once it is its turn there. Raises `KeyOutage`."""
    found: list[bytes | Exception] = []

    def work() -> None:
        try:
            found.append(unwrap())
        except Exception as failure:  # noqa: BLE001  # whatever an SDK raises: it goes to who waits
            found.append(failure)

    with _lock:
        place = _places.setdefault(name, Place())
    if place.turn.acquire(timeout=PATIENCE):
        try:
            if not place.is_stuck():
                place.thread = threading.Thread(target=work, name="unwrap", daemon=True)
                place.began = time.monotonic()
                place.thread.start()
                place.thread.join(PATIENCE)
        finally:
            place.turn.release()
    if not found:
        raise KeyOutage("kms", f"{name} gave no answer within {PATIENCE:.0f} s")
    if isinstance(found[0], Exception):
        why = found[0].__cause__ or found[0]
        raise KeyOutage("kms", f"{name} does not unwrap a data key ({type(why).__name__})")
    return found[0]
