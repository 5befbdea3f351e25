"""The writers' schemas as far as they are known: with a decoder, of no use, or to be fetched."""

from typing import Final, final

from consumer.core.clock import NEVER
from consumer.event.decode import Decoder
from consumer.event.errors import UNKNOWN_SCHEMA, VALUE_CONVERTER, Reject
from consumer.event.model import SchemaRef

# How many may be asked for ahead of the records that need them.
MOST_AHEAD: Final = 256
# How long an id that the registry does not know is remembered as unknown, in seconds.
UNKNOWN_FOR: Final = 60.0


@final
class Schemas:
    """What is known of each schema that a record named. `wanted` are those to fetch, each once."""

    __slots__ = ("_asked", "_decoders", "_refused", "ruled", "wanted")

    def __init__(self) -> None:
        self._decoders: dict[SchemaRef, Decoder] = {}
        self._refused: dict[SchemaRef, tuple[str, str, float]] = {}
        self._asked: set[SchemaRef] = set()  # wanted, or being fetched
        self.ruled: set[SchemaRef] = set()  # those with rules that are not run here
        self.wanted: list[SchemaRef] = []

    def decoder(self, ref: SchemaRef, now: float) -> Decoder | None:
        """How to read records of this schema; None where it must be fetched first.

        Raises `Reject` where the schema is known to be of no use. One that no registry knew is asked for again
        after a minute.
        """
        decoder = self._decoders.get(ref)
        if decoder is None:
            refused = self._refused.get(ref)
            if refused is not None:
                reason, detail, until = refused
                if now < until:
                    raise Reject(reason, VALUE_CONVERTER, detail)
                del self._refused[ref]
        return decoder

    def want(self, ref: SchemaRef) -> None:
        """A record waits for this schema."""
        if ref not in self._asked:
            self._asked.add(ref)
            self.wanted.append(ref)

    def want_ahead(self, ref: SchemaRef, now: float) -> None:
        """A record behind one that waits will need this schema: ask at once, if not too many are asked for."""
        if ref in self._decoders or ref in self._asked or len(self._asked) >= MOST_AHEAD:
            return
        refused = self._refused.get(ref)
        if refused is None or now >= refused[2]:
            self.want(ref)

    def take_wanted(self) -> list[SchemaRef]:
        """What is to be fetched now; it counts as asked for."""
        wanted, self.wanted = self.wanted, []
        return wanted

    def known(self, ref: SchemaRef, decoder: Decoder) -> None:
        """Records of this schema can be decoded."""
        self._decoders[ref] = decoder
        self._refused.pop(ref, None)
        self._asked.discard(ref)
        self.ruled.discard(ref)

    def refused(self, ref: SchemaRef, reason: str, detail: str, now: float) -> None:
        """Records of this schema are rejects: for a minute where it is unknown, else for good."""
        until = now + UNKNOWN_FOR if reason == UNKNOWN_SCHEMA else NEVER
        self._refused[ref] = (reason, detail, until)
        self._asked.discard(ref)
        self.ruled.discard(ref)
