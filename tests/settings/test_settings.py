"""Settings from options, environment and files: what is taken, what is refused, and all of it said at once."""

import dataclasses
import json
import re

import pytest

from consumer.kafka.refusals import refused_by_client
from consumer.settings import Settings, SettingsError, load
from consumer.settings.declared import VARIABLES

REQUIRED = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "SCHEMA_REGISTRY_URL": "http://registry:8081",
    "MIXPANEL_TOKEN": "t0ken",
}
SECRETS = [variable.name for variable in VARIABLES if variable.secret]


def problems(environ, options=None, need=None):
    """What is wrong with these settings, added to the required ones."""
    with pytest.raises(SettingsError) as refused:
        load(REQUIRED | environ, options, need)
    return refused.value.problems


def test_defaults():
    """With nothing but what is required, every setting has the default of the interface."""
    settings = load(REQUIRED, terminal=False)

    expected = {
        "kafka_topics": ("group-changes",),
        "kafka_group_id": "mixpanel-groups",
        "kafka_dead_letter_topic": "mixpanel-groups.dead-letters",
        "mixpanel_region": "us",
        "mixpanel_url": "https://api.mixpanel.com",
        "mixpanel_timeout": 30.0,
        "batch_max_updates": 2000,
        "batch_max_bytes": 2 * 1024**2,
        "batch_linger": 1.0,
        "max_in_flight": 8,
        "max_open_records": 50_000,
        "max_open_bytes": 64 * 1024**2,
        "drain_timeout": 20.0,
        "fold": True,
        "ambiguous_add": "resend",
        "add_journal": "off",
        "dead_letter_breaker": True,
        "http_port": 8080,
        "log_format": "json",
        "log_level": "info",
        "schema_cache_dir": None,
    }
    assert {name: getattr(settings, name) for name in expected} == expected


def test_one_attribute_for_each_variable():
    """Settings has exactly the variables of the table, and what is made of them."""
    fields = {field.name for field in dataclasses.fields(Settings)}
    made = {"kafka_properties", "projects", "warnings", "given"}
    assert fields == {variable.field for variable in VARIABLES} | made


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("us", "https://api.mixpanel.com"),
        ("eu", "https://api-eu.mixpanel.com"),
        ("in", "https://api-in.mixpanel.com"),
    ],
)
def test_region(region, url):
    """The region chooses the host."""
    assert load(REQUIRED | {"MIXPANEL_REGION": region}).mixpanel_url == url


def test_url_before_region():
    """MIXPANEL_URL overrides the host, and loses the slash at its end."""
    settings = load(REQUIRED | {"MIXPANEL_REGION": "eu", "MIXPANEL_URL": "http://127.0.0.1:8000/proxy/"})
    assert settings.mixpanel_url == "http://127.0.0.1:8000/proxy"


def test_option_before_environment():
    """An option overrides the environment, and the origin says so."""
    settings = load(REQUIRED | {"KAFKA_TOPICS": "a"}, {"KAFKA_TOPICS": "b, c,b"})

    assert settings.kafka_topics == ("b", "c")
    assert [row.origin for row in settings.rows() if row.name == "KAFKA_TOPICS"] == ["option"]


def test_log_for_a_person():
    """On a terminal log lines are text."""
    assert load(REQUIRED, terminal=True).log_format == "text"


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("2s", 2.0), ("1m", 60.0), ("1.5s", 1.5), ("0s", 0.0), ("250ms", 0.25)]
)
def test_durations(text, seconds):
    """Durations take 500ms, 2s and 1m."""
    assert load(REQUIRED | {"BATCH_LINGER": text}).batch_linger == seconds


@pytest.mark.parametrize(("text", "size"), [("512KiB", 524288), ("2MiB", 2097152), ("2000000B", 2000000)])
def test_sizes(text, size):
    """Sizes take 512KiB and 2MiB."""
    assert load(REQUIRED | {"BATCH_MAX_BYTES": text}).batch_max_bytes == size


