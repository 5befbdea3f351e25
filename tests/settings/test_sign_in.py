"""What changes in the files of the settings is told once it has settled; what is wrong leaves the last good one."""

import pytest

from consumer.kafka.rotation import rotation
from consumer.settings import Settings, load
from consumer.settings.sign_in import SignIn

NEEDED = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "SCHEMA_REGISTRY_URL": "http://registry:8081",
    "MIXPANEL_TOKEN": "0123456789abcdef0123456789abcdef",
}
LOGIN = {"security.protocol": "sasl_ssl", "sasl.mechanisms": "PLAIN", "sasl.username": "u", "sasl.password": "p"}


class Told:
    """A watch that is moved by hand, with what it told."""

    def __init__(self, **settings: str) -> None:
        self.changes: list[tuple[Settings, frozenset[str]]] = []
        self.learnt: list[str] = []
        self.watch = SignIn(load(NEEDED | settings), lambda *change: self.changes.append(change), self.learnt.append)

    def look(self, times: int = 2) -> int:
        """How often something was told so far."""
        for _ in range(times):
            self.watch.look()
        return len(self.changes)


@pytest.fixture
def properties(tmp_path):
    """A properties file with a login."""
    file = tmp_path / "kafka.properties"
    file.write_text("security.protocol=sasl_ssl\nsasl.mechanism=PLAIN\nsasl.username=u\nsasl.password=one\n")
    return file


def test_a_password_is_told_once_it_has_settled(tmp_path):
    """Not at the look that sees it first: it may be half written."""
    file = tmp_path / "password"
    file.write_text("one\n")
    login = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "u"}
    told = Told(KAFKA_SASL_PASSWORD_FILE=str(file), **login)
    assert told.look() == 0
    file.write_text("tw")
    assert told.look(1) == 0
    file.write_text("two\n")
    assert told.look(1) == 0
    assert told.look(1) == 1
    assert told.changes[0][0].kafka_sasl_password == "two"
    assert "two" in told.learnt
    assert told.look(3) == 1


def test_a_secret_that_is_gone_stays_in_force(tmp_path, caplog):
    """An empty or missing file is a warning, and no change."""
    file = tmp_path / "password"
    file.write_text("one\n")
    login = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "u"}
    told = Told(KAFKA_SASL_PASSWORD_FILE=str(file), **login)
    file.unlink()
    assert told.look(4) == 0
    assert caplog.text.count("stays in force") == 1
    file.write_text("two\n")
    assert told.look() == 1


def test_a_certificate_is_told_by_its_file_and_a_link_counts_by_what_it_shows(tmp_path):
    """The link may stay what it is; another time of the same content is no change."""
    (tmp_path / "one").write_text("certificates")
    (tmp_path / "two").write_text("other certificates")
    link = tmp_path / "ca.pem"
    link.symlink_to("one")
    told = Told(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CA_LOCATION=str(link))
    (tmp_path / "one").write_text("certificates")
    assert told.look() == 0
    link.unlink()
    link.symlink_to("two")
    assert told.look() == 1
    assert told.changes[0][1] == {str(link)}
    assert told.look() == 1


def test_properties_are_read_again_and_wrong_ones_are_not_taken(properties, caplog):
    """The line names what is wrong in them, without the secret; the next right ones are taken."""
    told = Told(KAFKA_PROPERTIES_FILE=str(properties))
    right = properties.read_text()
    properties.write_text(right.replace("one", "two-secret") + "no.such.property=1\n")
    told.look()
    assert "no.such.property is no property" in caplog.text
    assert "two-secret" not in caplog.text
    assert all(change[0].kafka_properties["sasl.password"] == "one" for change in told.changes)
    properties.write_text(right.replace("one", "three"))
    told.look()
    assert told.changes[-1][0].kafka_properties["sasl.password"] == "three"
    assert "three" in told.learnt


@pytest.mark.parametrize(
    ("change", "files", "live"),
    [
        ({"sasl.password": "q"}, (), ("u", "q")),
        ({"sasl.username": "v", "sasl.password": "q"}, (), ("v", "q")),
        ({"sasl.mechanisms": "SCRAM-SHA-256"}, (), None),
        ({"ssl.ca.location": "/ca"}, (), None),
        ({"ssl.ca.location": "/ca", "sasl.password": "q"}, ("/ca",), None),
        ({"sasl.oauthbearer.client.secret": "q"}, (), None),
        ({"https.ca.location": "/other"}, (), None),
    ],
)
def test_what_a_client_cannot_take_live_needs_a_new_one(change, files, live):
    """Only user and password are taken by the client that there is."""
    found = rotation(LOGIN | {"linger.ms": 5}, LOGIN | change | {"linger.ms": 7}, files)
    assert found is not None
    assert found.live == live
    assert found.config == LOGIN | change | {"linger.ms": 5}


def test_what_does_not_sign_in_waits_for_the_next_start():
    """Neither other properties nor other files are a reason for anything."""
    assert rotation(LOGIN, LOGIN | {"fetch.min.bytes": 7}, ("/elsewhere",)) is None
    assert rotation(LOGIN | {"ssl.ca.location": "/ca"}, LOGIN | {"ssl.ca.location": "/ca"}, ("/ca",)) is not None
