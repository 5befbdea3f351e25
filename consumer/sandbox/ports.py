"""Ports on loopback that stay ours while a server is stopped and started again.

They lie below those that the system gives to outgoing connections: a client that knocks at a stopped server's port
from the very same port would be connected to itself, and the server could not have it back.
"""

import random
import socket
from typing import Final

from consumer.sandbox.errors import SandboxError

FIRST: Final = 12_000
LAST: Final = 32_000
HOST: Final = "127.0.0.1"


def free_port() -> int:
    """A port that nothing listens on now. Another process may take it before it is used: bind, and ask again."""
    for _ in range(500):
        port = random.randint(FIRST, LAST)  # processes that start at once must not agree
        if is_free(port):
            return port
    raise SandboxError(f"no port from {FIRST} to {LAST} is free on {HOST}")


def is_free(port: int) -> bool:
    """Whether the port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