WRONG = [
    ("KAFKA_BOOTSTRAP_SERVERS", "http://kafka:9092", "host:port"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092,", "host:port"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka:99999", "host:port"),
    ("KAFKA_TOPICS", "a,,b", "comma separated"),
    ("KAFKA_TOPICS", "^a.*", "249 letters"),
    ("KAFKA_TOPICS", "", "unset it for the default, group-changes"),
    ("KAFKA_DEAD_LETTER_TOPIC", "a b", "a topic's name"),
    ("KAFKA_SECURITY_PROTOCOL", "TLS", "one of PLAINTEXT, SSL"),
    ("KAFKA_SASL_MECHANISM", "DIGEST", "one of PLAIN, SCRAM-SHA-256"),
    ("KAFKA_SSL_CA_LOCATION", "/no/such/file", "No such file"),
    ("KAFKA_PROPERTIES_FILE", "/no/such/file", "No such file"),
    ("SCHEMA_REGISTRY_URL", "registry:8081", "http:// or https://"),
    ("SCHEMA_REGISTRY_URL", "http://a:8081,ftp://b", "http:// or https://"),
    ("SCHEMA_REGISTRY_OAUTH_URL", "idp/token", "http:// or https://"),
    ("SCHEMA_REGISTRY_OAUTH_URL", "https://me:word@idp/token", "without user name and password"),
    ("SCHEMA_REGISTRY_CLUSTER", "two words", "printable ASCII"),
    ("SCHEMA_CACHE_DIR", "/etc/passwd", "a folder"),
    ("MIXPANEL_REGION", "de", "one of us, eu, in"),
    ("MIXPANEL_URL", "https://api.mixpanel.com/groups", "without /groups"),
    ("MIXPANEL_URL", "https://api.mixpanel.com/?ip=1", "without ? or #"),
    ("MIXPANEL_URL", "https://u:p@proxy", "without user name"),
    ("MIXPANEL_URL", "https://proxy:99999", "http:// or https://"),
    ("MIXPANEL_TIMEOUT", "0s", "from 100ms to 10m"),
    ("MIXPANEL_TIMEOUT", "30", "500ms, 2s or 1m"),
    ("BATCH_MAX_UPDATES", "2001", "from 1 to 2000"),
    ("BATCH_MAX_UPDATES", "0", "from 1 to 2000"),
    ("BATCH_MAX_UPDATES", "1_000", "from 1 to 2000"),
    ("BATCH_MAX_UPDATES", "\u0663", "from 1 to 2000"),
    ("BATCH_MAX_BYTES", "2MB", "512KiB or 2MiB"),
    ("BATCH_MAX_BYTES", "0.3B", "512KiB or 2MiB"),
    ("BATCH_LINGER", "-1s", "500ms, 2s or 1m"),
    ("BATCH_LINGER", "1 s", "500ms, 2s or 1m"),
    ("BATCH_LINGER", "nans", "500ms, 2s or 1m"),
    ("BATCH_LINGER", "9" * 400 + "s", "500ms, 2s or 1m"),
    ("MAX_IN_FLIGHT", "many", "a whole number"),
    ("FOLD", "true", "on or off"),
    ("AMBIGUOUS_ADD", "drop", "resend, dead-letter"),
    ("ADD_JOURNAL", "maybe", "on, off"),
    ("QUARANTINE", "changes:0", "topic:partition:offset, project:NAME, group:KEY:ID or schema:ID"),
    ("QUARANTINE", "changes:0:1,changes:0:x", "topic:partition:offset, which"),
    ("QUARANTINE", "a b:0:1", "a topic's name"),
    ("QUARANTINE", "project:", "project:NAME, which"),
    ("QUARANTINE", "group:company", "group:KEY:ID, which"),
    ("QUARANTINE", "schema:x", "a number or a GUID, which"),
    ("HTTP_PORT", "tcp://10.1.1.1:80", "enableServiceLinks"),
    ("LOG_FORMAT", "xml", "json, text"),
    ("LOG_LEVEL", "loud", "debug, info"),
]


