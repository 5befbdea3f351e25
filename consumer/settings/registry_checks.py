"""Contradictions among the registry's settings: one way to log in, and all of it; TLS where it is spoken."""

from collections.abc import Iterator, Mapping
from typing import Final

from consumer.settings.sources import Given

USER: Final = "SCHEMA_REGISTRY_USERNAME"
PASSWORD: Final = "SCHEMA_REGISTRY_PASSWORD"  # noqa: S105  # the name of a setting
TOKEN: Final = "SCHEMA_REGISTRY_TOKEN"  # noqa: S105
OAUTH: Final = tuple(f"SCHEMA_REGISTRY_OAUTH_{name}" for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"))
SCOPE: Final = "SCHEMA_REGISTRY_OAUTH_SCOPE"
# Headers that say more of a token.
OF_A_TOKEN: Final = ("SCHEMA_REGISTRY_CLUSTER", "SCHEMA_REGISTRY_IDENTITY_POOL")
CERTIFICATE: Final = "SCHEMA_REGISTRY_CERTIFICATE_LOCATION"
OF_A_CERTIFICATE: Final = ("SCHEMA_REGISTRY_KEY_LOCATION", "SCHEMA_REGISTRY_KEY_PASSWORD")


def registry(values: Mapping[str, object], given: Mapping[str, Given]) -> Iterator[str]:
    """Every contradiction among the registry's settings."""
    yield from login(given)
    yield from tls(values, given)


def login(given: Mapping[str, Given]) -> Iterator[str]:
    """One of three ways to log in, and all of it."""
    for name in (USER, PASSWORD):
        if name in given and TOKEN in given:
            yield f"{TOKEN} and {name} are both given: give a token, or a user and a password"
    if USER in given and PASSWORD not in given:
        yield f"{USER} is given without {PASSWORD}: give both"
    if PASSWORD in given and USER not in given:
        yield f"{PASSWORD} is given without {USER}: give both"
    asked = [name for name in (*OAUTH, SCOPE) if name in given]
    missing = [name for name in OAUTH if name not in given]
    if asked and missing:
        yield f"{asked[0]} is given without {' and '.join(missing)}: give all of {', '.join(OAUTH)}"
    if asked:
        for name in (USER, PASSWORD, TOKEN):
            if name in given:
                yield f"{asked[0]} and {name} are both given: give one way to log in"
    for name in OF_A_TOKEN:
        if name in given and TOKEN not in given and not asked:
            yield f"{name} is given without a token: it needs {TOKEN}, or {', '.join(OAUTH)}"


def tls(values: Mapping[str, object], given: Mapping[str, Given]) -> Iterator[str]:
    """TLS files are given only where TLS is spoken, and a key has its certificate."""
    urls = values["SCHEMA_REGISTRY_URL"]
    addresses = [*(urls if isinstance(urls, tuple) else ()), str(values[OAUTH[0]])]
    if "SCHEMA_REGISTRY_CA_LOCATION" in given and urls and not any(url.startswith("https:") for url in addresses):
        yield "SCHEMA_REGISTRY_CA_LOCATION is given, and no SCHEMA_REGISTRY_URL is https://: leave it out"
    if CERTIFICATE in given and urls and not any(url.startswith("https:") for url in addresses[:-1]):
        yield f"{CERTIFICATE} is given, and no SCHEMA_REGISTRY_URL is https://: leave it out"
    for name in OF_A_CERTIFICATE:
        if name in given and CERTIFICATE not in given:
            yield f"{name} is given without {CERTIFICATE}: give both"
