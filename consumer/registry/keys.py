"""The data keys that open encrypted fields: fetched on the registry's threads, kept for as long as the process runs.

    keys = Keys(secret)
    seal = keys.seal(client, need, fetched)   -> what opens records of the schema; None where its rules are not run
    keys.load(client, need)                   -> the keys that records wait for; raises `KeyOutage`

A key that is not here is asked for by the loop, which goes on with other partitions. What decrypts, and what speaks
to AWS, Azure, GCP or Vault, is Confluent's own; it is the extra `rules`, and not imported before a schema needs it.
"""

import importlib.util
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from consumer.avro.errors import IncompatibleSchema
from consumer.avro.rewriting import parts
from consumer.core.errors import KeyWanted
from consumer.core.schemas import Need, schema_of_need
from consumer.core.sealed import Seal
from consumer.registry.client import Fetched, RegistryClient
from consumer.registry.contracts import FieldRule, KeyId, marks
from consumer.registry.errors import KeyOutage, Outage
from consumer.registry.versions import subjects_of, type_of

if TYPE_CHECKING:
    from consumer.registry.encryption import DataKey

UNKNOWN_KEY: Final = 40470
# For how many seconds a registry must not know a key before that is believed, and for how many it then is.
UNKNOWN_AFTER: Final = 5.0
UNKNOWN_FOR: Final = 60.0
# Keys are rotated one by one: a version that is further than this from the newest stands for all of these.
FAR: Final = 10


def installed() -> bool:
    """Whether the extra `rules` is."""
    return importlib.util.find_spec("tink") is not None


def would_be_run(fetched: Fetched) -> bool:
    """Whether its rules for reading are such as the extra runs."""
    return fetched.contract is not None and bool(fetched.contract.field_rules())


def not_run(fetched: Fetched) -> tuple[str, ...]:
    """The names of its rules for reading, where they are not run here."""
    return () if installed() and would_be_run(fetched) else fetched.rules


class Keys:
    """What is had of keys. The loop looks into it and asks; the registry's threads fill it."""

    def __init__(self, secret: Callable[[], str] = str) -> None:
        """`secret` gives that of the local KMS, empty where there is none."""
        self._secret = secret
        self._lock = threading.Lock()
        self.had: dict[KeyId, DataKey] = {}
        self._newest: dict[KeyId, int] = {}  # of a key's versions; by `any_version`
        self._none_until: dict[KeyId, float] = {}  # by `stands_for`, as is the next
        self._unknown_since: dict[KeyId, float] = {}
        self._wanted: dict[Need, dict[KeyId, FieldRule]] = {}

    # On the loop.

    def want(self, need: Need, key: KeyId, rule: FieldRule) -> KeyWanted:
        """A record of this schema waits for the key; what to raise."""
        with self._lock:
            self._wanted.setdefault(need, {})[key] = rule
        return KeyWanted(f"the data key {key.version} of {key.kek} for subject {key.subjects[0]} is not known yet")

    def is_none(self, key: KeyId) -> bool:
        """Whether the registry never gave out this key."""
        return time.monotonic() < self._none_until.get(self._stands_for(key), 0.0)

    # On the registry's threads.

    def seal(self, client: RegistryClient, need: Need, fetched: Fetched) -> Seal | None:
        """What opens the records of this schema; None where its rules are not run here. Raises `Outage`."""
        contract = fetched.contract
        rules = contract.field_rules() if contract is not None and installed() else None
        try:
            writer = type_of(fetched)
        except (IncompatibleSchema, ValueError, RecursionError):
            return None
        if contract is None or not rules:
            return None
        from consumer.registry.encryption import Decryption

        found, chains = marks(writer, contract, rules)
        subjects = client.subjects(schema_of_need(need))
        of_key = need[2] if isinstance(need, tuple) else False

        def opener(topic: str) -> Decryption:
            named = list(subjects_of(topic, writer, of_key=of_key))
            likely = tuple(sorted(named, key=lambda name: name not in subjects))
            return Decryption(self, need, likely, chains, contract)

        return Seal(parts(writer, found), opener)

    def load(self, client: RegistryClient, need: Need) -> None:
        """Get the keys that records of the schema wait for. Raises `KeyOutage` where none of them is had, `Outage`.

        Of two topics that share a schema, one goes on where only the other's key is missing: that one asks again.
        """
        with self._lock:
            wanted = dict(self._wanted.get(need, {}))
        had = 0
        missing: KeyOutage | None = None
        for key, rule in wanted.items():
            try:
                if key not in self.had:
                    self.load_one(client, key, rule)
            except KeyOutage as outage:
                missing = missing or outage
                continue
            had += 1
            with self._lock:
                self._wanted[need].pop(key, None)
        if missing is not None and not had:
            raise missing

    def load_one(self, client: RegistryClient, key: KeyId, rule: FieldRule) -> None:
        """Get this key; none where it is sure that there is none. Raises `KeyOutage`."""
        from consumer.registry.encryption import unwrapped

        try:
            kek = client.found(f"/dek-registry/v1/keks/{quote(key.kek, safe='')}?deleted=true", UNKNOWN_KEY)
            dek = None if kek is None else self._found(client, key)
        except KeyOutage:
            raise
        except Outage as outage:
            raise KeyOutage("key_registry", f"the registry's DEK endpoints: {outage}") from None
        if kek is None:
            raise KeyOutage("key_unknown", f"the registry has no key-encryption key {key.kek}")
        if dek is not None:
            self.had[key] = unwrapped(kek, dek, rule, self._secret())

    def _found(self, client: RegistryClient, key: KeyId) -> dict[str, object] | None:
        """The data key as the first subject has it that does; None where it is sure that there is none."""
        query = f"?algorithm={key.algorithm}&deleted=true"
        for path in key.paths():
            dek = client.found(f"{path}/{key.version}{query}", UNKNOWN_KEY)
            if dek is not None:
                return dek
        newest = max([0, *(number for path in key.paths() for number in client.numbers(path + query, UNKNOWN_KEY))])
        if newest and key.version > newest and self._believed(key, newest):
            return None
        words = f"the registry has no data key {key.version} of {key.kek} for subject {' or '.join(key.subjects)}"
        raise KeyOutage("key_unknown", words)

    def _believed(self, key: KeyId, newest: int) -> bool:
        """Whether it is sure by now that there is no such key: a registry's follower may lag behind."""
        now = time.monotonic()
        with self._lock:
            self._newest[any_version(key)] = newest
            one = self._stands_for(key)
            if now - self._unknown_since.setdefault(one, now) < UNKNOWN_AFTER:
                return False
            if one == key:  # the next of a rotation may come at any time
                self._unknown_since.pop(key)
            self._none_until = {kept: until for kept, until in self._none_until.items() if until > now}
            self._none_until[one] = now + UNKNOWN_FOR
        return True

    def _stands_for(self, key: KeyId) -> KeyId:
        """The key itself; of versions far beyond the newest the one that stands for all, so that few are kept."""
        every = any_version(key)
        newest = self._newest.get(every)
        return every if newest is not None and key.version > newest + FAR else key


def any_version(key: KeyId) -> KeyId:
    """The key, whichever version."""
    return key._replace(version=0)
