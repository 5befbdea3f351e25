"""The broker wants tokens: those of Amazon MSK's IAM, which we ask for, and those of OIDC, which librdkafka does.

AWS's package is replaced by one that says what the sandbox's broker takes; the tokens that the real one signs are
looked at in tests/kafka/test_msk.py.
"""

import json
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from consumer.sandbox.broker.security import Security
from consumer.sandbox.identity import IdentitySandbox, token
from tests.integration.events import changed
from tests.integration.service import CODE
from tests.integration.watching import until
from tests.security.test_kafka import not_ready, works

SIGNER = """
    import json, time
    from pathlib import Path
    from consumer.sandbox.identity import token

    PLACE = Path(__file__).with_name("token.json")
    def generate_auth_token(region):
        assert region == "eu-west-1", region
        said = json.loads(PLACE.read_text())
        with PLACE.with_name("asked").open("a") as asked:
            asked.write("x")
        if "raises" in said:
            raise ConnectionError(said["raises"])
        return token("service", said["life"] if said["good"] else -60), (time.time() + said["life"]) * 1000
"""


class Aws:
    """A stand-in for AWS's package: what it gives is in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "aws_msk_iam_sasl_signer"
        self.folder.mkdir(parents=True)
        (self.folder / "__init__.py").write_text("")
        self.live(3600)
        (self.folder / "MSKAuthTokenProvider.py").write_text(textwrap.dedent(SIGNER))

    @property
    def settings(self) -> dict[str, str]:
        """Of a service that uses it."""
        return {"PYTHONPATH": f"{self.folder.parent}:{CODE}", "AWS_REGION": "eu-west-1"}

    def live(self, life: float, good: bool = True) -> None:
        """Give tokens of so many seconds; `good` ones are taken by the broker."""
        self._say({"life": life, "good": good})

    def be_away(self) -> None:
        """Have no credentials to give; the failure has a secret in it."""
        self._say({"raises": "secret-of-aws"})

    def asked(self) -> int:
        """How many tokens were asked for."""
        file = self.folder / "asked"
        return len(file.read_text()) if file.exists() else 0

    def _say(self, said: dict[str, object]) -> None:
        made = self.folder / "token.json.new"
        made.write_text(json.dumps(said))
        made.rename(self.folder / "token.json")


@pytest.fixture
def certificates(new_certificates):
    """The broker's authority."""
    return new_certificates()


@pytest.fixture
def token_broker(new_broker, certificates):
    """Brokers that want a token over TLS: token_broker(scope=...)."""

    def make(**more):
        security = Security(
            "SASL_SSL",
            mechanisms=("OAUTHBEARER",),
            certificate=certificates.server_certificate,
            key=certificates.server_key,
            ca=certificates.ca,
            **more,
        )
        return new_broker(security=security)

    return make


@pytest.fixture
def aws(tmp_path):
    """A stand-in for AWS's package."""
    return Aws(tmp_path / "packages")


def msk(aws, certificates) -> dict[str, str]:
    """The settings for a login by IAM."""
    return aws.settings | {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "AWS_MSK_IAM",
        "LOG_LEVEL": "debug",
        "KAFKA_SSL_CA_LOCATION": str(certificates.ca),
    }


def told_nothing(service) -> None:
    """No token and no secret is in what it puts out, debugging or not."""
    shown = service.log_file.read_text() + service.get("/metrics")[1] + service.get("/readyz")[1]
    for mark in (token("service", 1)[:20], "secret-of-aws", "right-secret", "second-secret"):
        assert mark not in shown


def tool(world, settings, *command: str) -> subprocess.CompletedProcess[str]:
    """One of the commands, with the settings of the service."""
    environ = {"PYTHONPATH": CODE, "PYTHONDONTWRITEBYTECODE": "1", **world.settings, **settings}
    return subprocess.run(
        [sys.executable, "-P", "-m", "consumer", *command], env=environ, capture_output=True, text=True, timeout=120
    )


def test_tokens_are_renewed_while_the_service_reads_and_while_it_waits(token_broker, certificates, new_world, aws):
    """A token lives for six seconds, and its connection no longer: for fifteen nobody is turned away."""
    aws.live(6)
    world = new_world(token_broker())
    service = world.run(**msk(aws, certificates))
    works(world)
    end = time.monotonic() + 15
    until(lambda: time.monotonic() > end, "three tokens have expired", 20)
    assert aws.asked() >= 6  # of the consumer and of the dead-letter producer
    world.send(changed("b", plan="y"), b"garbage")
    world.settled()
    assert world.profile("b") == {"plan": "y"}
    assert len(world.letters(2)) == 2
    assert not service.lines("refused the token")
    told_nothing(service)
    assert service.stop() == 0


def test_the_tools_log_in_by_iam(token_broker, certificates, new_world, aws):
    """`check`, `dlq list`, `dlq replay` and `produce` show tokens of their own; without one they say why."""
    world = new_world(token_broker())
    settings = msk(aws, certificates)
    service = world.run(**settings)
    works(world)
    checked = tool(world, settings, "check", "--output", "json")
    facts = {fact["what"]: fact for fact in json.loads(checked.stdout)["facts"]}
    assert facts["brokers"]["detail"] == "1 broker over SASL_SSL, AWS_MSK_IAM"
    listed = tool(world, settings, "dlq", "list", "--output", "json")
    assert json.loads(listed.stdout)["letters"] == 1, listed
    assert tool(world, settings, "dlq", "replay", "--yes").returncode in (0, 1)
    assert tool(world, settings, "produce", "--generate", "3").returncode == 0
    assert service.stop() == 0
    aws.be_away()
    for command in (["check"], ["dlq", "list"], ["produce", "--generate", "1"]):
        done = tool(world, settings, *command)
        assert done.returncode == 1, command
        said = " ".join((done.stdout + done.stderr).split())
        assert token("service", 1)[:20] not in said
        assert "no token to log in with: AWS gives no credentials: ConnectionError" in said
        assert "secret-of-aws" not in done.stdout + done.stderr


