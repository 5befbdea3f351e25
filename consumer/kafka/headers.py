"""The headers of a message, as far as the client can give them.

It turns every name into text, and fails at the first that is not UTF-8; asked again, it gives its half-made list: the
pair of such a header has no name in it, and to index or unpack that pair ends the process. What a pair refers to can
be asked without touching it.
"""

import gc
from operator import methodcaller
from typing import Any

from consumer.event.model import Headers

# Called so, since a call that the interpreter has specialized does not see the client's error, and the next one does.
_read = methodcaller("headers")


def headers_of(message: Any) -> tuple[Headers | None, int]:
    """Name and value of each header that the client can give, in order; and how many it cannot."""
    try:
        return _read(message), 0
    except (SystemError, UnicodeDecodeError):
        pairs = _read(message)
    whole: Headers = [pair for pair in pairs if len(gc.get_referents(pair)) == 2]
    return whole, len(pairs) - len(whole)
