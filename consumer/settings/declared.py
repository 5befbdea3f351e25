"""Every variable, once: its name, what it takes, its default, and what it means."""

from dataclasses import dataclass
from typing import Final

from consumer.settings.quarantine import quarantine
from consumer.settings.values import (
    Kind,
    base_url,
    choice,
    duration,
    file,
    file_or_folder,
    flag,
    folder,
    project_id,
    servers,
    size,
    text,
    token,
    topic,
    topics,
    url,
    urls,
    whole,
)

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM")
HOSTS: Final = {"us": "api.mixpanel.com", "eu": "api-eu.mixpanel.com", "in": "api-in.mixpanel.com"}
QUERY_HOSTS: Final = {"us": "mixpanel.com", "eu": "eu.mixpanel.com", "in": "in.mixpanel.com"}
FILE_TWIN: Final = "_FILE"


def level(given: str) -> str:
    """A log level's name in its own way of writing: other programs say warn."""
    return "warning" if given.lower() == "warn" else given.lower()


@dataclass(frozen=True)
class Variable:
    """One setting. `default` is text, empty where leaving it out means none; `rule` says how another fills it in.

    A `lines` one can be a file with an entry a line.
    """

    name: str
    kind: Kind
    default: str
    meaning: str
    required: bool = False
    secret: bool = False
    rule: str = ""
    lines: bool = False

    @property
    def twin(self) -> bool:
        """Whether `NAME_FILE` can name a file that holds it."""
        return self.secret or self.lines

    @property
    def field(self) -> str:
        """Its attribute of `Settings`."""
        return self.name.lower()

    @property
    def option(self) -> str:
        """Its command-line option."""
        return "--" + self.name.lower().replace("_", "-")


