"""An int or a long as Avro writes it."""


def varint(number: int) -> bytes:
    """The zigzag varint of a number of at most 64 bits, as `cursor.read_long` reads it."""
    left = (number << 1) ^ (number >> 63)
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)
