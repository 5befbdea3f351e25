"""The broker wants a password, a certificate, or both."""

import pytest

from consumer.sandbox.broker.security import Security
from tests.integration.events import changed
from tests.integration.watching import BACK_WITHIN, until

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
USER, PASSWORD = "service", "right-password"


def works(world) -> None:
    """The service reads, sends, writes a dead letter and commits."""
    world.send(changed("a", plan="x"), b"garbage")
    world.settled()
    assert world.profile("a") == {"plan": "x"}
    assert len(world.letters(1)) == 1


def not_ready(service, *words: str) -> None:
    """It lives, says what is wrong, and is not ready."""
    for word in words:
        line = service.said(
            word, 90
        )  # an idle client may notice that its broker is gone only by its session time-out
        assert line["level"] in ("warning", "error"), line
    until(lambda: service.reasons() == ["no broker is connected"], "it is not ready")
    assert service.get("/livez")[0] == 200
    assert service.running


def sasl(certificates, mechanism: str, password: str = PASSWORD) -> dict[str, str]:
    """The settings for a login over TLS."""
    return {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": mechanism,
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": password,
        "KAFKA_SSL_CA_LOCATION": str(certificates.ca),
    }


@pytest.fixture
def certificates(new_certificates):
    """The broker's authority."""
    return new_certificates()


@pytest.fixture
def login_broker(new_broker, certificates):
    """A broker that wants a login over TLS."""
    security = Security(
        "SASL_SSL",
        users={USER: PASSWORD},
        certificate=certificates.server_certificate,
        key=certificates.server_key,
        ca=certificates.ca,
    )
    return new_broker(security=security)


def test_a_login_over_tls_works_by_every_mechanism(login_broker, certificates, new_world):
    """PLAIN and both SCRAMs: the consumer, the dead letters and the commits all log in."""
    for mechanism in MECHANISMS:
        world = new_world(login_broker, name=mechanism)
        service = world.run(**sasl(certificates, mechanism))
        world.mixpanel.profiles.__init__()
        works(world)
        assert service.stop() == 0


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_told_and_waited_for(login_broker, certificates, new_world, mechanism):
    """The line names the setting, nothing crashes; and where the broker's side is fixed the service goes on."""
    world = new_world(login_broker)
    service = world.run(ready=False, **sasl(certificates, mechanism, "wrong-password"))
    not_ready(service, "KAFKA_SASL_PASSWORD")
    assert not service.lines("wrong-password")
    if mechanism != "PLAIN":
        login_broker.set_password(USER, "wrong-password")
        until(service.ready, "it is ready")
        works(world)
        assert service.lines("kafka: well again")
    assert service.stop() == 0


def test_a_rotated_password_is_told_when_it_is_needed(login_broker, certificates, new_world):
    """Changed under a running service: at the next login it is not ready and says why; put right, it goes on."""
    world = new_world(login_broker)
    service = world.run(**sasl(certificates, "SCRAM-SHA-256"))
    works(world)
    login_broker.set_password(USER, "another-password")
    world.restart_broker()
    not_ready(service, "KAFKA_SASL_PASSWORD")
    login_broker.set_password(USER, PASSWORD)
    until(service.ready, "it is ready", BACK_WITHIN)
    world.send(changed("a", plan="y"))
    world.settled()
    assert world.profile("a") == {"plan": "y"}


def test_a_broker_of_an_unknown_authority_is_refused(
    login_broker, certificates, new_certificates, new_world, tmp_path
):
    """The password goes to nobody whose certificate is not trusted; with the right authority it goes on by itself."""
    world = new_world(login_broker)
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(new_certificates().ca.read_bytes())
    service = world.run(ready=False, **(sasl(certificates, "PLAIN") | {"KAFKA_SSL_CA_LOCATION": str(trusted)}))
    not_ready(service, "KAFKA_SSL_CA_LOCATION")
    trusted.write_bytes(certificates.ca.read_bytes())
    until(service.ready, "it is ready", 60)
    works(world)
    assert service.metric("dead_letters_total") == 1  # garbage, to see that these can be written


def test_a_certificate_of_another_host_is_refused(new_broker, new_world, tmp_path):
    """The authority is right, the name is not: refused."""
    import trustme
    from cryptography.hazmat.primitives import serialization as pem

    authority = trustme.CA()
    leaf = authority.issue_cert("elsewhere.example")
    key = pem.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    files = {"ca": authority.cert_pem.bytes(), "certificate": leaf.cert_chain_pems[0].bytes()}
    files["key"] = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    places = {name: tmp_path / name for name in files}
    world = new_world(new_broker(security=Security("SSL", **places)))
    settings = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": str(places["ca"])}
    service = world.run(ready=False, **settings)
    not_ready(service, "KAFKA_SSL_CA_LOCATION")


def test_a_client_certificate_lets_in(new_broker, certificates, new_certificates, new_world):
    """Mutual TLS: with the right certificate all works; without one, or with a stranger's, nothing does."""
    security = Security(
        "SSL",
        certificate=certificates.server_certificate,
        key=certificates.server_key,
        ca=certificates.ca,
        client_certificates=True,
    )
    world = new_world(new_broker(security=security))
    settings = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": str(certificates.ca)}
    nobody = world.run(ready=False, **settings)
    not_ready(nobody, "KAFKA_SSL_CERTIFICATE_LOCATION")
    stranger = new_certificates()
    shown = {
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(stranger.client_certificate),
        "KAFKA_SSL_KEY_LOCATION": str(stranger.client_key),
    }
    unknown = world.run(ready=False, **settings, **shown)
    not_ready(unknown, "KAFKA_SSL_CERTIFICATE_LOCATION")
    assert nobody.stop() == unknown.stop() == 0
    shown = {
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(certificates.client_certificate),
        "KAFKA_SSL_KEY_LOCATION": str(certificates.client_key),
    }
    world.run(**settings, **shown)
    works(world)
