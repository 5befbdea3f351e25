"""What `check` asks the schema registries: does each answer, and can the topics' schemas be read?"""

import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final

from consumer.commands.check.facts import Fact, fault, ok, warning
from consumer.commands.check.keys import key_fact
from consumer.commands.check.machine import Answered
from consumer.commands.schema_judge import judge
from consumer.registry.advice import advice
from consumer.registry.client import Fetched
from consumer.registry.errors import Unusable
from consumer.registry.keys import installed, not_run, would_be_run
from consumer.registry.rules import named
from consumer.registry.subjects import RegisteredVersion, RegistryApi, RegistryError
from consumer.settings import Settings
from consumer.terminal.table import counted

# Versions of one subject that are looked at, the newest.
LOOKED_AT: Final = 20


def registry_facts(settings: Settings, dates: list[Answered], mapped: Collection[str] = ()) -> Iterator[Fact]:
    """Each registry, then the subject of each topic; of `mapped` topics the rules and keys alone.

    `dates` gets an answer, for the clock.
    """
    api = RegistryApi(settings)
    login = settings.schema_registry_username or settings.schema_registry_token
    answering = 0
    facts: list[Fact] = []
    for endpoint in api.endpoints:
        what = f"registry {endpoint.url}"
        try:
            answer = api.ask_one(endpoint, "GET", f"/subjects/{settings.kafka_topics[0]}-value/versions")
        except RegistryError as failure:
            detail, _, fix = str(failure).removeprefix(f"{endpoint.url}: ").partition(": ")
            facts.append(fault(what, detail, fix))
            continue
        dates.append(Answered(answer.headers.get("Date", ""), endpoint.url, time.time()))
        if answer.status == 200 or (answer.status == 404 and answer.code):
            answering += 1
            facts.append(ok(what, "answers, and takes the credentials" if login else "answers"))
        else:
            told = f" ({answer.words})" if answer.words else ""
            fix = advice(f"status_{answer.status}")
            facts.append(fault(what, f"answers with status {answer.status}{told}", fix))
    for fact in facts:  # one that answers is enough to work, and the others are missed one day
        yield warning(fact.what, fact.detail, fact.fix) if answering and fact.state == "fault" else fact
    if answering:
        for topic in settings.kafka_topics:
            if topic in mapped:  # its records are no events
                yield from contract_facts(api, topic, settings)
            else:
                yield from subject_facts(api, f"{topic}-value", settings)


def subject_facts(api: RegistryApi, subject: str, settings: Settings) -> Iterator[Fact]:
    """Whether the service can read what the subject's versions write."""
    what = f"schema {subject}"
    try:
        versions = api.versions(subject)
        if versions is None:
            detail = "there is no such subject: fine only where producers name their subjects otherwise"
            command = f"group-consumer schema register --subject {subject}"
            yield warning(what, detail, "register the event schema", command)
            return
        good = 0
        for version in versions[-LOOKED_AT:]:
            fact = version_fact(api, what, version, settings)
            if fact is None:
                good += 1
            else:
                yield fact
    except RegistryError as failure:
        yield fault(what, str(failure), "see the registry's log")
        return
    if good:
        yield ok(what, f"every record of {good} of its {counted(len(versions), 'version')} can be read")


def version_fact(api: RegistryApi, what: str, version: RegisteredVersion, settings: Settings) -> Fact | None:
    """What is wrong with one version; None where all its records can be read."""
    place = f"version {version.version} (id {version.id})"
    fix = "let producers use a schema that 'group-consumer schema compatible FILE' likes"
    try:
        fetched = api.fetched(version.id)
    except Unusable as other:
        return fault(what, f"{place}: {other}: its records are dead letters", fix)
    judged = judge(fetched.schema, fetched.references)
    if judged.readable == "none":
        return fault(what, f"{place} cannot be read, its records are dead letters: {judged.why}", fix)
    fact = contract_fact(what, place, version.subject, fetched, settings)
    if fact is None and judged.readable == "some":
        return warning(what, f"{place}: some records are dead letters: {judged.why}", fix)
    return fact


def contract_facts(api: RegistryApi, topic: str, settings: Settings) -> Iterator[Fact]:
    """What rules and keys are in the way of a mapped topic's values and keys; the rest is said of its mapping."""
    for subject in (f"{topic}-value", f"{topic}-key"):
        what = f"schema {subject}"
        try:
            for version in (api.versions(subject) or [])[-LOOKED_AT:]:
                with suppress(Unusable):
                    place = f"version {version.version} (id {version.id})"
                    fact = contract_fact(what, place, subject, api.fetched(version.id), settings)
                    if fact is not None:
                        yield fact
        except RegistryError as failure:
            yield fault(what, str(failure), "see the registry's log")


def contract_fact(what: str, place: str, subject: str, fetched: Fetched, settings: Settings) -> Fact | None:
    """Which of the schema's rules, or keys, is in the way of its records; None where none is."""
    hold = settings.schema_rules == "hold"
    rules = not_run(fetched) if hold else fetched.rules
    if rules:
        return rules_fact(what, f"{place} has rules for reading that are not run here", rules, hold, install(fetched))
    return key_fact(settings, what, place, subject, fetched) if hold and fetched.rules else None


def install(fetched: Fetched) -> str:
    """What to do first, where only the extra is missing."""
    return "install mixpanel-group-consumer[rules], " if would_be_run(fetched) and not installed() else ""


def rules_fact(what: str, begin: str, rules: tuple[str, ...], hold: bool, first: str) -> Fact:
    """What rules of a data contract mean for its records."""
    begins_with_rules = f"{begin}, {named(rules)}"
    if hold:
        fix = "write with a schema without them, or set SCHEMA_RULES=ignore to read what they would change as it is"
        return fault(what, f"{begins_with_rules}: its records hold their partition", first + fix)
    detail = f"{begins_with_rules}, and SCHEMA_RULES=ignore: what they encrypted is sent as it is"
    return warning(what, detail, "see that it may be")
