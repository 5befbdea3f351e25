"""Secrets and certificates are replaced under a running service, as Kubernetes does: used soon, without a restart."""

import time
from datetime import datetime
from pathlib import Path

import pytest

from consumer.sandbox.broker.security import Security
from tests.integration.events import changed
from tests.integration.watching import BACK_WITHIN, until
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
    world.restart_broker()
    until(service.ready, "it is ready", BACK_WITHIN)
    world.send(changed(group, plan="y"), b"garbage")
    world.settled(BACK_WITHIN)
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


def test_mixpanels_token_is_used_without_a_restart(broker, new_world, tmp_path):
    """Each project's own file, under traffic: bad content is told and changes nothing, and nothing is rejected."""
    secret = Mounted(tmp_path / "mixpanel", token=b"first-token\n", other=b"first-other\n")
    projects = tmp_path / "projects.toml"
    projects.write_text(f'[other]\ntoken_file = "{secret / "other"}"\n')
    world = new_world(broker)
    service = world.run(MIXPANEL_TOKEN="", MIXPANEL_TOKEN_FILE=secret / "token", MIXPANEL_PROJECTS_FILE=str(projects))
    numbers = iter(range(10_000))

    def tokens() -> dict[tuple[str, str], int]:
        """The last event of each token and group, after two more events for each project."""
        number = next(numbers)
        world.send(changed("a", last=number), changed("a", project="other", last=number))
        found = world.mixpanel.profiles.snapshot()
        return {(one["token"], one["group_id"]): one["properties"]["last"] for one in found}

    until(lambda: ("first-token", "a") in tokens() and ("first-other", "a") in tokens(), "both arrive")
    secret.swap(token=b"second token\n", other=b"")
    service.said("the file is empty; the token before stays in force", USED_WITHIN)
    assert "second-token" not in str(tokens())
    secret.swap(token=b"second-token\n", other=b"second-other\n")
    until(lambda: ("second-token", "a") in tokens() and ("second-other", "a") in tokens(), "both", USED_WITHIN)
    world.settled()
    for project in ("token", "other"):
        last = tokens()
        assert last[f"second-{project}", "a"] > last[f"first-{project}", "a"]
    assert len(service.lines("has changed, and is used from now on")) == 2
    quiet(service, "first-token", "second-token", "first-other", "second-other", "second token")
    assert service.stop() == 0


def test_a_new_token_ends_a_halt(broker, new_world, tmp_path):
    """The old one was revoked: what waits goes at once with the new one, and in order."""
    secret = Mounted(tmp_path / "mixpanel", token=b"first-token\n")
    world = new_world(broker)
    world.mixpanel.faults.on("status", status=401, token="first-token")
    service = world.run(MIXPANEL_TOKEN="", MIXPANEL_TOKEN_FILE=secret / "token")
    for number in range(20):
        world.send(changed("a", last=number))
    service.said("sending is halted")
    until(lambda: not service.ready(), "it is not ready")
    secret.swap(token=b"second-token\n")
    used = service.said("MIXPANEL_TOKEN_FILE has changed", USED_WITHIN)
    goes_on = service.said("sending goes on")
    assert seconds(goes_on) - seconds(used) < 1.0
    world.settled()
    until(service.ready, "it is ready")
    assert [one["token"] for one in world.mixpanel.profiles.snapshot()] == ["second-token"]
    quiet(service, "first-token", "second-token")
    assert service.stop() == 0


def seconds(line: dict[str, str]) -> float:
    """When a line of the log was written."""
    return datetime.fromisoformat(line["time"]).timestamp()
