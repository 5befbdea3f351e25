"""Where the registries are, and how they are asked: URLs, login and TLS."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from consumer.registry.login import Login, basic
from consumer.registry.tls import Tls


class Endpoint:
    """One registry: its URL without credentials, and who signs a request to it."""

    def __init__(self, url: str, login: Login) -> None:
        """Credentials in the URL itself go before `login`, which is for all of them."""
        parts = urlsplit(url.strip())
        host = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self.login = login
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            self.login = basic(user, lambda: password)

    def __repr__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Access:
    """The registries, and what a connection to one of them is made with."""

    endpoints: tuple[Endpoint, ...]
    tls: Tls