VARIABLES: Final = (
    Variable("KAFKA_BOOTSTRAP_SERVERS", servers(), "", "Brokers to start from: host:port list", required=True),
    Variable("KAFKA_TOPICS", topics(), "group-changes", "Topics to read, comma separated"),
    Variable(
        "KAFKA_GROUP_ID",
        text(),
        "mixpanel-groups",
        "Consumer group; where it has committed nothing it starts at the earliest record",
    ),
    Variable(
        "KAFKA_DEAD_LETTER_TOPIC",
        topic(),
        "",
        "Topic of the records that cannot be applied; without it a reject blocks",
        rule="{group id}.dead-letters",
    ),
    Variable(
        "KAFKA_SECURITY_PROTOCOL",
        choice(*PROTOCOLS, fold=str.upper),
        "",
        "How to talk to the brokers",
        rule="PLAINTEXT",
    ),
    Variable("KAFKA_SASL_MECHANISM", choice(*MECHANISMS, fold=str.upper), "", "How to log in to the brokers"),
    Variable("KAFKA_SASL_USERNAME", text(), "", "User name for PLAIN and SCRAM"),
    Variable("KAFKA_SASL_PASSWORD", text(), "", "Password for PLAIN and SCRAM", secret=True),
    Variable("KAFKA_SSL_CA_LOCATION", file_or_folder(), "", "CA certificates (PEM) that the brokers are checked by"),
    Variable("KAFKA_SSL_CERTIFICATE_LOCATION", file(), "", "Client certificate (PEM) for mutual TLS"),
    Variable("KAFKA_SSL_KEY_LOCATION", file(), "", "Private key (PEM) of the client certificate"),
    Variable("KAFKA_SSL_KEY_PASSWORD", text(), "", "Password of the private key", secret=True),
    Variable("KAFKA_PROPERTIES_FILE", file(), "", "key=value lines: librdkafka properties beyond these settings"),
    Variable("SCHEMA_REGISTRY_URL", urls(), "", "Schema registries, comma separated", required=True),
    Variable("SCHEMA_REGISTRY_USERNAME", text(), "", "User name for the registry"),
    Variable("SCHEMA_REGISTRY_PASSWORD", text(), "", "Password for the registry", secret=True),
    Variable("SCHEMA_REGISTRY_TOKEN", token(), "", "Bearer token for the registry, in place of a user", secret=True),
    Variable("SCHEMA_REGISTRY_CA_LOCATION", file_or_folder(), "", "CA certificates (PEM) for the registry"),
    Variable(
        "SCHEMA_REGISTRY_CERTIFICATE_LOCATION",
        file(),
        "",
        "Client certificate (PEM) for mutual TLS",
    ),
    Variable("SCHEMA_REGISTRY_KEY_LOCATION", file(), "", "Private key (PEM) of that certificate; empty: in its file"),
    Variable("SCHEMA_REGISTRY_KEY_PASSWORD", text(), "", "Password of that private key", secret=True),
    Variable("SCHEMA_REGISTRY_OAUTH_URL", url(), "", "Where tokens for the registry are had (client credentials)"),
    Variable("SCHEMA_REGISTRY_OAUTH_CLIENT_ID", text(), "", "Client id for that"),
    Variable("SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET", text(), "", "Client secret for that", secret=True),
    Variable("SCHEMA_REGISTRY_OAUTH_SCOPE", text(), "", "Scope that is asked for, where the provider wants one"),
    Variable("SCHEMA_REGISTRY_CLUSTER", token(), "", "Confluent Cloud, with a token: the registry (lsrc-...)"),
    Variable("SCHEMA_REGISTRY_IDENTITY_POOL", token(), "", "Confluent Cloud, with a token: the pool (pool-...)"),
    Variable(
        "SCHEMA_RULES",
        choice("hold", "ignore"),
        "hold",
        "A schema with rules for reading holds its partition; ignore: it is read as it is",
    ),
    Variable("SCHEMA_CACHE_DIR", folder(), "", "Folder that keeps schemas over a restart in a registry outage"),
    Variable("MIXPANEL_TOKEN", token(), "", "Project token", required=True, secret=True),
    Variable(
        "MIXPANEL_PROJECTS_FILE",
        file(),
        "",
        "TOML: a table for each project that events can name; MIXPANEL_TOKEN, the default one's, is optional then",
    ),
    Variable("MIXPANEL_REGION", choice(*HOSTS), "us", "Where the project's data lives: us, eu or in"),
    Variable(
        "MIXPANEL_URL",
        base_url("groups"),
        "",
        "Overrides the region's host, for a proxy or the sandbox",
        rule="from the region",
    ),
    Variable("MIXPANEL_TIMEOUT", duration("100ms", "10m"), "30s", "Of one request, connecting to last byte"),
    Variable("MIXPANEL_PROJECT_ID", project_id(), "", "The project's number; only for reading profiles back"),
    Variable(
        "MIXPANEL_SERVICE_ACCOUNT_USERNAME",
        text(),
        "",
        "Service account that may read the project: for `check --canary` and `verify`",
    ),
    Variable("MIXPANEL_SERVICE_ACCOUNT_SECRET", text(), "", "Its secret", secret=True),
    Variable(
        "MIXPANEL_QUERY_URL",
        base_url("api/query/engage"),
        "",
        "Overrides the host of the Query API, for a proxy or the sandbox",
        rule="from the region",
    ),
    Variable("BATCH_MAX_UPDATES", whole(1, 2000), "2000", "Updates in one request; Mixpanel takes 2000"),
    Variable("BATCH_MAX_BYTES", size("1KiB", "10MiB"), "2MiB", "Bytes of one request's body"),
    Variable("BATCH_LINGER", duration("0s", "5m"), "1s", "How long a record may wait for a fuller batch"),
    Variable("MAX_IN_FLIGHT", whole(1, 256), "8", "Requests at once"),
    Variable("MAX_OPEN_RECORDS", whole(1, 10_000_000), "50000", "Records read and not settled"),
    Variable("MAX_OPEN_BYTES", size("64KiB", "64GiB"), "64MiB", "Their bytes"),
    Variable("DRAIN_TIMEOUT", duration("100ms", "1h"), "20s", "What a stop and a revoke may take"),
    Variable("FOLD", flag(), "on", "Fold a group's waiting changes; off: every event is an update of its own"),
    Variable("AMBIGUOUS_ADD", choice("resend", "dead-letter"), "resend", "An $add whose request had no clear answer"),
    Variable("DEAD_LETTER_BREAKER", flag(), "on", "A flood of rejects pauses the service; off: it never does"),
    Variable(
        "QUARANTINE",
        quarantine(),
        "",
        "What becomes a dead letter: topic:partition:offset, project:NAME, group:KEY:ID, schema:ID; `\\,` is a comma",
        lines=True,
    ),
    Variable("HTTP_PORT", whole(0, 65535), "8080", "For /metrics, /livez, /readyz and /status; 0: any free port"),
    Variable(
        "LOG_FORMAT",
        choice("json", "text"),
        "",
        "How log lines look",
        rule="json outside a terminal, else text",
    ),
    Variable("LOG_LEVEL", choice("debug", "info", "warning", "error", fold=level), "info", "Least level logged"),
)
BY_NAME: Final = {variable.name: variable for variable in VARIABLES}
NAMES: Final = tuple(
    name
    for variable in VARIABLES
    for name in ((variable.name, variable.name + FILE_TWIN) if variable.twin else (variable.name,))
)
