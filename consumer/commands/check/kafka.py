"""What `check` asks the brokers: topics, rights, the group, the dead-letter topic. Nothing is written."""

from collections.abc import Iterator, Mapping
from typing import Final

from consumer.commands.check.facts import Fact, fault, ok, unknown, warning
from consumer.commands.check.quarantine import quarantine_facts
from consumer.kafka.brokers import BrokerError, Brokers, Denied, Missing, Topic
from consumer.kafka.config import consumer_config
from consumer.kafka.dead_letter_format import ROOM
from consumer.kafka.unreadable import RECEIVE
from consumer.settings import Settings
from consumer.terminal.table import counted

WEEK_MS: Final = 7 * 24 * 3600 * 1000
FOREVER: Final = str(2**63 - 1)
BOUNDS: Final = {"message.timestamp.before.max.ms": "ago", "message.timestamp.after.max.ms": "ahead"}
LARGEST: Final = "max.message.bytes"
RESPONSE: Final = 512  # what a response has beside the batch


def kafka_facts(settings: Settings) -> Iterator[Fact]:
    """All of it; where no broker answers, only why."""
    try:
        found = Brokers(settings)
        count = found.cluster()
    except BrokerError as failure:
        yield fault("brokers", str(failure), "nothing more can be known of Kafka before this works")
        return
    with found as brokers:
        yield ok("brokers", f"{counted(count, 'broker')} over {connection(settings)}")
        sources: list[tuple[Topic, Mapping[str, str]]] = []
        for name in settings.kafka_topics:
            yield from source_facts(brokers, settings, name, sources)
        joined = list(group_facts(brokers, settings))
        yield from joined
        if all(fact.state == "ok" for fact in joined):
            for topic, _ in sources:
                yield from offset_facts(brokers, settings, topic)
        yield from quarantine_facts(brokers, settings, [topic for topic, _ in sources])
        yield from dead_letter_facts(brokers, settings, sources)


def connection(settings: Settings) -> str:
    """How the brokers are talked to."""
    config = consumer_config(settings)
    protocol = str(config.get("security.protocol", "plaintext")).upper()
    mechanism = settings.kafka_sasl_mechanism or str(config.get("sasl.mechanisms", ""))
    user = str(config.get("sasl.username", ""))
    return protocol + (f", {mechanism}" if mechanism else "") + (f" as {user}" if user else "")


def source_facts(
    brokers: Brokers, settings: Settings, name: str, sources: list[tuple[Topic, Mapping[str, str]]]
) -> Iterator[Fact]:
    """A topic that is read: is it there, may it be read, does it keep every change?"""
    what = f"topic {name}"
    try:
        topic = brokers.topic(name)
    except Missing:
        fix = "create it, with as many partitions as instances may ever share the work"
        yield fault(what, "there is no such topic", fix, create(settings, name, 12, {}))
        return
    except Denied:
        yield fault(
            what, "this user may not read it, if it is there", "let an administrator allow it", allow(name, "Read")
        )
        return
    except BrokerError as failure:
        yield fault(what, str(failure), "try again")
        return
    config = configuration(brokers, name)
    sources.append((topic, config or {}))
    if topic.rights is not None and "READ" not in topic.rights:
        fix = "let an administrator allow it"
        yield fault(what, "this user may not read it", fix, allow(name, "Read"))
    else:
        yield ok(what, f"{counted(topic.partitions, 'partition')}, may be read")
    if config is None:
        fix = "allow DescribeConfigs on it, or ask who may"
        yield unknown(what, "this user may not see its configuration: sizes and clean-up are not checked", fix)
        return
    yield from size_facts(settings, what, config)
    if "compact" in config.get("cleanup.policy", ""):
        detail = "it is compacted: Kafka drops changes that later ones of their group do not replace"
        yield fault(what, detail, "set cleanup.policy to delete", alter(settings, name, "cleanup.policy=delete"))


