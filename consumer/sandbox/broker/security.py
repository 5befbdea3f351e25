"""How the sandbox's broker is told to want passwords and certificates: Kafka's properties for it.

The broker keeps a listener of its own without any of it, on loopback, for itself and for what tests look at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

OAUTHBEARER: Final = "OAUTHBEARER"
SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True)
class Security:
    """What clients of the broker need.

    `protocol` is SASL_PLAINTEXT, SASL_SSL or SSL. `users` are names and passwords, the same for every mechanism of
    SASL; with OAUTHBEARER the broker takes every token that is not signed and has not expired, if it has the `scope`
    where one is wanted, and ends the connection with its token. For TLS: `certificate` (with its chain), `key`
    (PKCS#8) and `ca` are files in PEM; with `client_certificates` clients have to show one that `ca` has signed.
    """

    protocol: str
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    mechanisms: tuple[str, ...] = ("PLAIN", *SCRAM)
    scope: str = ""
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    client_certificates: bool = False

    def properties(self, listener: str, folder: Path) -> dict[str, str]:
        """The broker's properties for a listener of this name. Writes its key store into `folder`."""
        properties: dict[str, str] = {}
        if self.protocol.startswith("SASL_"):
            properties |= self._sasl(f"listener.name.{listener.lower()}.")
        if self.protocol.endswith("SSL"):
            properties |= self._tls(f"listener.name.{listener.lower()}.", folder)
        return properties

    def scram(self) -> list[str]:
        """What `StorageTool format` is told, so that the users exist when the broker starts."""
        if not self.protocol.startswith("SASL_"):
            return []
        return [
            argument
            for mechanism in self.mechanisms
            if mechanism in SCRAM
            for name, password in self.users.items()
            for argument in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]

    def _sasl(self, prefix: str) -> dict[str, str]:
        properties = {"sasl.enabled.mechanisms": ",".join(self.mechanisms)}
        properties[f"{prefix}sasl.enabled.mechanisms"] = ",".join(self.mechanisms)
        for mechanism in self.mechanisms:
            module = "scram.ScramLoginModule required;"
            if mechanism == "PLAIN":
                users = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
                module = f"plain.PlainLoginModule required {users};"
            if mechanism == OAUTHBEARER:
                scope = f' unsecuredValidatorRequiredScope="{self.scope}"' if self.scope else ""
                module = f'oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"{scope};'
                properties[f"{prefix}{mechanism.lower()}.connections.max.reauth.ms"] = "3600000"
            key = f"{prefix}{mechanism.lower()}.sasl.jaas.config"
            properties[key] = f"org.apache.kafka.common.security.{module}"
        return properties

    def _tls(self, prefix: str, folder: Path) -> dict[str, str]:
        if self.certificate is None or self.key is None or self.ca is None:
            raise ValueError(f"{self.protocol} needs certificate, key and ca")
        store = folder / "broker.pem"
        store.touch(0o600)
        store.write_bytes(self.key.read_bytes() + b"\n" + self.certificate.read_bytes())
        return {
            f"{prefix}ssl.keystore.type": "PEM",
            f"{prefix}ssl.keystore.location": str(store),
            f"{prefix}ssl.truststore.type": "PEM",
            f"{prefix}ssl.truststore.location": str(self.ca),
            f"{prefix}ssl.client.auth": "required" if self.client_certificates else "none",
        }
