"""The composition root: settings become the parts of the service, and the parts a service that runs until told."""

import gc
import json
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from queue import SimpleQueue
from typing import Any

import consumer
from consumer.core.limits import Limits
from consumer.core.model import Record
from consumer.core.past import Past
from consumer.core.pipeline import Pipeline
from consumer.core.quarantine import Quarantine
from consumer.event import decode
from consumer.event.encode import opening_of
from consumer.kafka.compaction import follow
from consumer.kafka.config import consumer_config, producer_config
from consumer.kafka.dead_letters import DeadLetters
from consumer.kafka.journal import Journal
from consumer.kafka.journal_reading import Reader
from consumer.kafka.journal_topic import TOPIC_CONFIG
from consumer.kafka.journal_writing import Writer
from consumer.kafka.reading import SourceFailed
from consumer.kafka.source import Source
from consumer.kafka.topic_commands import create, create_dead_letters
from consumer.mapping.mapper import TopicMap
from consumer.mixpanel.client import Mixpanel
from consumer.mixpanel.lease import Lease
from consumer.mixpanel.pool import Pool
from consumer.registry.configured import access, keys
from consumer.registry.facts import SchemaResults
from consumer.registry.fetcher import RegistryFetcher
from consumer.service import logs
from consumer.service.adds import Announcing
from consumer.service.exchange import Exchange
from consumer.service.health import Health
from consumer.service.health_server import HealthServer
from consumer.service.loop import Loop
from consumer.service.memory import Memory, share_one_arena
from consumer.service.metrics import Metrics
from consumer.service.observer import Observer
from consumer.service.ports import Result
from consumer.settings import Settings
from consumer.settings.mapping_watch import MappingWatch
from consumer.settings.scrub import Scrubber
from consumer.settings.secrets import Learn, unlearnt
from consumer.settings.sign_in import SignIn
from consumer.settings.tokens import ProjectTokens
from consumer.settings.watching import watch

log = logging.getLogger("consumer")

READER = "group_change.avsc"
# A loop that did not turn for so many seconds asks the group before it sends; under the newer protocol nobody here
# knows the session time-out, and to ask costs one commit.
LEASE = 3.0
# Over so many seconds the instances spread their new consumers when a certificate changes: each is a rebalance.
STAGGER = 15.0
# Open records are freed by their reference counts; at Python's own threshold of 700 the collector would walk all of
# them again and again, for half of the service's time. Cycles (of exceptions) are still found.
GC_THRESHOLDS = (200_000, 20, 20)
UNCOMPILED = (
    "the core is not compiled, and several times as slow: install a wheel of a release, or a C compiler and then "
    "the package again"
)


def run(settings: Settings, mapped: Mapping[str, TopicMap], stopping: Callable[[], bool]) -> int:
    """Run the service until `stopping` says so, then drain; returns the exit status. `mapped` are the topics of a
    mapping file."""
    share_one_arena()
    gc.set_threshold(*GC_THRESHOLDS)
    scrub = Scrubber(settings.secrets())
    logs.start(settings.log_level, settings.log_format, scrub)
    for warning in settings.warnings:
        log.warning(warning)
    metrics = Metrics(settings.projects, rules_of(mapped), compiled=compiled())
    health = Health(time.monotonic)
    try:
        server = HealthServer(settings.http_host, settings.http_port, health, metrics.exposition)
    except OSError as failure:
        place = f"HTTP_PORT {settings.http_port}" + (f" of HTTP_HOST {settings.http_host}" * bool(settings.http_host))
        log.error("%s cannot be had: %s", place, failure.strerror)
        return 1
    fields = {"version": consumer.__version__, "compiled": compiled(), "group": settings.kafka_group_id}
    log.info("starting", extra=fields | {"port": server.port})
    if not compiled():
        log.warning(UNCOMPILED)
    try:
        loop = assemble(settings, mapped, metrics, health, scrub)
        loop.run(stopping)
    except SourceFailed as failure:
        log.error("%s", failure)
        return 1
    except Exception:
        log.critical("the service ends by a fault of its own: nothing is lost, and a restart goes on", exc_info=True)
        return 1
    finally:
        server.close()
    log.info("stopped")
    return 0


def compiled() -> bool:
    """Whether the core is the compiled one, which is several times as fast."""
    return not decode.__file__.endswith(".py")


def rules_of(mapped: Mapping[str, TopicMap]) -> list[str]:
    """The names of all rules, in the file's order."""
    rules = {rule.position: rule.name for topic in mapped.values() for rule in topic.rules}
    return [rules[position] for position in sorted(rules)]


def asking_for_compaction(mapped: Mapping[str, TopicMap]) -> list[str]:
    """The topics of which it matters whether Kafka compacts them: those with rules that look at `before`."""
    return [topic for topic, rules in mapped.items() if any(rule.before_whole for rule in rules.rules)]


