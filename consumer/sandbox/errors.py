"""The one exception of the sandbox: something on this machine keeps it from starting."""


class SandboxError(Exception):
    """The sandbox cannot do what it is asked to; the message says why and what to do, for a person."""
