"""What `check` says of the journal of `$add`s: is it there, may it be used, and does it forget nothing?"""

from collections.abc import Iterator

from consumer.commands.check.configuration import configuration
from consumer.commands.check.facts import Fact, fault, ok, unknown, warning
from consumer.kafka.broker_errors import BrokerError, Denied, Missing
from consumer.kafka.brokers import Brokers
from consumer.kafka.journal_topic import TOPIC_CONFIG, forgetful, mending
from consumer.kafka.topic_commands import allow, create
from consumer.settings import Settings


def journal_facts(brokers: Brokers, settings: Settings) -> Iterator[Fact]:
    """Nothing where no `$add` is announced."""
    name, bootstrap = settings.journal_topic, settings.kafka_bootstrap_servers
    if not name:
        return
    what = f"journal {name}"
    try:
        topic = brokers.topic(name)
    except Missing:
        detail = "there is no such topic: run makes it where it may, and until it is there each $add waits"
        yield warning(
            what,
            detail,
            "create it, with as many replicas as your topics have",
            create(bootstrap, name, 1, TOPIC_CONFIG),
        )
        return
    except Denied:
        detail = "this user may not use it, if it is there: each $add waits"
        yield fault(what, detail, "let an administrator allow Read and Write", allow(name, "Read --operation Write"))
        return
    except BrokerError as failure:
        yield fault(what, str(failure), "try again")
        return
    missing = [right for right in ("Read", "Write") if topic.rights is not None and right.upper() not in topic.rights]
    if missing:
        detail = f"this user has no right to {' and '.join(missing).lower()} it: each $add waits"
        yield fault(what, detail, "let an administrator allow it", allow(name, " --operation ".join(missing)))
    else:
        yield ok(what, "may be read and written")
    config = configuration(brokers, name)
    if config is None:
        yield unknown(what, "this user may not see its configuration", "allow DescribeConfigs on it, or ask who may")
    elif words := forgetful(config):
        yield fault(what, words, "set it to compact", mending(bootstrap, name))
