"""Who is believed to be a registry, and who we are to it. Files are read again for each connection."""

import ssl
from collections.abc import Callable
from pathlib import Path

from urllib3.util.ssl_ import create_urllib3_context

from consumer.http.deadline import word_for
from consumer.registry.errors import Outage


class Tls:
    """`ca` are the certificates that the registry is checked by, those of the system where it is empty.

    `certificate` and `key` are what we show it (mutual TLS); an empty `key` stands in the certificate's file.
    """

    def __init__(
        self, ca: str = "", certificate: str = "", key: str = "", key_password: Callable[[], str] = str
    ) -> None:
        self.ca = ca
        self._certificate = certificate
        self._key = key
        self._key_password = key_password

    @property
    def verify(self) -> str | bool:
        """What `requests` takes for it."""
        return self.ca or True

    def for_registry(self) -> ssl.SSLContext:
        """What a connection to the registry is made with. Raises `Outage` for a certificate that cannot be used."""
        context = create_urllib3_context()
        if self._certificate:
            try:
                # Never None, for which OpenSSL would ask the terminal.
                context.load_cert_chain(self._certificate, self._key or None, self._key_password())
            except OSError:
                raise Outage("certificate", self._certificate) from None
        return context

    def word_for(self, failure: Exception) -> str:
        """One word for what went wrong with a request to the registry: a bundle that is not there may be our own."""
        word = word_for(failure)
        return "tls" if word == "ca_bundle" and self.ca else word

    def for_provider(self) -> ssl.SSLContext:
        """What a connection to a provider of tokens is made with: it may have a public certificate or one of `ca`."""
        context = create_urllib3_context()
        if self.ca:
            folder = Path(self.ca).is_dir()
            try:
                context.load_verify_locations(None if folder else self.ca, self.ca if folder else None)
            except OSError:
                raise Outage("certificate", self.ca) from None
        return context
