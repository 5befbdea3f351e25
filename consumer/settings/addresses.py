"""Settings that say where something is: servers, hosts and URLs, and how a URL may be shown."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from consumer.settings.values import ValueKind, Wrong

PORTS: Final = {"http": 80, "https": 443}
HOST: Final = re.compile(r"[A-Za-z0-9._:%-]+")
SERVER: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s:/,\[\]]+):(\d{1,5})")


def servers() -> ValueKind[str]:
    """host:port, comma separated, as Kafka clients take it."""

    def read(given: str) -> str:
        addresses = [server.strip() for server in given.split(",")]
        for server in addresses:
            match = SERVER.fullmatch(server)
            if match is None or not 0 < int(match[2]) < 65536:
                raise Wrong("host:port, comma separated, without a scheme, such as kafka-1:9092,kafka-2:9092")
        return ",".join(addresses)

    return ValueKind(read, "HOST:PORT,...", "")


def host() -> ValueKind[str]:
    """An address or a name of this machine."""

    def read(given: str) -> str:
        if HOST.fullmatch(given) is None:
            raise Wrong("an address or a name of this machine, without scheme and port, such as 127.0.0.1 or ::1")
        return given

    return ValueKind(read, "HOST", "")


def url() -> ValueKind[str]:
    """One URL as it is asked, without credentials."""

    def read(given: str) -> str:
        parts = web_address(given, "one http:// or https:// URL without ? or #")
        if parts.username is not None or parts.password is not None:
            raise Wrong("a URL without user name and password")
        return given

    return ValueKind(read, "URL", "")


def urls() -> ValueKind[tuple[str, ...]]:
    """URLs of one service, comma separated; each may carry its own credentials."""

    def read(given: str) -> tuple[str, ...]:
        addresses = tuple(dict.fromkeys(url.strip().rstrip("/") for url in given.split(",")))
        for url in addresses:
            web_address(url, "comma separated http:// or https:// URLs without ? or #")
        return addresses

    return ValueKind(read, "URL,...", (), credentials=True)


def base_url(last: str) -> ValueKind[str]:
    """A URL without credentials, to which requests add the path `last`."""

    def read(given: str) -> str:
        parts = web_address(given, f"one http:// or https:// URL without ? or #; requests go to {{URL}}/{last}")
        if parts.username is not None or parts.password is not None:
            raise Wrong("a URL without user name and password")
        url = given.rstrip("/")
        if url.endswith(f"/{last}"):
            raise Wrong(f"the URL without /{last}, which requests add")
        return url

    return ValueKind(read, "URL", "")


def web_address(given: str, allowed: str) -> SplitResult:
    """The parts of a URL that has a host, and neither query nor fragment."""
    try:
        parts = urlsplit(given)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        raise Wrong(allowed) from None
    if not fits or parts.query or parts.fragment or re.search(r"[\s?#\\]", given):
        raise Wrong(allowed)
    return parts


def server_of(url: str) -> tuple[str, int]:
    """The host and the port of a web address. However it is written, one host without a port is one server."""
    parts = urlsplit(url)
    port = parts.port or PORTS[parts.scheme]
    return (parts.hostname or "").rstrip("."), PORTS["https"] if port == PORTS["http"] else port


def without_credentials(url: str) -> str:
    """The URL as it may be shown."""
    head, at, host = url.rpartition("@")
    return f"{head.partition('://')[0]}://***@{host}" if at else url