@pytest.mark.parametrize(("name", "text", "allowed"), WRONG, ids=[f"{name}={text[:20]}" for name, text, _ in WRONG])
def test_wrong_value(name, text, allowed):
    """A wrong value is one error, with the name, the value and what is allowed."""
    (problem,) = problems({name: text})

    assert problem.startswith(f"{name} ")
    assert allowed in problem
    assert not text or text[:100] in problem or "@" in text


def test_all_at_once():
    """Every wrong setting, and every contradiction, is named in one error."""
    found = problems({name: text for name, text, _ in WRONG} | {"SCHEMA_REGISTRY_USERNAME": "u"})
    named = {problem.split()[0] for problem in found}
    assert named >= {name for name, _, _ in WRONG} | {"SCHEMA_REGISTRY_USERNAME"}


def test_option_named():
    """A wrong option is named as such."""
    (problem,) = problems({}, {"FOLD": "maybe"})
    assert problem == 'FOLD (--fold) is "maybe": allowed is on or off'


def test_required():
    """What is required and missing or empty is named; a command needs only what it says that it needs."""
    with pytest.raises(SettingsError) as refused:
        load({"MIXPANEL_TOKEN": ""})
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "KAFKA_BOOTSTRAP_SERVERS is not set",
        "SCHEMA_REGISTRY_URL is not set",
        "MIXPANEL_TOKEN is empty",
    ]
    assert load({}, need=()).kafka_bootstrap_servers == ""
    assert load(
        {"SCHEMA_REGISTRY_URL": "http://a,https://b/"}, need=("SCHEMA_REGISTRY_URL",)
    ).schema_registry_url == (
        "http://a",
        "https://b",
    )


# Secrets.


def test_secret_from_file(tmp_path):
    """A `_FILE` twin reads a secret, without the line break at its end; the origin is the file."""
    file = tmp_path / "token"
    file.write_text("s3cret\r\n")
    environ = {name: text for name, text in REQUIRED.items() if name != "MIXPANEL_TOKEN"}

    settings = load(environ | {"MIXPANEL_TOKEN_FILE": str(file)})

    assert settings.mixpanel_token == "s3cret"
    assert [row.origin for row in settings.rows() if row.name == "MIXPANEL_TOKEN"] == [str(file)]


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_has_a_twin(name, tmp_path):
    """Both a secret and its twin are an error, for every secret."""
    file = tmp_path / "secret"
    file.write_text("x")
    assert any(
        "both given" in problem and name in problem for problem in problems({name: "a", f"{name}_FILE": str(file)})
    )


