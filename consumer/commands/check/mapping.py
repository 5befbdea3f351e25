"""What `check` says of the mapping file: whether it fits what is registered. `map check` says all of it."""

from collections.abc import Iterator

from consumer.commands.check.facts import Fact, fault, ok, unknown, warning
from consumer.commands.map.findings import findings_of
from consumer.commands.map.options import mapping_in
from consumer.kafka.broker_errors import BrokerError
from consumer.mapping.reading import InvalidMapping
from consumer.registry.subjects import RegistryError
from consumer.settings import Settings
from consumer.settings.mapping import mapping_of, topics_of
from consumer.terminal.table import counted

WHAT = "mapping"
MORE = "group-consumer map check"


def mapped_topics_of(settings: Settings) -> list[str]:
    """The topics that the mapping file names, as far as it can be understood."""
    try:
        mapping = mapping_of(settings, sends=False)
    except InvalidMapping as invalid:
        mapping = invalid.mapping
    except OSError:
        mapping = None
    return [] if mapping is None else topics_of(mapping)


def mapping_facts(settings: Settings) -> Iterator[Fact]:
    """The file's faults, and those of the file on the registered schemas; nothing without a file."""
    if not settings.mapping_file:
        return
    try:
        findings = findings_of(settings, lambda: mapping_in(settings, sends=True))
    except (RegistryError, BrokerError) as failure:
        yield unknown(WHAT, f"{settings.mapping_file} was not held against the schemas: {failure}", "try again")
        return
    for problem in findings.faults:
        yield fault(WHAT, f"{settings.mapping_file}: {problem}", "correct the file", MORE)
    if findings.faults:
        return
    topics = ", ".join(mapped_topics_of(settings))
    detail = f"{settings.mapping_file} fits the registered schemas of {topics}"
    if findings.notes:
        yield warning(WHAT, f"{detail}, with {counted(len(findings.notes), 'note')}", "read them", MORE)
    else:
        yield ok(WHAT, detail)
