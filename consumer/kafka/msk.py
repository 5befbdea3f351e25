"""Amazon MSK's IAM: a token is a request that AWS's own package signs with the role's credentials.

Where the credentials come from is botocore's to find: environment, web identity, pod identity, container, instance.
They are looked for again for each token, since files and roles change.
"""

import importlib
import os
import re
import time
from functools import cache, partial
from importlib.util import find_spec
from typing import Final

from consumer.kafka.tokens import NoToken, Token, Tokens

MECHANISM: Final = "AWS_MSK_IAM"
PACKAGE: Final = "aws_msk_iam_sasl_signer"
# Seconds. The brokers take a token for 15 minutes, but no longer than the credentials that signed it: those of an
# instance may have five minutes left.
LIFE: Final = 300.0
HOST: Final = re.compile(r"\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?:\d+$")
ELSEWHERE: Final = "set AWS_REGION: KAFKA_BOOTSTRAP_SERVERS does not name the region"


@cache
def tokens(servers: str) -> Tokens:
    """For every client of these brokers."""
    return Tokens(partial(signed, servers))


def signed(servers: str) -> Token:
    """A new token. Raises `NoToken`."""
    signer = importlib.import_module(f"{PACKAGE}.MSKAuthTokenProvider")
    try:
        text, expires_ms = signer.generate_auth_token(region(servers))
    except AttributeError:  # the package's own way to say so
        raise NoToken("AWS gives no credentials: give the pod a role, or set AWS_ACCESS_KEY_ID") from None
    except NoToken:
        raise
    except Exception as failure:  # noqa: BLE001  # of any part of botocore
        raise NoToken(f"AWS gives no credentials: {said(failure)}") from None
    return Token(text, min(expires_ms / 1000, time.time() + LIFE))


def region(servers: str) -> str:
    """The brokers' region: as their names say, else as AWS's own settings do. Raises `NoToken`."""
    for server in servers.split(","):
        match = HOST.search(server)
        if match:
            return match[1]
    if os.environ.get("AWS_REGION"):  # which botocore does not read
        return os.environ["AWS_REGION"]
    configured = importlib.import_module("botocore.session").Session().get_config_variable("region")
    if not configured:
        raise NoToken(ELSEWHERE)
    return str(configured)


def problem(servers: str) -> str:
    """Why there will never be a token; empty where there may be one."""
    if find_spec(PACKAGE) is None:
        return f"KAFKA_SASL_MECHANISM is {MECHANISM}, which needs: pip install 'mixpanel-group-consumer[aws]'"
    try:
        region(servers)
    except NoToken as failure:
        return f"KAFKA_SASL_MECHANISM is {MECHANISM}: {failure}"
    except Exception as failure:  # noqa: BLE001  # a profile that does not exist, for one
        return f"KAFKA_SASL_MECHANISM is {MECHANISM}: AWS's settings are wrong ({said(failure)})"
    return ""


def said(failure: Exception) -> str:
    """What went wrong, by AWS's names for it: the messages may hold more."""
    answer = getattr(failure, "response", None)
    if isinstance(answer, dict):
        code = answer.get("Error", {}).get("Code", "refused")
        return f"{code} from {getattr(failure, 'operation_name', 'AWS')}"
    return type(failure).__name__
