"""The secrets of the settings, taken out of what others wrote."""

import pytest

from consumer.settings import SettingsError, load
from consumer.settings.scrub import MOST_LEARNT, Scrubber


@pytest.mark.parametrize(
    ("secret", "text", "left"),
    [
        ("0123456789abcdef", "token 0123456789abcdef is", "token ******** is"),
        ("0123456789abcdef", "x0123456789abcdefx", "x********x"),
        ("pass word/1", "https://u:pass%20word%2F1@h and pass%20word/1", "https://u:********@h and ********"),
        ('with"quote\\s', '{"error": "with\\"quote\\\\s"}', '{"error": "********"}'),
        ("schlüssel", 'schlüssel, "schl\\u00fcssel"', '********, "********"'),
        ("a.b.c.d.e", "aXbXcXdXe a.b.c.d.e", "aXbXcXdXe ********"),
        ("token", "the token is a tokens token_", "the ******** is a tokens token_"),
    ],
)
def test_a_secret_is_taken_out_however_it_is_written(secret, text, left):
    """As it is, in JSON, in a URL; a short one only as a word, since it may be a part of any."""
    assert Scrubber([secret])(text) == left


def test_the_longer_of_two_secrets_is_taken_out_whole():
    """Nothing of it is left over."""
    assert Scrubber(["secret-one", "secret-one-and-more"])("secret-one-and-more secret-one") == "******** ********"


def test_a_secret_that_came_later_is_taken_out_beside_those_before():
    """What is under way may still have the old one; of very many only the last are kept."""
    scrub = Scrubber(["secret-one"])
    scrub.learn("secret-two")
    scrub.learn("")
    assert scrub("secret-one secret-two three") == "******** ******** three"
    for number in range(MOST_LEARNT):
        scrub.learn(f"secret-number-{number}")
    assert scrub("secret-one secret-two secret-number-0 secret-number-99") == "******** secret-two ******** ********"


def test_without_secrets_nothing_changes():
    """An empty one is no secret."""
    assert Scrubber(["", ""])("text") == "text"


def test_all_secrets_of_the_settings_are_known(tmp_path):
    """Those of variables, of the properties file, and of the registry's URL."""
    file = tmp_path / "kafka.properties"
    file.write_text("ssl.keystore.password=of-the-keystore\nsasl.oauthbearer.extensions=logicalCluster=lkc\n")
    settings = load(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "k:1",
            "KAFKA_PROPERTIES_FILE": str(file),
            "SCHEMA_REGISTRY_URL": "http://u:of%20the-url@r",
            "MIXPANEL_TOKEN": "of-mixpanel",
        }
    )
    expected = {"of-mixpanel", "of-the-keystore", "logicalCluster=lkc", "of%20the-url", "of the-url"}
    assert set(settings.secrets()) == expected


@pytest.mark.parametrize(
    ("environ", "options", "words"),
    [
        ({}, {"MIXPANEL_TOKEN": "t"}, "--mixpanel-token-file"),
        ({"SCHEMA_REGISTRY_URL": "http://u:secret-word@r"}, {}, "SCHEMA_REGISTRY_URL http://r gets credentials"),
    ],
)
def test_what_others_can_see_is_told(environ, options, words):
    """At the start and by `check`, without the secret."""
    given = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "http://r", "MIXPANEL_TOKEN": "t"}
    if options:
        del given["MIXPANEL_TOKEN"]
    (warning,) = load(given | environ, options).warnings
    assert words in warning
    assert "secret-word" not in warning


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("enable.ssl.certificate.verification=false", "pose as a broker"),
        ("ssl.endpoint.identification.algorithm=none", "any certificate"),
        ("ssl.endpoint.identification.algorithm=", "any certificate"),  # as Java's clients say none
    ],
)
def test_an_unverified_connection_is_told(tmp_path, lines, words):
    """TLS that anybody can stand in the middle of."""
    file = tmp_path / "p"
    file.write_text(f"security.protocol=SSL\n{lines}\n")
    given = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "http://r", "MIXPANEL_TOKEN": "t"}
    (warning,) = load(given | {"KAFKA_PROPERTIES_FILE": str(file)}).warnings
    assert words in warning


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://proxy.internal", True),
        ("http://10.0.0.1:8080", True),
        ("https://proxy.internal", False),
        ("http://localhost:8080", False),
        ("http://127.0.0.1", False),
        ("http://[::1]:80", False),
    ],
)
def test_updates_without_encryption_to_another_machine_are_told(tmp_path, url, told):
    """MIXPANEL_URL, and a named project's, with the setting's name."""
    given = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "http://r", "MIXPANEL_TOKEN": "t"}
    file = tmp_path / "projects.toml"
    file.write_text(f'[emea]\ntoken = "e"\nurl = "{url}"\n')
    for more, name in (({"MIXPANEL_URL": url}, "MIXPANEL_URL"), ({"MIXPANEL_PROJECTS_FILE": str(file)}, "[emea]")):
        warnings = load(given | more).warnings
        assert [name in warning and url in warning for warning in warnings] == [True] * told


@pytest.mark.parametrize(("token", "words"), [("'t'", "quotes"), ("t\n", "line break at its end"), (" t", "blanks")])
def test_what_is_wrong_with_a_token_is_said(token, words):
    """No server verifies it, so it is looked at here; it is not shown."""
    given = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "http://r", "MIXPANEL_TOKEN": token}
    with pytest.raises(SettingsError, match=words):
        load(given)


def test_a_level_as_other_programs_write_it():
    """LOG_LEVEL=WARN."""
    given = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "http://r", "MIXPANEL_TOKEN": "t"}
    assert load(given | {"LOG_LEVEL": "WARN"}).log_level == "warning"