def test_option_twin_before_environment(tmp_path):
    """A twin given as an option overrides the secret in the environment."""
    file = tmp_path / "token"
    file.write_text("other")
    assert load(REQUIRED, {"MIXPANEL_TOKEN_FILE": str(file)}).mixpanel_token == "other"


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"", "empty"), (b"\n", "empty"), (b"\xff", "not UTF-8"), (b"x" * 70_000, "64 KiB")],
)
def test_bad_secret_file(content, why, tmp_path):
    """A secret's file that cannot be read, is empty or is no secret is named with the reason."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    environ = {name: text for name, text in REQUIRED.items() if name != "MIXPANEL_TOKEN"}
    with pytest.raises(SettingsError) as refused:
        load(environ | {"MIXPANEL_TOKEN_FILE": str(file)})
    (problem,) = refused.value.problems
    assert f'MIXPANEL_TOKEN_FILE is "{file}"' in problem
    assert why in problem


def test_no_secret_shows(tmp_path):
    """No secret is in the repr, in the rows, or in any error."""
    canary = "c4nary c4nary"
    properties = tmp_path / "client.properties"
    properties.write_text(f"sasl.password={canary}\nssl.key.pem={canary}\nsasl.oauthbearer.client.secret={canary}\n")
    environ = dict.fromkeys(SECRETS, canary) | {"KAFKA_PROPERTIES_FILE": str(properties)}
    environ |= {
        "SCHEMA_REGISTRY_URL": f"http://user:{canary.split(maxsplit=1)[0]}@registry",
        "MIXPANEL_URL": "http://u:c4nary@x",
    }

    assert "c4nary" not in "\n".join(problems(environ))

    fine = {
        "MIXPANEL_TOKEN": "c4nary",
        "SCHEMA_REGISTRY_URL": "http://user:c4nary@registry",
        "KAFKA_SASL_PASSWORD": "c4nary",
        "KAFKA_SASL_USERNAME": "user",
        "KAFKA_SASL_MECHANISM": "plain",
        "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
    }
    settings = load(REQUIRED | fine)
    assert "c4nary" not in repr(settings)
    assert "c4nary" not in json.dumps([dataclasses.asdict(row) for row in settings.rows()])
    assert "c4nary" in settings.schema_registry_url[0]


# Contradictions.

OAUTH = {
    "SCHEMA_REGISTRY_OAUTH_URL": "https://idp/token",
    "SCHEMA_REGISTRY_OAUTH_CLIENT_ID": "me",
    "SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET": "s3cret",
}
CONTRADICTIONS = [
    ({"KAFKA_DEAD_LETTER_TOPIC": "group-changes"}, "read again for ever"),
    ({"KAFKA_TOPICS": "a,mixpanel-groups.dead-letters"}, "read again for ever"),
    ({"KAFKA_GROUP_ID": "group with spaces"}, "KAFKA_DEAD_LETTER_TOPIC would be"),
    ({"ADD_JOURNAL": "on"}, "AMBIGUOUS_ADD is resend"),
    ({"AMBIGUOUS_ADD": "dead-letter", "KAFKA_TOPICS": "a,mixpanel-groups.journal"}, "is the journal of $adds"),
    (
        {"AMBIGUOUS_ADD": "dead-letter", "KAFKA_GROUP_ID": "a group", "KAFKA_DEAD_LETTER_TOPIC": "d"},
        "the journal of $adds would be",
    ),
    ({"DRAIN_TIMEOUT": "5m"}, "max.poll.interval.ms (300000)"),
    ({"KAFKA_SASL_USERNAME": "u"}, "PLAINTEXT, its default, which does not log in"),
    ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_MECHANISM is not set"),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "AWS_MSK_IAM"},
        "KAFKA_SASL_MECHANISM AWS_MSK_IAM needs SASL_SSL",
    ),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"},
        "KAFKA_SASL_MECHANISM OAUTHBEARER needs sasl.oauthbearer.method=oidc in KAFKA_PROPERTIES_FILE",
    ),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "u"},
        "KAFKA_SASL_PASSWORD is not set",
    ),
    ({"KAFKA_SSL_CA_LOCATION": __file__}, "does not use TLS"),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEY_LOCATION": __file__},
        "without KAFKA_SSL_CERTIFICATE_LOCATION",
    ),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTIFICATE_LOCATION": __file__},
        "without KAFKA_SSL_KEY_LOCATION",
    ),
    ({"SCHEMA_REGISTRY_USERNAME": "u"}, "without SCHEMA_REGISTRY_PASSWORD"),
    ({"SCHEMA_REGISTRY_PASSWORD": "p"}, "without SCHEMA_REGISTRY_USERNAME"),
    ({"SCHEMA_REGISTRY_CA_LOCATION": __file__}, "no SCHEMA_REGISTRY_URL is https://"),
    ({"SCHEMA_REGISTRY_CERTIFICATE_LOCATION": __file__}, "no SCHEMA_REGISTRY_URL is https://"),
    ({"SCHEMA_REGISTRY_KEY_LOCATION": __file__}, "without SCHEMA_REGISTRY_CERTIFICATE_LOCATION"),
    ({"SCHEMA_REGISTRY_KEY_PASSWORD": "p"}, "without SCHEMA_REGISTRY_CERTIFICATE_LOCATION"),
    ({"SCHEMA_REGISTRY_OAUTH_URL": "https://idp"}, "CLIENT_ID and SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET: give all of"),
    (
        {"SCHEMA_REGISTRY_OAUTH_SCOPE": "read"},
        "SCHEMA_REGISTRY_OAUTH_SCOPE is given without SCHEMA_REGISTRY_OAUTH_URL",
    ),
    ({**OAUTH, "SCHEMA_REGISTRY_TOKEN": "t"}, "SCHEMA_REGISTRY_TOKEN are both given: give one way to log in"),
    ({"SCHEMA_REGISTRY_CLUSTER": "lsrc-1"}, "SCHEMA_REGISTRY_CLUSTER is given without a token"),
    ({"SCHEMA_REGISTRY_IDENTITY_POOL": "pool-1"}, "SCHEMA_REGISTRY_IDENTITY_POOL is given without a token"),
    ({"MIXPANEL_REGION": "eu", "MIXPANEL_URL": "https://api.mixpanel.com"}, 'host of region "us"'),
]


@pytest.mark.parametrize(("environ", "why"), CONTRADICTIONS, ids=[" ".join(environ) for environ, _ in CONTRADICTIONS])
def test_contradiction(environ, why):
    """Settings that cannot both be meant are one error that says why."""
    (problem,) = problems(environ)
    assert why in problem


def test_token_and_user():
    """A token contradicts a user and a password."""
    environ = {"SCHEMA_REGISTRY_TOKEN": "t", "SCHEMA_REGISTRY_USERNAME": "u", "SCHEMA_REGISTRY_PASSWORD": "p"}
    assert len(problems(environ)) == 2


def test_a_provider_of_tokens():
    """Client credentials are one way to log in, with what Confluent Cloud wants beside a token."""
    more = {"SCHEMA_REGISTRY_CLUSTER": "lsrc-1", "SCHEMA_REGISTRY_IDENTITY_POOL": "pool-1"}
    settings = load(REQUIRED | OAUTH | more)
    assert settings.schema_registry_oauth_client_secret == "s3cret"
    assert "s3cret" not in repr(settings)
    assert {row.value for row in settings.rows() if row.name.endswith("CLIENT_SECRET")} == {"********"}


def test_tls_files_that_hold_no_certificate():
    """What only librdkafka can tell, it is asked before anything starts."""
    settings = load(REQUIRED | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": __file__})
    (problem,) = refused_by_client(settings)
    assert "the Kafka client refuses the settings: ssl.ca.location" in problem


# Variables that nobody reads.


def test_unknown_variables():
    """A variable with one of our prefixes that is no setting is a warning with the nearest name."""
    environ = {
        "KAFKA_TOPIC": "a",
        "MIXPANEL_TOKN": "a",
        "MAX_INFLIGHT": "1",
        "LOG_LEVL": "debug",
        "DRAIN_TIME_OUT": "1s",
        "DEADLETTER_BREAKER": "off",
    }
    assert [warning.split(": ")[1] for warning in load(REQUIRED | environ).warnings] == [
        "did you mean DEAD_LETTER_BREAKER?",
        "did you mean DRAIN_TIMEOUT?",
        "did you mean KAFKA_TOPICS?",
        "did you mean LOG_LEVEL?",
        "did you mean MAX_IN_FLIGHT?",
        "did you mean MIXPANEL_TOKEN?",
    ]


def test_variables_of_others():
    """What others use is no business of ours."""
    environ = {"HTTP_PROXY": "http://proxy", "PATH": "/bin", "LOGNAME": "me", "LOG_DIR": "1", "FOLDER": "x"}
    assert load(REQUIRED | environ).warnings == ()


def test_service_links():
    """Kubernetes' service links are one quiet line, however many they are."""
    links = {
        "KAFKA_PORT": "tcp://10.0.0.1:9092",
        "KAFKA_SERVICE_HOST": "10.0.0.1",
        "KAFKA_SERVICE_PORT": "9092",
        "KAFKA_SERVICE_PORT_CLIENT": "9092",
        "KAFKA_PORT_9092_TCP": "tcp://10.0.0.1:9092",
        "KAFKA_PORT_9092_TCP_ADDR": "10.0.0.1",
        "SCHEMA_REGISTRY_SERVICE_HOST": "10.0.0.2",
        "POSTGRES_SERVICE_HOST": "10.0.0.3",
    }
    (warning,) = load(REQUIRED | links).warnings
    assert warning.startswith("7 variables such as KAFKA_PORT are service links")


