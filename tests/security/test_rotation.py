"""Secrets and certificates are replaced under a running service, as Kubernetes does: used soon, without a restart."""

import time
from pathlib import Path

import pytest

from consumer.sandbox.broker.security import Security
from tests.integration.events import changed
from tests.integration.watching import until
from tests.security.test_kafka import PASSWORD, USER, sasl, works

USED_WITHIN = 30.0


class Mounted:
    """A Secret as a volume: files that are links through `..data`, which is swapped as a whole."""

    def __init__(self, folder: Path, **content: bytes) -> None:
        self.folder = folder
        self.folder.mkdir()
        self._count = 0
        self.swap(**content)
        for name in content:
            (folder / name).symlink_to(Path("..data") / name)

    def swap(self, **content: bytes) -> None:
        """Another content, at once."""
        self._count += 1
        version = self.folder / f"..{self._count}"
        version.mkdir()
        for name, text in content.items():
            (version / name).write_bytes(text)
        link = self.folder / "..new"
        link.symlink_to(version.name)
        link.rename(self.folder / "..data")

    def __truediv__(self, name: str) -> str:
        return str(self.folder / name)


def restarted(world, service, group: str) -> None:
    """After a restart of the broker, which ends every connection, the service works."""
    world.broker.restart()
    until(service.ready, "it is ready", 60)
    world.send(changed(group, plan="y"), b"garbage")
    world.settled()
    assert world.profile(group) == {"plan": "y"}


def quiet(service, *secrets: str) -> None:
    """It never ended, nothing was rejected but the test's own garbage, and no secret is in its log."""
    assert service.running
    assert service.metric("dead_letters_total") == service.metric("dead_letters_total", reason="not_framed")
    for secret in secrets:
        assert not service.lines(secret)


@pytest.fixture
def certificates(new_certificates):
    """The broker's authority."""
    return new_certificates()


@pytest.mark.parametrize("where", ["secret", "properties"])
def test_a_password_is_used_for_the_next_connection(new_broker, certificates, new_world, tmp_path, where):
    """No rebalance, no new client: what is connected stays so, and the next login has the new password."""
    security = Security(
        "SASL_SSL",
        users={USER: PASSWORD},
        certificate=certificates.server_certificate,
        key=certificates.server_key,
        ca=certificates.ca,
    )
    world = new_world(new_broker(security=security))

    def content(password: str) -> bytes:
        lines = f"sasl.username={USER}\nsasl.password={password}\n"
        return f"{password}\n".encode() if where == "secret" else lines.encode()

    secret = Mounted(tmp_path / "secret", it=content(PASSWORD))
    settings = sasl(certificates, "SCRAM-SHA-256")
    del settings["KAFKA_SASL_PASSWORD"]
    if where == "secret":
        settings["KAFKA_SASL_PASSWORD_FILE"] = secret / "it"
    else:
        del settings["KAFKA_SASL_USERNAME"]
        settings["KAFKA_PROPERTIES_FILE"] = secret / "it"
    service = world.run(**settings)
    works(world)
    world.broker.set_password(USER, "second-password")
    secret.swap(it=content("second-password"))
    service.said("the consumer's next connections use them", USED_WITHIN)
    assert len(service.lines("partitions revoked")) == 0
    restarted(world, service, "b")
    quiet(service, "second-password", PASSWORD)
    assert not service.lines("refused the credentials")
    assert service.stop() == 0


def test_a_certificate_is_used_by_a_new_client(new_broker, certificates, new_certificates, new_world, tmp_path):
    """The client before is drained and leaves; a certificate that does not fit its key changes nothing."""
    stranger = new_certificates()
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(certificates.ca.read_bytes() + stranger.ca.read_bytes())
    security = Security(
        "SSL",
        certificate=certificates.server_certificate,
        key=certificates.server_key,
        ca=trusted,
        client_certificates=True,
    )
    world = new_world(new_broker(security=security))

    def pair(certificate, key) -> dict[str, bytes]:
        return {"crt": certificate.client_certificate.read_bytes(), "key": key.client_key.read_bytes()}

    client = Mounted(tmp_path / "client", **pair(certificates, certificates))
    service = world.run(
        KAFKA_SECURITY_PROTOCOL="SSL",
        KAFKA_SSL_CA_LOCATION=str(certificates.ca),
        KAFKA_SSL_CERTIFICATE_LOCATION=client / "crt",
        KAFKA_SSL_KEY_LOCATION=client / "key",
    )
    works(world)
    client.swap(**pair(stranger, certificates))
    service.said("no consumer yet: the Kafka client refuses the settings", USED_WITHIN)
    world.send(changed("b", plan="x"))
    world.settled()
    began = time.monotonic()
    client.swap(**pair(stranger, stranger))
    assert len(service.lines("partitions revoked")) == 0
    service.said("partitions revoked", USED_WITHIN)
    until(service.ready, "it is ready")
    assert time.monotonic() - began < USED_WITHIN
    for number in range(20):
        world.send(changed("c", last=number))
    world.settled()
    assert world.profile("c") == {"last": 19}
    security.ca.write_bytes(stranger.ca.read_bytes())  # from now on only the new one is let in
    restarted(world, service, "d")
    quiet(service)
    assert service.stop() == 0


def test_a_certificate_changes_under_traffic(new_broker, certificates, new_certificates, new_world, tmp_path):
    """Two instances, each of which gets a new client while events arrive: each is applied once and in order."""
    stranger = new_certificates()
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(certificates.ca.read_bytes() + stranger.ca.read_bytes())
    security = Security(
        "SSL",
        certificate=certificates.server_certificate,
        key=certificates.server_key,
        ca=trusted,
        client_certificates=True,
    )
    world = new_world(new_broker(security=security))
    client = Mounted(
        tmp_path / "client",
        crt=certificates.client_certificate.read_bytes(),
        key=certificates.client_key.read_bytes(),
    )
    settings = {
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_SSL_CA_LOCATION": str(certificates.ca),
        "KAFKA_SSL_CERTIFICATE_LOCATION": client / "crt",
        "KAFKA_SSL_KEY_LOCATION": client / "key",
    }
    services = [world.run(**settings) for _ in range(2)]
    groups = ("a", "b", "c", "d")
    numbers = iter(range(10_000))
    sent = 0

    def changed_everywhere() -> bool:
        nonlocal sent
        sent = next(numbers) + 1
        world.count(groups, range(sent - 1, sent))
        return all(service.lines("a new consumer is made") and service.ready() for service in services) and all(
            service.metric("rebalances_total", kind="assigned") >= 2 for service in services
        )

    client.swap(crt=stranger.client_certificate.read_bytes(), key=stranger.client_key.read_bytes())
    until(changed_everywhere, "both have a new client", 90)
    world.settled()
    for group in groups:
        assert world.profile(group) == {"count": sent, "last": sent - 1}
        assert world.in_order(group)
    for service in services:
        quiet(service)
        assert service.stop() == 0
