"""What lets others see a secret or read along: told at the start, and by `check`."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from consumer.settings.checks import Values, effective
from consumer.settings.declared import BY_NAME
from consumer.settings.sources import OPTION, Given

VERIFIES = "enable.ssl.certificate.verification"
NAMES_HOST = "ssl.endpoint.identification.algorithm"


def exposed(values: Values, given: Mapping[str, Given], properties: Mapping[str, str]) -> Iterator[str]:
    """A warning for each: what it is, a colon, and what to do."""
    for name, one in given.items():
        variable = BY_NAME[name]
        if variable.secret and one.origin == OPTION:
            yield (
                f"{name} is given as an option, which every user of the machine can see: "
                f"give it by the environment, or its file by {variable.option}-file"
            )
    protocol = effective(values, properties, "security.protocol").upper()
    if protocol == "SASL_PLAINTEXT":
        yield "KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT, which logs in without encryption: use SASL_SSL"
    if protocol in ("SSL", "SASL_SSL"):
        if properties.get(VERIFIES, "").lower() == "false":
            yield f"{VERIFIES} is false, so anybody can pose as a broker: set KAFKA_SSL_CA_LOCATION instead"
        elif properties.get(NAMES_HOST, "").lower() == "none":
            yield f"{NAMES_HOST} is none, so any certificate of the CA passes for a broker's: set it to https"
    urls = values["SCHEMA_REGISTRY_URL"]
    login = "SCHEMA_REGISTRY_PASSWORD" in given or "SCHEMA_REGISTRY_TOKEN" in given
    for url in urls if isinstance(urls, tuple) else ():
        parts = urlsplit(url)
        if parts.scheme == "http" and (login or parts.password):
            host = parts.netloc.rpartition("@")[2]
            yield f"SCHEMA_REGISTRY_URL http://{host} gets credentials without encryption: use https://"
