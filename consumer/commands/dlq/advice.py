"""The next step for each reason: what to look at, and whether a replay can help."""

from typing import Final

from consumer.commands.dlq.dead_letter import FOREIGN
from consumer.event import errors

NEXT: Final = {
    errors.NOT_FRAMED: "The producer wrote something without a schema id: have it use a schema registry's serializer,"
    " and produce the event again. A replay cannot help.",
    errors.UNKNOWN_SCHEMA: "Register the schema where SCHEMA_REGISTRY_URL points, or point it to the producer's"
    " registry; then replay.",
    errors.INCOMPATIBLE_SCHEMA: "No record of this schema can be read as a group change: see `schema compatible`."
    " After an upgrade that can read it, replay; else produce the event again.",
    errors.CORRUPT: "The bytes do not decode: look for a proxy or a serializer that changes them. A replay helps only"
    " after an upgrade that can read them.",
    errors.TOMBSTONE: "A null value is no change. To delete a group the producer sends DELETE. A replay cannot help.",
    errors.INVALID_CHANGE: "The change breaks the rules of the event schema: fix the producer, and produce the event"
    " again. A replay cannot help.",
    errors.UNKNOWN_PROJECT: "The settings do not have the change's project: add it to MIXPANEL_PROJECTS_FILE"
    " (MIXPANEL_TOKEN where it names none) and replay, or fix the producer and produce the event again.",
    errors.TOO_LARGE: "Have the producer split the change: at most 255 properties and 1 MB an event. A replay cannot"
    " help.",
    errors.REJECTED: "Read Mixpanel's words. Where the project or Mixpanel was at fault, replay once that is fixed;"
    " else produce a corrected event.",
    errors.AMBIGUOUS_ADD: "Mixpanel may have applied this $add: look at the profile. Where it was not, replay with"
    " --reason ambiguous_add; it is left out otherwise.",
    errors.QUARANTINED: "An operator named it in QUARANTINE. Once the cause is gone, replay with"
    " --reason quarantined, which takes no notice of QUARANTINE; it may have been applied before it was taken out.",
    FOREIGN: "No service of ours wrote this record, so it is not known where it came from. It is never replayed.",
}
HOPELESS: Final = (errors.NOT_FRAMED, errors.TOMBSTONE, errors.INVALID_CHANGE, errors.TOO_LARGE)
"""Reasons that lie in the record alone: the same version of the service refuses it again."""


def next_step(reason: str) -> str:
    """One or two sentences for a person."""
    return NEXT.get(reason, "See docs/dead-letters.md.")
