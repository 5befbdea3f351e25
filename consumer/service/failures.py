"""How Mixpanel fails a project, or refuses it: told once when it begins, when it changes, and when it is over."""

import logging
from collections.abc import Mapping

from consumer.core.batch import Batch
from consumer.core.destinations import Destinations
from consumer.core.settlement import Delivered
from consumer.event.model import DEFAULT
from consumer.http.environment import environment
from consumer.mixpanel.pool import Response

log = logging.getLogger("consumer")

ADVICE = {
    "400": "the answer is not Mixpanel's: check {url}, or the proxy before it",
    "401": "Mixpanel refuses the credentials: check {token}",
    "403": "Mixpanel refuses this project or this network: check {token} and the egress address",
    "404": "there is no /groups there: check {url} and {region}",
}
NO_MEANING = "the answer has no known meaning: check {url} and {region}"
# Faults of a connection that somebody must mend, and what to look at.
UNTRUSTED = {
    "tls": "its certificate is not trusted here: check {url} and REQUESTS_CA_BUNDLE",
    "ca_bundle": "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of certificates",
    "socks": "SOCKS is not supported: have ALL_PROXY or HTTPS_PROXY name an HTTP proxy",
}


class Failures:
    """`answered` is told of each answer; what was told already is remembered for each project."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations
        self._halted: dict[str, str] = {}  # the answer that halts each project
        self._failing: dict[str, str] = {}  # the fault of each project

    def untrusted(self) -> dict[str, str]:
        """The projects to which no connection can be had until somebody acts, each with the fault."""
        return {name: cause for name, cause in self._failing.items() if cause in UNTRUSTED}

    def answered(self, batch: Batch, response: Response, delivered: Delivered) -> None:
        """A request came back; `delivered` is what its answer decided."""
        project = batch.destination
        self._tell_halted(project)
        failing = self._failing.get(project, "")
        if delivered.outcome in ("retry", "split"):
            if delivered.cause != failing:
                fields = {"project": project, "cause": delivered.cause, "batch": batch.number}
                fields["wait"] = round(delivered.wait, 1)
                message = advice(UNTRUSTED, delivered.cause, project, "requests are sent again until they succeed")
                said = environment(delivered.cause)
                log.warning("Mixpanel fails: %s", message, extra=fields | ({"environment": said} if said else {}))
                self._failing[project] = delivered.cause
            if delivered.outcome == "split":
                fields = {"batch": batch.number, "status": response.answer.status, "records": places(batch)}
                log.warning("a fault of this request alone, or of its size: it is sent in parts", extra=fields)
        elif delivered.outcome not in ("halt", "withheld") and failing:
            log.info("Mixpanel answers again", extra={"project": project, "was": failing})
            del self._failing[project]

    def _tell_halted(self, project: str) -> None:
        halted = self._destinations.by_name[project].dispatch.halt.cause
        before = self._halted.get(project, "")
        if halted == before:
            return
        if halted:
            message = advice(ADVICE, halted, project, NO_MEANING)
            fields = {"status": halted, "project": project}
            log.error("sending is halted: %s; asked again every 5 to 10 s", message, extra=fields)
        else:
            log.info("sending goes on: Mixpanel answers again", extra={"was": before, "project": project})
        self._halted[project] = halted


def places(batch: Batch) -> str:
    """Where the records of the batch stand: from the first to the last."""
    records = [entry.record for update in batch.updates for entry in update.run.entries]
    if not records:
        return "none"
    return f"{records[0]!r} to {records[-1]!r}"


def advice(known: Mapping[str, str], cause: str, project: str, other: str) -> str:
    """What to do about a cause, `other` where it is not known, with the names that the project's settings have."""
    names = {"token": "MIXPANEL_TOKEN", "url": "MIXPANEL_URL", "region": "MIXPANEL_REGION"}
    if project != DEFAULT:
        names = {name: f"{name} of [{project}] in MIXPANEL_PROJECTS_FILE" for name in names}
    return known.get(cause, other).format_map(names)