def test_the_journal():
    """It is on where an ambiguous $add is a dead letter, unless it is turned off; its topic is named by the group."""
    assert load(REQUIRED).journal_topic == ""
    strict = load(REQUIRED | {"AMBIGUOUS_ADD": "dead-letter", "KAFKA_GROUP_ID": "g"})
    assert (strict.add_journal, strict.journal_topic) == ("on", "g.journal")
    assert load(REQUIRED | {"AMBIGUOUS_ADD": "dead-letter", "ADD_JOURNAL": "off"}).journal_topic == ""


def test_quarantine():
    """Each form; the ID of a group is all after the second colon, and a backslash keeps its comma."""
    guid = "3B241101-E2BB-4255-8CAF-4136C566A962"
    text = f"changes:0:17, project:crm,group:company:a:b\\,c,schema:42,schema:{guid},"
    named = load(REQUIRED | {"QUARANTINE": text}).quarantine
    assert named.places == {("changes", 0, 17)}
    assert named.projects == {"crm"}
    assert named.groups == {("company", "a:b,c")}
    assert named.schemas == {42, guid.lower()}
    assert not load(REQUIRED).quarantine


def test_every_wrong_entry_of_quarantine_is_named_at_once():
    """In one error, each with the form that it was to have; what is right is not."""
    (error,) = problems({"QUARANTINE": "changes:0,ok:0:1,project:,group:company,schema:x,a b:0:1"})
    for form, entry in (
        ("schema:ID", "changes:0"),
        ("project:NAME", "project:"),
        ("group:KEY:ID", "group:company"),
        ("a number or a GUID", "schema:x"),
        ("a topic's name", "a b:0:1"),
    ):
        assert re.search(rf'{form}[^;]*, which the entry "{entry}" is not', error), error
    assert 'the entry "ok:0:1"' not in error
    (error,) = problems({"QUARANTINE": ",".join(f"changes:{number}" for number in range(30))})
    assert "; and 10 more" in error


