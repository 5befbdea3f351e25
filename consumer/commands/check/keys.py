"""What `check` finds of the keys of encrypted fields: are they in the registry, and does their keeper unwrap them?"""

from typing import Final

from consumer.commands.check.facts import Fact, fault, warning
from consumer.registry.advice import advice
from consumer.registry.client import Fetched, RegistryClient
from consumer.registry.configured import access, keys
from consumer.registry.contracts import KeyId
from consumer.registry.errors import KeyOutage
from consumer.settings import Settings

TIMEOUT: Final = 10.0
NEWEST: Final = -1


def key_fact(settings: Settings, what: str, place: str, subject: str, fetched: Fetched) -> Fact | None:
    """Why records of this schema would be held; None where every key is had that its newest record needs.

    Without any key yet nothing has been encrypted, which is no fault.
    """
    ours = keys(settings)
    client = RegistryClient(access(settings), TIMEOUT)
    rules = (fetched.contract.field_rules() if fetched.contract is not None else None) or ()
    for rule in rules:
        version = NEWEST if rule.rotated else 1
        try:
            ours.load_one(client, KeyId(rule.kek, (subject,), rule.algorithm, version), rule)
        except KeyOutage as outage:
            say = warning if outage.cause == "key_unknown" else fault
            words = f"{place}: rule {rule.name} cannot be run, and its records would hold their partition"
            return say(what, f"{words}: {outage.words}", advice(outage.cause))
    return None
