"""What no setting shows alone: settings that contradict each other, and variables that nobody reads."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from consumer.settings.declared import HOSTS, NAMES
from consumer.settings.properties import SETTING_OF
from consumer.settings.registry_checks import registry
from consumer.settings.sources import Given
from consumer.settings.values import TOPIC

MAX_POLL_INTERVAL_MS: Final = 300_000
# A drain ends this much before the group would give the member up, in seconds.
ROOM: Final = 1.0
# What follows the group's id in the name of the journal's topic.
JOURNAL: Final = ".journal"
# Lets a client show tokens that nobody has signed: for trials.
UNSECURED: Final = "enable.sasl.oauthbearer.unsecure.jwt"

# A variable with one of these is meant for us, whatever follows; any other one where it is nearly a name of ours.
OURS: Final = ("KAFKA_", "SCHEMA_", "MIXPANEL_", "BATCH_", "MAX_", "DRAIN_", "DEAD_LETTER_", "AMBIGUOUS_", "ADD_")
NEARLY: Final = 0.85
SERVICE_LINK: Final = re.compile(r".+(_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")

Values = Mapping[str, object]


def contradictions(
    values: Values, given: Mapping[str, Given], properties: Mapping[str, str], wrong: Collection[str] = ()
) -> list[str]:
    """Every pair of settings that cannot both be meant. What follows of one that is `wrong` by itself is no news."""
    checks = (
        dead_letters(values, given),
        journal(values),
        drain(values, properties),
        twice(given, properties),
        login(values, properties, wrong),
        tls(values, properties, wrong),
        registry(values, given),
        region(values, given),
        account(given),
    )
    return [problem for check in checks for problem in check]


def dead_letters(values: Values, given: Mapping[str, Given]) -> Iterator[str]:
    """The dead-letter topic is a topic, and none that is read."""
    topic, topics = str(values["KAFKA_DEAD_LETTER_TOPIC"]), values["KAFKA_TOPICS"]
    if not TOPIC.fullmatch(topic):
        yield (f'KAFKA_DEAD_LETTER_TOPIC would be "{topic}", from KAFKA_GROUP_ID, which is no topic\'s name: set it')
    if isinstance(topics, tuple) and topic in topics:
        why = "" if "KAFKA_DEAD_LETTER_TOPIC" in given else " (its default, from KAFKA_GROUP_ID)"
        yield (
            f'KAFKA_DEAD_LETTER_TOPIC is "{topic}"{why}, and KAFKA_TOPICS has it too: '
            "a dead letter would be read again for ever. Name a topic that is not read"
        )


def journal(values: Values) -> Iterator[str]:
    """The journal is for those who want an `$add` at most once, and it is a topic that is not read."""
    if values["ADD_JOURNAL"] != "on":
        return
    if values["AMBIGUOUS_ADD"] == "resend":
        yield (
            "ADD_JOURNAL is on, and AMBIGUOUS_ADD is resend, which sends an $add again whatever was announced:"
            " set AMBIGUOUS_ADD to dead-letter, or leave ADD_JOURNAL away"
        )
    topic, topics = f"{values['KAFKA_GROUP_ID']}{JOURNAL}", values["KAFKA_TOPICS"]
    if not TOPIC.fullmatch(topic):
        yield (
            f'the journal of $adds would be "{topic}", from KAFKA_GROUP_ID, which is no topic\'s name:'
            " change KAFKA_GROUP_ID, or set ADD_JOURNAL to off"
        )
    if isinstance(topics, tuple) and topic in topics:
        yield f'KAFKA_TOPICS has "{topic}", which is the journal of $adds: name another topic'


def drain(values: Values, properties: Mapping[str, str]) -> Iterator[str]:
    """A drain ends before the group gives the member up."""
    text = properties.get("max.poll.interval.ms", str(MAX_POLL_INTERVAL_MS))
    timeout = values["DRAIN_TIMEOUT"]
    if not text.isdigit() or not isinstance(timeout, float):
        return
    longest = int(text) / 1000
    if timeout > longest - ROOM:
        yield (
            f"DRAIN_TIMEOUT is {timeout:g}s: allowed is at most {longest - ROOM:g}s, one second less than "
            f"max.poll.interval.ms ({text}), which KAFKA_PROPERTIES_FILE can raise"
        )


def twice(given: Mapping[str, Given], properties: Mapping[str, str]) -> Iterator[str]:
    """No property of the file has its setting set as well."""
    for name, setting in SETTING_OF.items():
        if name in properties and setting in given:
            yield f"{setting} and {name} in KAFKA_PROPERTIES_FILE are both given: give one of them"
    if "sasl.mechanism" in properties and "sasl.mechanisms" in properties:
        yield "sasl.mechanism and sasl.mechanisms in KAFKA_PROPERTIES_FILE are the same property: give one of them"


def login(values: Values, properties: Mapping[str, str], wrong: Collection[str]) -> Iterator[str]:
    """A login has all that it needs, and a protocol that logs in."""
    protocol = effective(values, properties, "security.protocol").upper()
    if "KAFKA_SECURITY_PROTOCOL" in wrong or "KAFKA_SASL_MECHANISM" in wrong:
        return
    mechanism = (
        effective(values, properties, "sasl.mechanism") or effective(values, properties, "sasl.mechanisms")
    ).upper()
    user = effective(values, properties, "sasl.username")
    password = effective(values, properties, "sasl.password")
    if not protocol.startswith("SASL"):
        for name, value in (("MECHANISM", mechanism), ("USERNAME", user), ("PASSWORD", password)):
            if value:
                shown = protocol or "PLAINTEXT, its default"
                yield (
                    f"KAFKA_SASL_{name} is given, and KAFKA_SECURITY_PROTOCOL is {shown}, which does not log in: "
                    "set it to SASL_SSL or SASL_PLAINTEXT"
                )
    elif not mechanism:
        yield f"KAFKA_SECURITY_PROTOCOL is {protocol}, and KAFKA_SASL_MECHANISM is not set: it is required then"
    elif mechanism == "AWS_MSK_IAM":
        if protocol != "SASL_SSL":
            yield f"KAFKA_SECURITY_PROTOCOL is {protocol}, and KAFKA_SASL_MECHANISM AWS_MSK_IAM needs SASL_SSL"
        for name in sorted(name for name in properties if name.startswith("sasl.oauthbearer.")):
            yield f"{name} in KAFKA_PROPERTIES_FILE has no place beside KAFKA_SASL_MECHANISM AWS_MSK_IAM"
    elif mechanism == "OAUTHBEARER":
        ways = ("sasl.oauthbearer.method", "sasl.oauthbearer.metadata.authentication.type")
        if not any(properties.get(way) for way in ways) and properties.get(UNSECURED) != "true":
            yield "KAFKA_SASL_MECHANISM OAUTHBEARER needs sasl.oauthbearer.method=oidc in KAFKA_PROPERTIES_FILE"
    elif mechanism == "PLAIN" or mechanism.startswith("SCRAM"):
        for name, value in (("USERNAME", user), ("PASSWORD", password)):
            if not value:
                yield f"KAFKA_SASL_{name} is not set, and KAFKA_SASL_MECHANISM {mechanism} needs it"


def tls(values: Values, properties: Mapping[str, str], wrong: Collection[str]) -> Iterator[str]:
    """TLS files are given only where TLS is spoken; a certificate has its key."""
    protocol = effective(values, properties, "security.protocol").upper()
    if "KAFKA_SECURITY_PROTOCOL" in wrong:
        return
    names = ("CA_LOCATION", "CERTIFICATE_LOCATION", "KEY_LOCATION", "KEY_PASSWORD")
    if protocol not in ("SSL", "SASL_SSL"):
        for name in names:
            if values[f"KAFKA_SSL_{name}"]:
                shown = protocol or "PLAINTEXT, its default"
                yield (
                    f"KAFKA_SSL_{name} is given, and KAFKA_SECURITY_PROTOCOL is {shown}, which does not use TLS: "
                    "set it to SSL or SASL_SSL"
                )
    certificate = effective(values, properties, "ssl.certificate.location") or properties.get("ssl.certificate.pem")
    key = effective(values, properties, "ssl.key.location") or properties.get("ssl.key.pem")
    if certificate and not key:
        yield "KAFKA_SSL_CERTIFICATE_LOCATION is given without KAFKA_SSL_KEY_LOCATION: the brokers ask for both"
    if key and not certificate:
        yield "KAFKA_SSL_KEY_LOCATION is given without KAFKA_SSL_CERTIFICATE_LOCATION: the brokers ask for both"


def effective(values: Values, properties: Mapping[str, str], name: str) -> str:
    """What the setting or else the file says of the property."""
    return str(values[SETTING_OF[name]] or properties.get(name, ""))


def region(values: Values, given: Mapping[str, Given]) -> Iterator[str]:
    """A region that is set is not contradicted by the host of another one."""
    host = urlsplit(str(values["MIXPANEL_URL"])).hostname
    asked = values["MIXPANEL_REGION"]
    for name, of_region in HOSTS.items():
        if host == of_region and name != asked and "MIXPANEL_REGION" in given and "MIXPANEL_URL" in given:
            yield f'MIXPANEL_REGION is "{asked}", and MIXPANEL_URL is the host of region "{name}": give one of them'


def account(given: Mapping[str, Given]) -> Iterator[str]:
    """A service account has a name and a secret."""
    user, secret = "MIXPANEL_SERVICE_ACCOUNT_USERNAME", "MIXPANEL_SERVICE_ACCOUNT_SECRET"
    if user in given and secret not in given:
        yield f"{user} is given without {secret}: give both"
    if secret in given and user not in given:
        yield f"{secret} is given without {user}: give both"


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """A warning for each variable that looks like ours and is not; one for all service links of Kubernetes."""
    links = []
    for name in sorted(environ):
        if name in NAMES:
            continue
        if SERVICE_LINK.fullmatch(name) or environ[name].startswith(("tcp://", "udp://")):
            if name.startswith(OURS):
                links.append(name)
            continue
        nearest = difflib.get_close_matches(name, NAMES, 1, 0.0 if name.startswith(OURS) else NEARLY)
        if nearest:
            yield f"{name} is not a setting: did you mean {nearest[0]}?"
    if links:
        yield (
            f"{len(links)} variables such as {links[0]} are service links of Kubernetes and no settings: "
            "enableServiceLinks: false keeps them away"
        )
