"""Every setting, once: its name and type, what it takes, its default, and what it means."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumer.settings.addresses import base_url, host, servers, url, urls
from consumer.settings.amounts import duration, size
from consumer.settings.quarantine import QuarantineEntries, quarantine
from consumer.settings.values import (
    choice,
    file,
    file_or_folder,
    flag,
    folder,
    project_id,
    text,
    token,
    topic,
    topics,
    whole,
)
from consumer.settings.variable import FILE_TWIN, setting, variables

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM")
HOSTS: Final = {"us": "api.mixpanel.com", "eu": "api-eu.mixpanel.com", "in": "api-in.mixpanel.com"}
QUERY_HOSTS: Final = {"us": "mixpanel.com", "eu": "eu.mixpanel.com", "in": "in.mixpanel.com"}


def level(given: str) -> str:
    """A log level's name in its own way of writing: other programs say warn."""
    return "warning" if given.lower() == "warn" else given.lower()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One attribute for each variable: times in seconds, sizes in bytes, an empty text where there is none."""

    kafka_bootstrap_servers: str = setting(servers(), "", "Brokers to start from: host:port list", required=True)
    kafka_topics: tuple[str, ...] = setting(topics(), "group-changes", "Topics to read, comma separated")
    kafka_group_id: str = setting(
        text(), "mixpanel-groups", "Consumer group; where it has committed nothing it starts at the earliest record"
    )
    kafka_dead_letter_topic: str = setting(
        topic(),
        "",
        "Topic of the records that cannot be applied; without it a reject blocks",
        rule="{group id}.dead-letters",
    )
    kafka_security_protocol: str = setting(
        choice(*PROTOCOLS, fold=str.upper), "", "How to talk to the brokers", rule="PLAINTEXT"
    )
    kafka_sasl_mechanism: str = setting(choice(*MECHANISMS, fold=str.upper), "", "How to log in to the brokers")
    kafka_sasl_username: str = setting(text(), "", "User name for PLAIN and SCRAM")
    kafka_sasl_password: str = setting(text(), "", "Password for PLAIN and SCRAM", secret=True)
    kafka_ssl_ca_location: str = setting(
        file_or_folder(), "", "CA certificates (PEM) that the brokers are checked by"
    )
    kafka_ssl_certificate_location: str = setting(file(), "", "Client certificate (PEM) for mutual TLS")
    kafka_ssl_key_location: str = setting(file(), "", "Private key (PEM) of the client certificate")
    kafka_ssl_key_password: str = setting(text(), "", "Password of the private key", secret=True)
    kafka_properties_file: str = setting(file(), "", "key=value lines: librdkafka properties beyond these settings")
    schema_registry_url: tuple[str, ...] = setting(urls(), "", "Schema registries, comma separated", required=True)
    schema_registry_username: str = setting(text(), "", "User name for the registry")
    schema_registry_password: str = setting(text(), "", "Password for the registry", secret=True)
    schema_registry_token: str = setting(
        token(), "", "Bearer token for the registry, in place of a user", secret=True
    )
    schema_registry_ca_location: str = setting(file_or_folder(), "", "CA certificates (PEM) for the registry")
    schema_registry_certificate_location: str = setting(file(), "", "Client certificate (PEM) for mutual TLS")
    schema_registry_key_location: str = setting(
        file(), "", "Private key (PEM) of that certificate; empty: in its file"
    )
    schema_registry_key_password: str = setting(text(), "", "Password of that private key", secret=True)
    schema_registry_oauth_url: str = setting(url(), "", "Where tokens for the registry are had (client credentials)")
    schema_registry_oauth_client_id: str = setting(text(), "", "Client id for that")
    schema_registry_oauth_client_secret: str = setting(text(), "", "Client secret for that", secret=True)
    schema_registry_oauth_scope: str = setting(text(), "", "Scope that is asked for, where the provider wants one")
    schema_registry_cluster: str = setting(token(), "", "Confluent Cloud, with a token: the registry (lsrc-...)")
    schema_registry_identity_pool: str = setting(token(), "", "Confluent Cloud, with a token: the pool (pool-...)")
    schema_rules: str = setting(
        choice("hold", "ignore"),
        "hold",
        "A schema with rules for reading that are not run holds its partition; ignore: it is read as it is",
    )
    schema_rules_local_secret: str = setting(
        text(), "", "Secret of Confluent's local KMS, where fields were encrypted by it", secret=True
    )
    schema_cache_dir: Path | None = setting(
        folder(), "", "Folder that keeps schemas over a restart in a registry outage"
    )
    mixpanel_token: str = setting(token(), "", "Project token", required=True, secret=True)
    mixpanel_projects_file: str = setting(
        file(),
        "",
        "TOML: a table for each project that events can name; MIXPANEL_TOKEN, the default one's, is optional then",
    )
    mixpanel_region: str = setting(choice(*HOSTS), "us", "Where the project's data lives: us, eu or in")
    mixpanel_url: str = setting(
        base_url("groups"), "", "Overrides the region's host, for a proxy or the sandbox", rule="from the region"
    )
    mixpanel_timeout: float = setting(duration("100ms", "10m"), "30s", "Of one request, connecting to last byte")
    mixpanel_project_id: str = setting(project_id(), "", "The project's number; only for reading profiles back")
    mixpanel_service_account_username: str = setting(
        text(), "", "Service account that may read the project: for `check --canary` and `verify`"
    )
    mixpanel_service_account_secret: str = setting(text(), "", "Its secret", secret=True)
    mixpanel_query_url: str = setting(
        base_url("api/query/engage"),
        "",
        "Overrides the host of the Query API, for a proxy or the sandbox",
        rule="from the region",
    )
    mapping_file: str = setting(
        file(),
        "",
        "TOML: how records of your own topics become updates; other topics carry the event",
    )
    mapping_hash_key: str = setting(text(), "", 'The secret of as = "hash" in the mapping file', secret=True)
    batch_max_updates: int = setting(whole(1, 2000), "2000", "Updates in one request; Mixpanel takes 2000")
    batch_max_bytes: int = setting(size("1KiB", "10MiB"), "2MiB", "Bytes of one request's body")
    batch_linger: float = setting(duration("0s", "5m"), "1s", "How long a record may wait for a fuller batch")
    max_in_flight: int = setting(whole(1, 256), "8", "Requests at once")
    max_open_records: int = setting(whole(1, 10_000_000), "50000", "Records read and not settled")
    max_open_bytes: int = setting(size("64KiB", "64GiB"), "64MiB", "Their bytes")
    drain_timeout: float = setting(duration("100ms", "1h"), "20s", "What a stop and a revoke may take")
    fold: bool = setting(flag(), "on", "Fold a group's waiting changes; off: every event is an update of its own")
    ambiguous_add: str = setting(
        choice("resend", "dead-letter"), "resend", "An $add whose request had no clear answer"
    )
    add_journal: str = setting(
        choice("on", "off"),
        "",
        "Announce each $add in the topic {group id}.journal before it is sent: at most once through a crash",
        rule="on where AMBIGUOUS_ADD is dead-letter",
    )
    dead_letter_breaker: bool = setting(flag(), "on", "A flood of rejects pauses the service; off: it never does")
    quarantine: QuarantineEntries = setting(
        quarantine(),
        "",
        "What becomes a dead letter: topic:partition:offset, project:NAME, group:KEY:ID, schema:ID; `\\,` is a comma",
        lines=True,
    )
    http_port: int = setting(whole(0, 65535), "8080", "For /metrics, /livez, /readyz and /status; 0: any free port")
    http_host: str = setting(host(), "", "Address or name that it listens at", rule="all addresses")
    log_format: str = setting(
        choice("json", "text"), "", "How log lines look", rule="json outside a terminal, else text"
    )
    log_level: str = setting(choice("debug", "info", "warning", "error", fold=level), "info", "Least level logged")


VARIABLES: Final = variables(Declared)
BY_NAME: Final = {variable.name: variable for variable in VARIABLES}
NAMES: Final = tuple(
    name
    for variable in VARIABLES
    for name in ((variable.name, variable.name + FILE_TWIN) if variable.twin else (variable.name,))
)
