"""What `check` asks of the dead-letter topic: whether it can be written, and takes and keeps whatever comes."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from consumer.commands.check.configuration import configuration
from consumer.commands.check.facts import Fact, fault, ok, unknown, warning
from consumer.kafka.broker_errors import BrokerError, Denied, Missing
from consumer.kafka.brokers import Brokers, ExistingTopic
from consumer.kafka.dead_letter_format import ROOM
from consumer.kafka.topic_commands import LARGEST, allow, alter, create_dead_letters, grow
from consumer.settings import Settings
from consumer.terminal.table import counted

WEEK_MS: Final = 7 * 24 * 3600 * 1000
FOREVER: Final = str(2**63 - 1)
BOUNDS: Final = {"message.timestamp.before.max.ms": "ago", "message.timestamp.after.max.ms": "ahead"}


def dead_letter_facts(
    brokers: Brokers, settings: Settings, sources: list[tuple[ExistingTopic, Mapping[str, str]]]
) -> Iterator[Fact]:
    """The dead-letter topic: is it there, may it be written, does it take and keep whatever comes?"""
    name = settings.kafka_dead_letter_topic
    what = f"dead letters {name}"
    partitions = max([topic.partitions for topic, _ in sources], default=12)
    largest = max([int(config.get(LARGEST, 0)) for _, config in sources], default=0) or 1_048_588
    bounds = {bound: FOREVER for bound in BOUNDS if any(bound in config for _, config in sources)}
    bootstrap = settings.kafka_bootstrap_servers
    try:
        topic = brokers.topic(name)
    except Missing:
        fix = "create it; until then a record that cannot be applied holds its partition"
        command = create_dead_letters(bootstrap, name, partitions, largest, bounds)
        yield fault(what, "there is no such topic", fix, command)
        return
    except Denied:
        detail = "this user may not write it, if it is there"
        yield fault(what, detail, "let an administrator allow it", allow(name, "Write"))
        return
    except BrokerError as failure:
        yield fault(what, str(failure), "try again")
        return
    if topic.rights is not None and "WRITE" not in topic.rights:
        detail = "this user may not write it: a record that cannot be applied holds its partition"
        yield fault(what, detail, "let an administrator allow it", allow(name, "Write"))
    else:
        yield ok(what, f"{counted(topic.partitions, 'partition')}, may be written")
    if topic.partitions < partitions:
        has = counted(topic.partitions, "partition")
        detail = f"it has {has}, a topic that is read has {partitions}: the rest go by key"
        yield warning(what, detail, "give it as many", grow(bootstrap, name, partitions))
    config = configuration(brokers, name)
    if config is None:
        fix = "allow DescribeConfigs on it, or ask who may"
        yield unknown(what, "this user may not see its configuration: sizes and clean-up are not checked", fix)
    else:
        yield from keeping_facts(settings, what, config, largest)


def keeping_facts(settings: Settings, what: str, config: Mapping[str, str], largest: int) -> Iterator[Fact]:
    """Whether the dead-letter topic takes every dead letter, as it is, and keeps it."""
    change = partial(alter, settings.kafka_bootstrap_servers, settings.kafka_dead_letter_topic)
    takes = int(config.get(LARGEST, largest + ROOM))
    if takes < largest + ROOM:
        detail = f"its {LARGEST} is {takes}, and a dead letter may need {largest + ROOM}: a larger one blocks"
        state = fault if takes < largest else warning
        yield state(what, detail, "raise it", change(f"{LARGEST}={largest + ROOM}"))
    if "compact" in config.get("cleanup.policy", ""):
        detail = "it is compacted: it drops dead letters, and refuses those without a key"
        yield fault(what, detail, "set cleanup.policy to delete", change("cleanup.policy=delete"))
    retention = int(config.get("retention.ms", -1))
    if 0 <= retention < WEEK_MS:
        detail = f"it keeps dead letters for {retention / 3_600_000:g} hours"
        yield warning(what, detail, "keep them until somebody has looked", change("retention.ms=-1"))
    if config.get("message.timestamp.type") == "LogAppendTime":
        fix = "set message.timestamp.type to CreateTime"
        yield warning(
            what, "it replaces the records' own timestamps", fix, change("message.timestamp.type=CreateTime")
        )
    for bound, direction in BOUNDS.items():
        if config.get(bound, FOREVER) != FOREVER:
            times = f"more than {span(int(config[bound]))} {direction}"
            detail = f"it refuses times of {times}: such a dead letter has the time of writing"
            yield warning(what, detail, "take records of any time", change(f"{bound}={FOREVER}"))


def span(milliseconds: int) -> str:
    """A length of time in the largest unit that has no remainder."""
    for name, length in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000)):
        if milliseconds >= length and milliseconds % length == 0:
            return counted(milliseconds // length, name)
    return f"{milliseconds} ms"