def test_spaces_between_entries_of_quarantine():
    """They are no part of an entry, but of a group's id, which may end in one."""
    named = load(REQUIRED | {"QUARANTINE": " changes:0:17 , project:crm , group:company:a , schema:42 "}).quarantine
    assert named.places == {("changes", 0, 17)}
    assert (named.projects, named.schemas) == (frozenset({"crm"}), frozenset({42}))
    assert named.groups == {("company", "a ")}


def test_quarantine_from_a_file(tmp_path):
    """One entry a line, as it stands; a problem names the setting."""
    file = tmp_path / "quarantine"
    file.write_text("group:company:a,b\n\ngroup:company:c\\,d\\\nchanges:0:17\r\n")
    settings = load(REQUIRED | {"QUARANTINE_FILE": str(file)})
    assert settings.quarantine.groups == {("company", "a,b"), ("company", "c\\,d\\")}
    assert settings.quarantine.places == {("changes", 0, 17)}
    assert [row.origin for row in settings.rows() if row.name == "QUARANTINE"] == [str(file)]
    file.write_text("schema:x")
    assert "QUARANTINE" in problems({"QUARANTINE_FILE": str(file)})[0]


@pytest.mark.parametrize(
    "environ",
    [
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "GSSAPI"},
        {"KAFKA_SECURITY_PROTOCOL": "SASLSSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SSL_KEY_PASSWORD": "p"},
    ],
)
def test_what_follows_of_a_wrong_setting_is_no_second_problem(environ):
    """A mechanism that is unknown is not one that is not set."""
    given = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "http://r", "MIXPANEL_TOKEN": "t"}
    login = {"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "p"}
    with pytest.raises(SettingsError) as wrong:
        load(given | login | environ)
    assert len(wrong.value.problems) == 1
