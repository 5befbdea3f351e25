"""All that `map check` finds: faults of the file itself, and of the file on the registered schemas, in one list."""

from collections.abc import Callable

from consumer.commands.map.registered import RegisteredSchemas, TopicSchemas
from consumer.kafka.broker_errors import BrokerError
from consumer.kafka.brokers import Brokers
from consumer.mapping.check import Findings, check
from consumer.mapping.faults import Fault
from consumer.mapping.notes import note
from consumer.mapping.reading import InvalidMapping
from consumer.mapping.rules import Mapping
from consumer.registry.subjects import RegistryError
from consumer.settings import Settings
from consumer.settings.mapping import has_default


def findings_of(settings: Settings, mapping_in: Callable[[], Mapping]) -> Findings:
    """Everything, by line; `mapping_in` reads the file.

    Raises `RegistryError`, `BrokerError`, where the file itself has no fault to tell of.
    """
    try:
        mapping, faults = mapping_in(), []
    except InvalidMapping as invalid:
        if invalid.mapping is None:
            only = Findings()
            only.faults += invalid.faults
            return only
        mapping, faults = invalid.mapping, invalid.faults
    try:
        findings = on_schemas(settings, mapping)
    except (RegistryError, BrokerError) as failure:
        if not faults:
            raise
        findings = Findings()
        findings.notes.append(Fault(1, "the file", f"it was not held against the schemas: {failure}"))
    known = {fault.line for fault in faults}  # what is wrong there follows from what the file itself has wrong
    findings.faults = faults + [fault for fault in findings.faults if fault.line not in known]
    findings.sort()
    return findings


def on_schemas(settings: Settings, mapping: Mapping) -> Findings:
    """What is found where the mapping is held against what is registered. Raises `RegistryError`, `BrokerError`."""
    topics = sorted({topic for rule in mapping.rules for topic in rule.topics})
    schemas = RegisteredSchemas(settings)
    by_topic = {topic: schemas.of(topic, [r for r in mapping.rules if topic in r.topics]) for topic in topics}
    compacted = compacted_of(settings, topics) if settings.kafka_bootstrap_servers else set()
    findings = check(
        mapping,
        {topic: schemas_of_topic.registered(topic in compacted) for topic, schemas_of_topic in by_topic.items()},
    )
    for topic, schemas_of_topic in by_topic.items():
        told(findings, mapping, topic, schemas_of_topic)
    if not has_default(settings):
        says = "it has none, and MIXPANEL_TOKEN is not set here: run refuses it without a default project"
        findings.notes += [note(rule.line, rule, "project", says) for rule in mapping.rules if rule.project is None]
    return findings


def told(findings: Findings, mapping: Mapping, topic: str, schemas: TopicSchemas) -> None:
    """What the registry does not have of this topic, or has and nobody can read."""
    line = next(rule.line for rule in mapping.rules if topic in rule.topics)
    findings.faults += [Fault(line, f"topic {topic}", problem) for problem in schemas.problems]
    if not schemas.values and not schemas.problems:
        says = f"nothing is registered, so no path was checked (asked for {', '.join(schemas.asked)})"
        findings.notes.append(Fault(line, f"topic {topic}", says))


def compacted_of(settings: Settings, topics: list[str]) -> set[str]:
    """Those of the topics that Kafka compacts."""
    with Brokers(settings) as brokers:
        return {topic for topic in topics if "compact" in brokers.config(topic).get("cleanup.policy", "")}
