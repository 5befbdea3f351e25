"""What lets others see a secret or read along: told at the start, and by `check`."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from consumer.event.model import DEFAULT
from consumer.settings.checks import Values, effective
from consumer.settings.declared import BY_NAME
from consumer.settings.projects import Project
from consumer.settings.sources import OPTION, Given

VERIFIES = "enable.ssl.certificate.verification"
NAMES_HOST = "ssl.endpoint.identification.algorithm"


def exposed(
    values: Values, given: Mapping[str, Given], properties: Mapping[str, str], projects: Iterable[Project]
) -> Iterator[str]:
    """A warning for each: what it is, a colon, and what to do."""
    for name, setting in given.items():
        variable = BY_NAME[name]
        if variable.secret and setting.origin == OPTION:
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
    accounts = "MIXPANEL_SERVICE_ACCOUNT_SECRET" in given
    query = str(values["MIXPANEL_QUERY_URL"])
    for project in projects:
        reads = project.read_back
        accounts |= reads is not None and reads.query_url == query and bool(reads.service_account_secret)
        if readable(project.url):
            where = (
                "MIXPANEL_URL" if project.name == DEFAULT else f"url of [{project.name}] in MIXPANEL_PROJECTS_FILE"
            )
            yield f"{where} {project.url} gets the token and all data without encryption: use https://"
    if readable(query) and accounts:
        yield f"MIXPANEL_QUERY_URL {query} gets the service account's secret without encryption: use https://"
    urls = values["SCHEMA_REGISTRY_URL"]
    login = "SCHEMA_REGISTRY_PASSWORD" in given or "SCHEMA_REGISTRY_TOKEN" in given
    for url in urls if isinstance(urls, tuple) else ():
        parts = urlsplit(url)
        if parts.scheme == "http" and (login or parts.password):
            host = parts.netloc.rpartition("@")[2]
            yield f"SCHEMA_REGISTRY_URL http://{host} gets credentials without encryption: use https://"


def readable(url: str) -> bool:
    """Whether others can read what is sent there: http to another machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True