def size_facts(settings: Settings, what: str, config: Mapping[str, str]) -> Iterator[Fact]:
    """Whether the client receives the largest batch that the topic takes; a larger one breaks its connection."""
    takes, receives = int(config.get(LARGEST, 0)), int(str(consumer_config(settings)[RECEIVE]))
    if takes + RESPONSE > receives:
        detail = (
            f"its {LARGEST} is {takes}, and the client receives {receives}: a larger batch breaks its connection,"
            " again and again"
        )
        fix = f"lower it, or set {RECEIVE}={takes + RESPONSE} in KAFKA_PROPERTIES_FILE, with the memory for it"
        yield warning(what, detail, fix)


def group_facts(brokers: Brokers, settings: Settings) -> Iterator[Fact]:
    """The consumer group: may this user join it, and would the others take us?"""
    name = settings.kafka_group_id
    what = f"group {name}"
    grant = allow(name, "Read", "group")
    try:
        group = brokers.group(name)
    except Denied:
        yield fault(what, "this user may not join it", "let an administrator allow it", grant)
        return
    except BrokerError as failure:
        yield fault(what, str(failure), "try again")
        return
    if group.rights is not None and "READ" not in group.rights:
        yield fault(what, "this user may not join it", "let an administrator allow it", grant)
        return
    ours = str(consumer_config(settings).get("partition.assignment.strategy", ""))
    if group.members and ours and group.assignor and group.assignor not in ours.split(","):
        detail = (
            f"its {group.members} members use the assignor {group.assignor}, and this service {ours}: it cannot join"
        )
        fix = "set KAFKA_GROUP_ID to a group of this service's own, or stop the others first"
        yield fault(what, detail, fix)
        return
    members = f"{group.members} members now" if group.members else "nobody is in it now"
    yield ok(what, f"may be joined, {members}")


def offset_facts(brokers: Brokers, settings: Settings, topic: Topic) -> Iterator[Fact]:
    """Where the group is in the topic, and whether retention has removed what it has not read."""
    what = f"offsets {topic.name}"
    try:
        places = brokers.offsets(settings.kafka_group_id, topic)
    except BrokerError as failure:
        yield unknown(what, str(failure), "try again")
        return
    fresh = [place for place in places if place.committed < 0]
    waiting = sum(place.latest - max(place.committed, place.earliest) for place in places)
    if len(fresh) == len(places):
        yield ok(what, f"nothing committed yet: starts at the earliest, {counted(waiting, 'offset')} before the end")
    else:
        yield ok(what, f"goes on at what is committed, {counted(waiting, 'offset')} before the end")
    for place in places:
        if 0 <= place.committed < place.earliest:
            gap = place.earliest - place.committed
            detail = (
                f"retention has removed {counted(gap, 'offset')} of partition {place.partition} before they were read"
            )
            yield warning(what, detail, "they are lost to this group; give the topic a longer retention.ms")
        if place.stable < place.latest:
            held = f"{counted(place.latest - place.stable, 'offset')} of partition {place.partition}"
            detail = f"an open transaction holds back {held}, from the last stable offset {place.stable} on"
            yield warning(what, detail, "if it stays so, find the producer that does not end its transaction")


