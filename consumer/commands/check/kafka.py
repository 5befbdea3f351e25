"""What `check` asks the brokers: topics, rights, the group, the dead-letter topic. Nothing is written."""

from collections.abc import Iterator, Mapping
from typing import Final

from consumer.commands.check.configuration import configuration
from consumer.commands.check.dead_letters import dead_letter_facts
from consumer.commands.check.facts import Fact, fault, ok, unknown, warning
from consumer.commands.check.journal import journal_facts
from consumer.commands.check.quarantine import quarantine_facts
from consumer.kafka.broker_errors import BrokerError, Denied, Missing
from consumer.kafka.brokers import Brokers, ExistingTopic
from consumer.kafka.config import consumer_config
from consumer.kafka.project_mark import client_ids, marked
from consumer.kafka.topic_commands import LARGEST, allow, alter, create
from consumer.kafka.unreadable import RECEIVE
from consumer.settings import Settings
from consumer.terminal.table import counted

CODEC: Final = "compression.type"
RESPONSE: Final = 512  # what a response has beside the batch


def kafka_facts(settings: Settings) -> Iterator[Fact]:
    """All of it; where no broker answers, only why."""
    try:
        asked = Brokers(settings)
        count = asked.cluster()
    except BrokerError as failure:
        yield fault("brokers", str(failure), "nothing more can be known of Kafka before this works")
        return
    with asked as brokers:
        yield ok("brokers", f"{counted(count, 'broker')} over {connection(settings)}")
        sources: list[tuple[ExistingTopic, Mapping[str, str]]] = []
        for name in settings.kafka_topics:
            yield from source_facts(brokers, settings, name, sources)
        joined = list(group_facts(brokers, settings))
        yield from joined
        if joined[-1].state == "ok":
            for topic, _ in sources:
                yield from offset_facts(brokers, settings, topic)
        yield from quarantine_facts(brokers, settings, [topic for topic, _ in sources])
        yield from dead_letter_facts(brokers, settings, sources)
        yield from journal_facts(brokers, settings)


def connection(settings: Settings) -> str:
    """How the brokers are talked to."""
    config = consumer_config(settings)
    protocol = str(config.get("security.protocol", "plaintext")).upper()
    mechanism = settings.kafka_sasl_mechanism or str(config.get("sasl.mechanisms", ""))
    user = str(config.get("sasl.username", ""))
    return protocol + (f", {mechanism}" if mechanism else "") + (f" as {user}" if user else "")


def source_facts(
    brokers: Brokers, settings: Settings, name: str, sources: list[tuple[ExistingTopic, Mapping[str, str]]]
) -> Iterator[Fact]:
    """A topic that is read: is it there, may it be read, does it keep every change?"""
    what = f"topic {name}"
    try:
        topic = brokers.topic(name)
    except Missing:
        fix = "create it, with as many partitions as instances may ever share the work"
        yield fault(what, "there is no such topic", fix, create(settings.kafka_bootstrap_servers, name, 12, {}))
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
        yield ok(what, f"{counted(topic.partitions, 'partition')}, may be read{unbounded(config)}")
    if config is None:
        fix = "allow DescribeConfigs on it, or ask who may"
        yield unknown(what, "this user may not see its configuration: sizes and clean-up are not checked", fix)
        return
    yield from size_facts(settings, what, config)
    if "compact" in config.get("cleanup.policy", ""):
        detail = "it is compacted: Kafka drops changes that later ones of their group do not replace"
        yield fault(
            what,
            detail,
            "set cleanup.policy to delete",
            alter(settings.kafka_bootstrap_servers, name, "cleanup.policy=delete"),
        )


def unbounded(config: Mapping[str, str] | None) -> str:
    """What is to be known of batches that the client decompresses without a bound: all but those under zstd."""
    if config is None or config.get(CODEC) == "zstd":
        return ""
    return f"; a batch under gzip, lz4 or snappy has no bound once decompressed, with {CODEC}=zstd it has"


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
    if group.clients and ours and group.assignor and group.assignor not in ours.split(","):
        members = counted(len(group.clients), "member")
        detail = f"its {members} use the assignor {group.assignor}, and this service {ours}: it cannot join"
        fix = "set KAFKA_GROUP_ID to a group of this service's own, or stop the others first"
        yield fault(what, detail, fix)
        return
    own = marked(str(consumer_config(settings)["client.id"]))
    known = {"", own, *map(marked, client_ids(settings))}  # it may run without MIXPANEL_PROJECT_ID
    foreign = [name for name in group.clients if own and marked(name) not in known]
    if foreign:
        detail = f"{counted(len(foreign), 'member')} of it send to another Mixpanel project: data would be mixed"
        yield fault(what, detail, "set KAFKA_GROUP_ID to another group for each project, or stop the others first")
    members = f"{counted(len(group.clients), 'member')} now" if group.clients else "nobody is in it now"
    yield ok(what, f"may be joined, {members}")


def offset_facts(brokers: Brokers, settings: Settings, topic: ExistingTopic) -> Iterator[Fact]:
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
