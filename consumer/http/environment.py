"""What the environment says of TLS and proxies to every program, and so to ours."""

import os
from typing import Final

# By the word for a failure, the variables that it comes from.
VARIABLES: Final = {
    "ca_bundle": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    "socks": ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"),
    "proxy": ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"),
}
ADVICE: Final = {
    "ca_bundle": "have the variable name a file that is there, or unset it",
    "socks": "SOCKS is not supported here: name an HTTP proxy, or add the host to NO_PROXY",
}


def environment(word: str) -> str:
    """The variables that are set of those that the failure comes from, with what they name; empty where none is."""
    named = ((name, os.environ.get(name) or os.environ.get(name.lower(), "")) for name in VARIABLES.get(word, ()))
    return ", ".join(f"{name} is {shown(value)}" for name, value in named if value)


def shown(value: str) -> str:
    """What a variable names, without a proxy's credentials."""
    head, at, host = value.rpartition("@")
    return f"{head.partition('://')[0]}://***@{host}" if at else value
