"""What a registry may say instead of a schema.

NotRegistered  no registry knows it
Unusable       it is known, and no record of it can be read
Outage         no answer of use: to be asked again
KeyOutage      a data key cannot be had: to be asked for again
"""


class NotRegistered(Exception):
    """Every registry says that it does not know the schema."""


class Unusable(Exception):
    """The registry knows the schema, and it can be of no use: another kind of schema, or too much. `str` says it."""


class Outage(Exception):
    """No answer of use. `cause` is one word for metrics; `url` is where, without credentials."""

    def __init__(self, cause: str, url: str) -> None:
        super().__init__(f"{cause} at {url}")
        self.cause = cause
        self.url = url


class KeyOutage(Outage):
    """A data key cannot be had. `cause` is key_registry (no answer of use), key_unknown, key_other (not the
    one that the rule means) or kms (not unwrapped).

    `words` say it.
    """

    def __init__(self, cause: str, words: str) -> None:
        super().__init__(cause, words)
        self.words = words
