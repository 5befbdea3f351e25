"""What a value without Confluent's frame looks like: each registry's own serializer has another one.

Words for a person, with what to set at the producer; nothing is decoded from it, and no byte of the value is told.
"""

from typing import Final

from consumer.event.model import Headers

# AWS Glue: a version, a kind of compression (none, zlib), and the 16 bytes of a schema version's UUID.
GLUE_VERSION: Final = 3
GLUE_COMPRESSIONS: Final = (0, 5)
GLUE_HEADER: Final = 18
# Apicurio's serializer: byte 0 and an id of 8 bytes, or the id in headers of its own.
APICURIO_HEADER: Final = 9
APICURIO_HEADERS: Final = "apicurio.value."

USE_CONFLUENT: Final = "use a serializer that writes Confluent's frame (byte 0 and 4 bytes)"
APICURIO: Final = (
    "set apicurio.registry.as-confluent=true and apicurio.registry.headers.enabled=false at the producer"
)
NOTHING_KNOWN: Final = "the value starts with no schema id (byte 0 and 4 bytes), and there is no schema header"


def has_long_id(value: bytes) -> bool:
    """Whether it begins as Apicurio's frame does: the 4-byte id would be 0, which no registry gives."""
    return len(value) >= APICURIO_HEADER and not any(value[:5]) and any(value[5:APICURIO_HEADER])


def looks_like(value: bytes, headers: Headers | None) -> str:
    """What a value without a frame seems to be, and what to do about it."""
    if has_long_id(value):
        return f"it looks like the frame of Apicurio's serializer (byte 0 and 8 bytes): {APICURIO}"
    for name, _ in headers or ():
        if name.startswith(APICURIO_HEADERS):
            return f"the schema id is in a header of Apicurio's serializer: {APICURIO}"
    if len(value) >= GLUE_HEADER and value[0] == GLUE_VERSION and value[1] in GLUE_COMPRESSIONS:
        return f"it looks like the frame of AWS Glue's serializer (byte 3 and 17 bytes): {USE_CONFLUENT}"
    if value.lstrip()[:1] in (b"{", b"["):
        return f"it looks like plain JSON: {USE_CONFLUENT}, and Avro"
    return NOTHING_KNOWN