def assemble(
    settings: Settings, mapped: Mapping[str, TopicMap], metrics: Metrics, health: Health, scrub: Scrubber
) -> Loop:
    """Every part of the service, connected; nothing has been read or sent yet."""
    results: SimpleQueue[Result] = SimpleQueue()
    lease = Lease(time.monotonic, min(LEASE, session_timeout(settings) / 2))
    announced = bool(settings.journal_topic)
    past = Past(writable=not announced) if settings.ambiguous_add == "dead-letter" else None
    core = pipeline(settings, limits(settings), quarantine(settings), mapped, past=past)
    dead_letters = dead_letters_of(settings, metrics, scrub)
    follow(settings, asking_for_compaction(mapped), results)
    journal = journal_of(settings, past) if past is not None and announced else None
    source = Source(
        consumer_config(settings),
        settings.kafka_topics,
        clock=time.monotonic,
        commit_failed=metrics.commit_failures.inc,
        journal=journal,
    )
    schemas = registry(settings, results, scrub.learn, mapped)
    pool = Pool(endpoints(settings), settings.max_in_flight, results, lease)
    memory = Memory(pool.hang_up)
    observer = Observer(core, source, dead_letters, metrics, health, schemas.cache_bytes, memory)
    adds: Announcing | None = None
    clock, waited = time.monotonic, metrics.journal_seconds.observe
    if journal is not None:
        adds = Announcing(pool, journal, source, core, results, lease=lease, clock=clock, waited=waited)
    exchange = Exchange(
        core, adds or pool, schemas, dead_letters, results, observer, clock=clock, jitter=random.random, adds=adds
    )
    sign_in = SignIn(settings, rotating(source, dead_letters, journal), scrub.learn)
    watch((sign_in, ProjectTokens(settings, pool.use_token, scrub.learn), MappingWatch(settings)))
    return Loop(core, source, exchange, observer, drain_timeout=settings.drain_timeout, lease=lease, clock=clock)


def dead_letters_of(settings: Settings, metrics: Metrics, scrub: Scrubber) -> DeadLetters:
    """The dead-letter producer."""
    return DeadLetters(
        producer_config(settings),
        settings.kafka_dead_letter_topic,
        group_id=settings.kafka_group_id,
        clock=time.monotonic,
        advice=create_dead_letters(settings.kafka_bootstrap_servers, settings.kafka_dead_letter_topic),
        scrub=scrub,
        took=metrics.dead_letter_seconds.observe,
    )


def rotating(
    source: Source, dead_letters: DeadLetters, journal: Journal | None
) -> Callable[[Settings, Collection[str]], None]:
    """What hands another way to sign in to the clients of Kafka."""

    def rotate(settings: Settings, files: Collection[str]) -> None:
        source.rotate(consumer_config(settings), files, random.uniform(0.0, STAGGER))
        dead_letters.rotate(producer_config(settings), files)
        if journal is not None:
            journal.rotate(consumer_config(settings), producer_config(settings), files)

    return rotate


def limits(settings: Settings, *, breaker: bool = True, most_open: int | None = None) -> Limits:
    """The settings that the core works by; without a `breaker`, and with `most_open` records at once, where asked."""
    return Limits(
        batch_updates=settings.batch_max_updates,
        batch_bytes=settings.batch_max_bytes,
        linger=settings.batch_linger,
        max_in_flight=settings.max_in_flight,
        open_records=min(settings.max_open_records, most_open or settings.max_open_records),
        open_bytes=settings.max_open_bytes,
        fold=settings.fold,
        resend_adds=settings.ambiguous_add == "resend",
        breaker=settings.dead_letter_breaker and breaker,
        announces=bool(settings.journal_topic),
    )


def pipeline(
    settings: Settings,
    by: Limits,
    out: Quarantine | None = None,
    mapped: Mapping[str, TopicMap] | None = None,
    only: Mapping[Record, Collection[str]] | None = None,
    past: Past | None = None,
) -> Pipeline:
    """The core, for the projects of the settings; `out` is what it leaves to the dead-letter topic.

    `past` is what earlier owners did with `$add`s, where that is known.
    """
    openings = {name: len(opening_of(project.token)) for name, project in settings.projects.items()}
    return Pipeline(openings, by, out, mapped, only, past)


def journal_of(settings: Settings, past: Past) -> Journal:
    """The journal of `$add`s."""
    topic, bootstrap = settings.journal_topic, settings.kafka_bootstrap_servers

    def advice(replicas: int) -> str:
        return create(bootstrap, topic, 1, TOPIC_CONFIG, max(0, replicas))

    reader = Reader(consumer_config(settings), topic, settings.kafka_topics, advice=advice)
    return Journal(past, reader, Writer(producer_config(settings), topic, time.monotonic), time.monotonic)


def quarantine(settings: Settings) -> Quarantine | None:
    """What QUARANTINE names; None where that is nothing, which then costs nothing."""
    named = settings.quarantine
    return Quarantine(named.places, named.projects, named.groups, named.schemas) if named else None


def endpoints(settings: Settings) -> dict[str, Mixpanel]:
    """Where each project's updates go."""
    return {
        name: Mixpanel(
            project.url, project.token, timeout=settings.mixpanel_timeout, connections=settings.max_in_flight
        )
        for name, project in settings.projects.items()
    }


def registry(
    settings: Settings,
    results: SchemaResults,
    learn: Learn = unlearnt,
    mapped: Mapping[str, TopicMap] | None = None,
) -> RegistryFetcher:
    """The schemas; `learn` is told each secret that changes."""
    return RegistryFetcher(
        access(settings, learn),
        hold_rules=settings.schema_rules == "hold",
        keys=keys(settings, learn),
        cache_dir=settings.schema_cache_dir,
        reader=reader(),
        results=results,
        mapped=mapped,
    )


def session_timeout(settings: Settings) -> float:
    """After how many seconds without a sign of life the group gives our partitions to others."""
    return float(str(consumer_config(settings).get("session.timeout.ms", 45_000))) / 1000


def reader() -> dict[str, Any]:
    """The event schema that every record is read as."""
    schema: dict[str, Any] = json.loads(files("consumer.schemas").joinpath(READER).read_text("utf-8"))
    return schema