def test_credentials_that_are_away_are_waited_for(token_broker, certificates, new_world, aws):
    """From the start on: live, not ready, one line says what is missing; with credentials it begins by itself."""
    aws.be_away()
    world = new_world(token_broker())
    service = world.run(ready=False, **msk(aws, certificates))
    not_ready(service, "AWS gives no credentials: ConnectionError", "KAFKA_SASL_MECHANISM")
    aws.live(6)
    until(service.ready, "it is ready")
    works(world)
    aws.be_away()  # under way: what it has holds for its time, and then it waits
    service.said("no token to log in with: check KAFKA_SASL_MECHANISM", 60)
    aws.live(6)
    service.said("there are tokens again", 60)
    world.send(changed("b", plan="y"))
    world.settled()
    assert service.metric("dead_letters_total") == 1
    told_nothing(service)
    assert service.stop() == 0


def test_a_token_that_the_broker_refuses_is_told(token_broker, certificates, new_world, aws):
    """The line names the setting, and that it was the broker; with a better one the service goes on."""
    aws.live(6, good=False)
    world = new_world(token_broker())
    service = world.run(ready=False, **msk(aws, certificates))
    not_ready(service, "the broker refused the token: check KAFKA_SASL_MECHANISM")
    aws.live(6)
    until(service.ready, "it is ready")
    works(world)
    told_nothing(service)


PAGE = Path(__file__).parents[2] / "docs/sign-in.md"
(OIDC,) = re.findall(r"```properties\n(sasl.oauthbearer.method.*?)```", PAGE.read_text(), re.DOTALL)


def oidc(certificates, file: Path, url: str, secret: str = "right-secret") -> dict[str, str]:
    """The settings for a login by OIDC, as docs/sign-in.md has them."""
    text = OIDC.replace("https://PROVIDER/oauth2/token", url).replace("CLIENT_SECRET", secret)
    file.write_text(text.replace("group-consumer", "service"))
    return {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "LOG_LEVEL": "debug",
        "KAFKA_SSL_CA_LOCATION": str(certificates.ca),
        "KAFKA_PROPERTIES_FILE": str(file),
    }


def test_oidc_lets_in_and_renews(token_broker, certificates, new_world, tmp_path):
    """librdkafka asks the identity provider by itself, before each token expires, and the tools do the same."""
    with IdentitySandbox({"service": "right-secret"}, life=6) as identity:
        world = new_world(token_broker(scope="kafka"))
        settings = oidc(certificates, tmp_path / "kafka.properties", identity.url)
        service = world.run(**settings)
        works(world)
        until(lambda: len(identity.given) >= 6, "tokens are renewed", 60)
        world.send(changed("b", plan="y"))
        world.settled()
        listed = tool(world, settings, "dlq", "list", "--output", "json")
        assert json.loads(listed.stdout)["letters"] == 1, listed
        assert set(identity.given) == {"service"}
        assert service.stop() == 0


def test_the_secret_of_a_client_is_replaced(token_broker, certificates, new_world, tmp_path):
    """In its file and at the provider: a new client uses it, and nothing is restarted or rejected."""
    file = tmp_path / "kafka.properties"
    with IdentitySandbox({"service": "right-secret"}, life=6) as identity:
        world = new_world(token_broker(scope="kafka"))
        service = world.run(**oidc(certificates, file, identity.url))
        works(world)
        identity.clients = {"service": "second-secret"}
        oidc(certificates, file, identity.url, "second-secret")
        service.said("a new consumer is made", 30)
        service.said("partitions revoked", 30)
        until(service.ready, "the old member, which could not leave, is missed", 75)
        asked = len(identity.given)
        until(lambda: len(identity.given) >= asked + 6, "tokens are renewed", 60)
        assert "refused" not in list(identity.given)[asked:]
        world.send(changed("b", plan="y"), b"garbage")
        world.settled()
        assert world.profile("b") == {"plan": "y"}
        assert service.metric("dead_letters_total", reason="not_framed") == 2
        told_nothing(service)
        assert service.stop() == 0


def test_an_identity_provider_that_is_away_or_refuses_is_waited_for(token_broker, certificates, new_world, tmp_path):
    """Away, then with another secret, then with tokens that lack a scope: told each time, and over by itself."""
    identity = IdentitySandbox({"service": "another"}, life=6, scope="other")
    identity.start()
    identity.stop()
    world = new_world(token_broker(scope="kafka"))
    service = world.run(ready=False, **oidc(certificates, tmp_path / "kafka.properties", identity.url))
    not_ready(service, "no token to log in with", "sasl.oauthbearer.* of KAFKA_PROPERTIES_FILE")
    with identity:
        until(lambda: "refused" in identity.given, "the secret is refused", 60)
        identity.clients = {"service": "right-secret"}
        service.said("the broker refused the token", 60)
        identity.scope = ""
        until(service.ready, "it is ready", 60)
        works(world)
        told_nothing(service)


def test_a_token_is_not_signed():
    """The sandbox's own: three parts, the last of them empty."""
    assert token("service", 60).count(".") == 2
    assert token("service", 60).endswith(".")
