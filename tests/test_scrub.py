"""The secrets of the settings, taken out of what others wrote."""

import pytest

from consumer.settings import load
from consumer.settings.scrub import Scrubber


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
