"""The mapping file of the settings: read once, before anything is started."""

from pathlib import Path

from consumer.event.model import DEFAULT
from consumer.mapping.faults import Fault
from consumer.mapping.mapper import Mapper, TopicMap
from consumer.mapping.reading import InvalidMapping, read
from consumer.mapping.rules import Mapping
from consumer.settings.load import Settings

# A file that is not there is told by the setting; one that is no text has no line to name.
NOT_TEXT = "it is not UTF-8 text"


def mapping_of(settings: Settings, *, sends: bool) -> Mapping | None:
    """The mapping; None without MAPPING_FILE. Raises `InvalidMapping`, or OSError where it cannot be read now.

    Where nothing is sent (`sends`) the token of the default project may be missing, and no rule has a fault for it.
    """
    if not settings.mapping_file:
        return None
    try:
        text = Path(settings.mapping_file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidMapping([Fault(1, "the file", NOT_TEXT)]) from None
    projects = [name for name in settings.projects if name != DEFAULT]
    default = not sends or has_default(settings)
    return read(text, settings.kafka_topics, projects, bool(settings.mapping_hash_key), default)


def has_default(settings: Settings) -> bool:
    """Whether a rule need not name a project; without any project nothing is known of them."""
    return not settings.projects or DEFAULT in settings.projects


def topics_of(mapping: Mapping) -> list[str]:
    """The topics that its rules name."""
    return sorted({topic for rule in mapping.rules for topic in rule.topics})


def mapped_topics(settings: Settings, mapping: Mapping) -> dict[str, TopicMap]:
    """The rules of each topic that the mapping names.

    All of them are taken for compacted: `before` is not asked then, and more is sent rather than less.
    """
    topics = topics_of(mapping)
    mapper = Mapper(mapping, settings.mapping_hash_key.encode(), topics)
    by_topic = {topic: mapper.topic(topic) for topic in topics}
    return {topic: rules for topic, rules in by_topic.items() if rules is not None}