def dead_letter_facts(
    brokers: Brokers, settings: Settings, sources: list[tuple[Topic, Mapping[str, str]]]
) -> Iterator[Fact]:
    """The dead-letter topic: is it there, may it be written, does it take and keep whatever comes?"""
    name = settings.kafka_dead_letter_topic
    what = f"dead letters {name}"
    partitions = max([topic.partitions for topic, _ in sources], default=12)
    largest = max([int(config.get(LARGEST, 0)) for _, config in sources], default=0) or 1_048_588
    wanted = {LARGEST: str(largest + ROOM), "retention.ms": "-1"}
    wanted |= {bound: FOREVER for bound in BOUNDS if any(bound in config for _, config in sources)}
    try:
        topic = brokers.topic(name)
    except Missing:
        fix = "create it; until then a record that cannot be applied holds its partition"
        yield fault(what, "there is no such topic", fix, create(settings, name, partitions, wanted))
        return
    except Denied:
        yield fault(
            what, "this user may not write it, if it is there", "let an administrator allow it", allow(name, "Write")
        )
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
        detail = f"it has {topic.partitions} partitions, a topic that is read has {partitions}: the rest go by key"
        grow = f"kafka-topics.sh --bootstrap-server {settings.kafka_bootstrap_servers} --alter --topic {name}"
        yield warning(what, detail, "give it as many", f"{grow} --partitions {partitions}")
    config = configuration(brokers, name)
    if config is None:
        fix = "allow DescribeConfigs on it, or ask who may"
        yield unknown(what, "this user may not see its configuration: sizes and clean-up are not checked", fix)
    else:
        yield from keeping_facts(settings, what, config, largest)


def keeping_facts(settings: Settings, what: str, config: Mapping[str, str], largest: int) -> Iterator[Fact]:
    """Whether the dead-letter topic takes every dead letter, as it is, and keeps it."""
    name = settings.kafka_dead_letter_topic
    takes = int(config.get(LARGEST, largest + ROOM))
    if takes < largest + ROOM:
        detail = f"its {LARGEST} is {takes}, and a letter may need {largest + ROOM}: a larger one blocks"
        state = fault if takes < largest else warning
        yield state(what, detail, "raise it", alter(settings, name, f"{LARGEST}={largest + ROOM}"))
    if "compact" in config.get("cleanup.policy", ""):
        detail = "it is compacted: it drops letters, and refuses those without a key"
        yield fault(what, detail, "set cleanup.policy to delete", alter(settings, name, "cleanup.policy=delete"))
    retention = int(config.get("retention.ms", -1))
    if 0 <= retention < WEEK_MS:
        detail = f"it keeps letters for {retention / 3_600_000:g} hours"
        yield warning(what, detail, "keep them until somebody has looked", alter(settings, name, "retention.ms=-1"))
    if config.get("message.timestamp.type") == "LogAppendTime":
        fix = "set message.timestamp.type to CreateTime"
        change = alter(settings, name, "message.timestamp.type=CreateTime")
        yield warning(what, "it replaces the records' own timestamps", fix, change)
    for bound, words in BOUNDS.items():
        if config.get(bound, FOREVER) != FOREVER:
            times = f"more than {span(int(config[bound]))} {words}"
            detail = f"it refuses times of {times}: such a dead letter has the time of writing"
            yield warning(what, detail, "take records of any time", alter(settings, name, f"{bound}={FOREVER}"))


def span(milliseconds: int) -> str:
    """A length of time in the largest unit that has no remainder."""
    for name, length in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000)):
        if milliseconds >= length and milliseconds % length == 0:
            return counted(milliseconds // length, name)
    return f"{milliseconds} ms"


def configuration(brokers: Brokers, topic: str) -> Mapping[str, str] | None:
    """The topic's configuration; None where it may not be seen."""
    try:
        return brokers.config(topic)
    except BrokerError:
        return None


def create(settings: Settings, topic: str, partitions: int, config: Mapping[str, str]) -> str:
    """The command that creates the topic."""
    options = "".join(f" --config {name}={value}" for name, value in config.items())
    return (
        f"kafka-topics.sh --bootstrap-server {settings.kafka_bootstrap_servers} --create --topic {topic} "
        f"--partitions {partitions}{options}"
    )


def alter(settings: Settings, topic: str, change: str) -> str:
    """The command that changes the topic's configuration."""
    return (
        f"kafka-configs.sh --bootstrap-server {settings.kafka_bootstrap_servers} --alter --topic {topic} "
        f"--add-config {change}"
    )


def allow(name: str, operation: str, kind: str = "topic") -> str:
    """The command that gives this user the right."""
    return (
        f"kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:NAME --operation {operation} "
        f"--{kind} {name}"
    )
