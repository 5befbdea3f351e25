"""What `check` can know of Mixpanel: that its host answers. No update is sent, so the token stays unproven."""

import re
import time
from collections.abc import Collection, Iterator
from typing import Final

import requests

import consumer
from consumer.commands.check.facts import Fact, fault, ok, unknown
from consumer.commands.check.machine import Answered
from consumer.event.model import DEFAULT
from consumer.http.deadline import FAILURES, word_for
from consumer.http.environment import ADVICE, environment
from consumer.settings import Settings
from consumer.settings.projects import Project

TIMEOUT: Final = 10.0
FIXES: Final = {
    **ADVICE,
    "dns": "check MIXPANEL_URL or MIXPANEL_REGION, and this machine's DNS",
    "tls": "its certificate is not trusted here: is there a proxy in between that this machine should trust?",
    "proxy": "check HTTPS_PROXY, or add the host to NO_PROXY",
    "timeout": "let this machine reach it: firewall, NetworkPolicy, proxy (HTTPS_PROXY)",
    "connection": "let this machine reach it: firewall, NetworkPolicy, proxy (HTTPS_PROXY)",
}
# What Mixpanel's tokens look like.
TOKEN: Final = re.compile(r"[0-9a-f]{32}")


def mixpanel_facts(settings: Settings, dates: list[Answered], proven: Collection[str]) -> Iterator[Fact]:
    """Each host, and of each project what cannot be known, but of those that a canary is to prove.

    `dates` gets the answers, for the clock.
    """
    for url in dict.fromkeys(project.url for project in settings.projects.values()):
        yield host_fact(url, dates)
    for project in settings.projects.values():
        if project.name not in proven:
            yield token_fact(project)


def host_fact(url: str, dates: list[Answered]) -> Fact:
    """Whether the host answers."""
    what = f"Mixpanel {url}"
    try:
        with requests.get(
            f"{url}/",
            headers={"User-Agent": f"mixpanel-group-consumer/{consumer.__version__}"},
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as answer:
            dates.insert(0, Answered(answer.headers.get("Date", ""), url, time.time()))
            return ok(what, f"answers (status {answer.status_code} for its front page; nothing was sent)")
    except FAILURES as failure:
        word = word_for(failure)
        said = environment(word)
        return fault(
            what, f"does not answer: {word}" + f", {said}" * bool(said), FIXES.get(word, "check MIXPANEL_URL")
        )


def token_fact(project: Project) -> Fact:
    """What nobody can know of a project's token."""
    odd = "" if TOKEN.fullmatch(project.token) else "; it is not 32 hexadecimal digits, as most are"
    named = "" if project.name == DEFAULT else f" --project {project.name}"
    return unknown(
        "MIXPANEL_TOKEN" if project.name == DEFAULT else f"project {project.name} ({project.url})",
        f"a wrong token or region cannot be known: Mixpanel accepts updates all the same{odd}",
        f"compare it with Project Settings > Access Keys, or let --canary GROUP_KEY{named} write a profile and read"
        " it back",
    )
