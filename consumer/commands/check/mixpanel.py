"""What `check` can know of Mixpanel: that its host answers. No update is sent, so the token stays unproven."""

import os
import re
from collections.abc import Iterator
from typing import Final

import requests

import consumer
from consumer.commands.check.facts import Fact, fault, ok, unknown
from consumer.http.deadline import FAILURES, word_for
from consumer.settings import Settings
from consumer.settings.values import without_credentials

TIMEOUT: Final = 10.0
FIXES: Final = {
    "ca_bundle": "have the variable name a file that is there, or unset it",
    "socks": "SOCKS is not supported here: name an HTTP proxy, or add the host to NO_PROXY",
    "dns": "check MIXPANEL_URL or MIXPANEL_REGION, and this machine's DNS",
    "tls": "its certificate is not trusted here: is there a proxy in between that this machine should trust?",
    "proxy": "check HTTPS_PROXY, or add the host to NO_PROXY",
    "timeout": "let this machine reach it: firewall, NetworkPolicy, proxy (HTTPS_PROXY)",
    "connection": "let this machine reach it: firewall, NetworkPolicy, proxy (HTTPS_PROXY)",
}
# What Mixpanel's tokens look like.
TOKEN: Final = re.compile(r"[0-9a-f]{32}")


def environment(word: str) -> str:
    """The variables of the environment that the failure comes from, with what they name."""
    names = {
        "ca_bundle": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        "socks": ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"),
    }
    found = ((name, os.environ.get(name) or os.environ.get(name.lower(), "")) for name in names.get(word, ()))
    return "".join(f", {name} is {without_credentials(value)}" for name, value in found if value)


def mixpanel_facts(settings: Settings, dates: list[tuple[str, str]], *, proven: bool) -> Iterator[Fact]:
    """The host, and unless a canary is to prove it what cannot be known.

    `dates` gets the `Date` of the answer, and whose it is.
    """
    what = f"Mixpanel {settings.mixpanel_url}"
    try:
        with requests.get(
            f"{settings.mixpanel_url}/",
            headers={"User-Agent": f"mixpanel-group-consumer/{consumer.__version__}"},
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as answer:
            dates.insert(0, (answer.headers.get("Date", ""), settings.mixpanel_url))
            yield ok(what, f"answers (status {answer.status_code} for its front page; nothing was sent)")
    except FAILURES as failure:
        word = word_for(failure)
        yield fault(what, f"does not answer: {word}{environment(word)}", FIXES.get(word, "check MIXPANEL_URL"))
    if proven:
        return
    odd = "" if TOKEN.fullmatch(settings.mixpanel_token) else "; it is not 32 hexadecimal digits, as most are"
    yield unknown(
        "MIXPANEL_TOKEN",
        f"a wrong token or region cannot be known: Mixpanel accepts updates all the same{odd}",
        "compare it with Project Settings > Access Keys, or let --canary GROUP_KEY write a profile and read it back",
    )
