"""The tokens of Amazon MSK's IAM, as AWS's package signs them: field by field, and the signature by AWS's recipe."""

import hashlib
import hmac
import time
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from consumer.kafka import msk
from consumer.kafka.tokens import NoToken, Token, Tokens

SERVERS = "b-1.c.x1.c2.kafka.eu-central-1.amazonaws.com:9098,b-2.c.x1.c2.kafka.eu-central-1.amazonaws.com:9098"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture(autouse=True)
def role(monkeypatch, tmp_path):
    """Credentials of a role in the environment, and nothing of this machine's."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session/token+==")


def fields(token: str) -> tuple[str, dict[str, str]]:
    """The URL of a token up to its query, and the query; fails where the text is padded or a field comes twice."""
    assert "=" not in token
    url = urlsplit(urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    pairs = parse_qsl(url.query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return f"{url.scheme}://{url.netloc}{url.path}", dict(pairs)


def signature(query: dict[str, str], host: str) -> str:
    """Signature Version 4 of a GET with the query, by the steps of AWS's documentation."""
    scope = query["X-Amz-Credential"].split("/", 1)[1]
    canonical = "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))
    request = f"GET\n/\n{canonical}\nhost:{host}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for step in (*scope.split("/"), text):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key.hex()


def test_a_token_has_every_field_and_the_right_signature():
    """A pre-signed GET of kafka-cluster:Connect for 15 minutes, in base64 for URLs without padding."""
    began = time.time()
    token = msk.signed(SERVERS)
    place, query = fields(token.text)
    assert place == "https://kafka.eu-central-1.amazonaws.com/"
    agent, signed = query.pop("User-Agent"), query.pop("X-Amz-Signature")
    assert agent.startswith("aws-msk-iam-sasl-signer-python/")
    when = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert -2 < when.timestamp() - began < 10
    assert query == {
        "Action": "kafka-cluster:Connect",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"ASIAIOSFODNN7EXAMPLE/{when:%Y%m%d}/eu-central-1/kafka-cluster/aws4_request",
        "X-Amz-Date": query["X-Amz-Date"],
        "X-Amz-Expires": "900",
        "X-Amz-Security-Token": "session/token+==",
        "X-Amz-SignedHeaders": "host",
    }
    assert signed == signature(query, "kafka.eu-central-1.amazonaws.com")


def test_a_token_is_renewed_before_credentials_of_an_instance_can_have_run_out():
    """They are replaced five minutes before their end, so no token is used for longer than that."""
    assert msk.signed(SERVERS).expires == pytest.approx(time.time() + 300, abs=5)


@pytest.mark.parametrize(
    ("servers", "region"),
    [
        (SERVERS, "eu-central-1"),
        ("boot-a1.c2.kafka-serverless.us-east-1.amazonaws.com:9098", "us-east-1"),
        ("b-1.c.x.c2.kafka.cn-north-1.amazonaws.com.cn:9098", "cn-north-1"),
        ("b-1-public.c.x.c2.kafka.us-west-2.amazonaws.com:9198", "us-west-2"),
        ("kafka.example.com:9098", "ap-south-1"),
    ],
)
def test_the_region_is_that_of_the_brokers(monkeypatch, servers, region):
    """As their names say, else as AWS_REGION does."""
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    assert msk.region(servers) == region


def test_without_a_region_nothing_starts():
    """The line says what to set."""
    assert msk.problem(SERVERS) == ""
    assert "set AWS_REGION" in msk.problem("kafka.example.com:9098")


def test_without_credentials_there_is_no_token(monkeypatch):
    """It says so in a sentence."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(NoToken, match="AWS gives no credentials: give the pod a role"):
        msk.signed(SERVERS)


def test_credentials_are_looked_for_anew(monkeypatch, tmp_path):
    """A file of credentials that has changed is in the next token."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for key in ("AKIAONE", "AKIATWO"):
        file.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key={SECRET}\n")
        assert fields(msk.signed(SERVERS).text)[1]["X-Amz-Credential"].startswith(key)


def test_a_provider_that_fails_is_told_once_and_without_its_words(caplog):
    """One line when it begins, one when it is over, whatever the failure said."""
    answers: list[object] = [ValueError("a-secret"), ValueError("a-secret"), Token("t", 1.0)]

    def provider() -> Token:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, Token)
        return found

    tokens = Tokens(provider)
    caplog.set_level("INFO")
    for _ in range(2):
        with pytest.raises(NoToken, match="ValueError"):
            tokens("")
    assert tokens.trouble == "ValueError"
    assert tokens("") == ("t", 1.0)
    assert tokens.trouble == ""
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[1].split(" ")[1] for line in lines] == ["no", "there"]
    assert "a-secret" not in caplog.text


STS = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAOFTHEPOD</AccessKeyId>
<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
DENIED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>not for a-secret</Message></Error></ErrorResponse>"""


def test_a_pod_gets_the_credentials_of_its_role(monkeypatch, tmp_path, new_wire):
    """By web identity, as EKS gives it; a role that it may not have is told by AWS's name for that."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    answers = [(200, STS), (403, DENIED)]

    def sts(connection, request):
        assert b"RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fgroup-consumer" in request
        status, body = answers.pop(0)
        connection.sendall(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    (tmp_path / "token").write_text("token.of.the.pod")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/group-consumer")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", new_wire(sts).url)
    assert fields(msk.signed(SERVERS).text)[1]["X-Amz-Credential"].startswith("ASIAOFTHEPOD/")
    with pytest.raises(NoToken) as refused:
        msk.signed(SERVERS)
    assert str(refused.value) == "AWS gives no credentials: AccessDenied from AssumeRoleWithWebIdentity"
