"""`produce`: change events to the topic, from JSON lines or generated, as a careful producer would write them."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Final

import click
from confluent_kafka import KafkaError, Message, Producer
from fastavro import parse_schema

from consumer.commands.events import BadLine, Event, EventReader
from consumer.commands.options import output_option, settings_options
from consumer.kafka.broker_errors import BrokerError, Missing
from consumer.kafka.brokers import Brokers
from consumer.kafka.clients import ClientFailed, client
from consumer.kafka.config import producer_config
from consumer.kafka.topic_commands import create
from consumer.registry.subjects import RegistryApi, RegistryError
from consumer.schemas import newest
from consumer.settings import Settings
from consumer.settings.properties import silent
from consumer.terminal.progress import bar, say
from consumer.terminal.table import counted

NEED: Final = ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL")
# How long a record may wait for the brokers before the command gives up, in milliseconds.
PATIENCE_MS: Final = 60_000
EXAMPLES: Final = """\b
Examples:
  group-consumer produce events.jsonl
  tail -f changes.jsonl | group-consumer produce -
  group-consumer produce --generate 100000
  group-consumer produce --generate 10000 --bad 0.02

A line is a JSON object in the shape of schemas/group_change.avsc; all but group_key, group_id and operation may
be left out. 'group-consumer preview' shows what a file would do. The key is group_key:group_id, and goes where
Java's producers put it. The schema is looked up under the subject TOPIC-value, and registered where that has
it not.

A bad line is named and not written, the others are, and the exit status is 1. So it is where the brokers did not
confirm a record: then nothing after it is read, and what was confirmed is counted.
"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to write, and the number of its line or of the generated event."""

    line: int
    key: bytes
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] | None = None


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--generate", type=click.IntRange(1), metavar="N", help="Write N generated events.")
@click.option(
    "--bad",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="The share of the generated ones that cannot be applied, of every kind. Registers schemas of its own.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed generates the same events.")
@click.option("--topic", help="The topic to write to.  [default: the first of KAFKA_TOPICS]")
@output_option
@settings_options(need=NEED, shown=("KAFKA_TOPICS",))
def produce(
    settings: Settings,
    file: IO[bytes] | None,
    generate: int | None,
    bad: float,
    seed: int,
    topic: str | None,
    output: str,
) -> None:
    """Write change events to the topic: the JSON lines of FILE (- for standard input), or generated ones."""
    if (file is None) == (generate is None):
        raise click.UsageError("Give a FILE (- for standard input), or --generate N.")
    topic = topic or settings.kafka_topics[0]
    began = time.monotonic()
    with explained(settings, topic):
        with Brokers(settings) as brokers:
            partitions = brokers.topic(topic).partitions
        schema_id = schema_for(settings, topic)
        traffic = generated(settings, generate, bad, seed, schema_id) if generate else iter(())
        writer = RecordWriter(settings, topic)
    source = traffic if file is None else lines(file, writer, settings, schema_id)
    stopped = write_all(writer, source, generate or 0)
    summary: dict[str, Any] = {
        "topic": topic,
        "partitions": partitions,
        "schema_id": schema_id,
        "written": writer.written,
        "bad_lines": writer.bad,
        "unconfirmed": writer.unconfirmed,
        "seconds": round(time.monotonic() - began, 3),
    }
    tell(summary, output)
    raise SystemExit(1 if stopped or writer.bad or writer.unconfirmed else 0)


@contextmanager
def explained(settings: Settings, topic: str) -> Iterator[None]:
    """What cannot be had, in a sentence."""
    try:
        yield
    except Missing:
        raise click.ClickException(f"{topic}: there is no such topic. {creation(settings, topic)}") from None
    except (BrokerError, ClientFailed) as failure:
        raise click.ClickException(f"{topic}: {failure}") from None
    except RegistryError as failure:
        raise click.ClickException(str(failure)) from None


def write_all(writer: "RecordWriter", events: Iterable[Outgoing], total: int) -> bool:
    """Write until the end, a failure, or Ctrl-C; what is under way is waited for. Whether it was Ctrl-C.

    `total` is how many there are, 0 where nobody knows.
    """
    stopped = False
    with bar("Writing", total or None) as moved:
        try:
            for event in events:
                if not writer.write(event):
                    break
                moved(1)
            writer.flush()
        except KeyboardInterrupt:
            stopped = True
            say("stopped: waiting for what is under way")
            writer.flush()
    return stopped


class RecordWriter:
    """Writes records in order, and counts what the brokers confirmed."""

    def __init__(self, settings: Settings, topic: str) -> None:
        config = {**producer_config(settings), "message.timeout.ms": PATIENCE_MS, "logger": silent()}
        self._producer = client(Producer, config)
        self._topic = topic
        self.written = 0
        self.bad = 0
        self.unconfirmed = 0

    def write(self, event: Outgoing) -> bool:
        """Hand the record to the client, when it has room; False where an earlier one was not confirmed."""
        while not self.unconfirmed:
            try:
                self._producer.produce(
                    self._topic,
                    key=event.key,
                    value=event.value,
                    headers=event.headers,
                    on_delivery=partial(self._delivered, event.line),
                )
            except BufferError:
                self._producer.poll(0.1)
                continue
            self._producer.poll(0)
            return True
        return False

    def flush(self) -> None:
        """Wait until each event is confirmed, or is not going to be."""
        while self._producer.flush(0.1):
            pass

    def bad_line(self, bad: BadLine) -> None:
        """Name a line that is no event."""
        self.bad += 1
        click.secho(f"line {bad.line}: {bad.reason}: {bad.detail}", fg="red", err=True)

    def _delivered(self, line: int, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.written += 1
            return
        self.unconfirmed += 1
        if self.unconfirmed == 1:
            click.secho(f"line {line}: was not confirmed by the brokers: {error.str()}", fg="red", err=True)


def lines(file: IO[bytes], writer: RecordWriter, settings: Settings, schema_id: int) -> Iterator[Outgoing]:
    """The events of the file; what is none is named."""
    frame = b"\0" + schema_id.to_bytes(4, "big")
    for event in EventReader(settings.projects).read(file):
        if isinstance(event, Event):
            yield Outgoing(event.line, event.key.encode(), frame + event.value)
        else:
            writer.bad_line(event)


def generated(settings: Settings, count: int, bad: float, seed: int, schema_id: int) -> Iterator[Outgoing]:
    """So many events of the sandbox's traffic; without bad ones all of them have the event schema."""
    from consumer.sandbox.traffic import schemas as traffic_schemas
    from consumer.sandbox.traffic.traffic import Traffic

    if bad:
        writers = traffic_schemas.register(RegistryApi(settings).register)
    else:
        writer = traffic_schemas.WriterSchema(parse_schema(json.loads(newest())), schema_id, None)
        writers = traffic_schemas.Writers(writer, writer, writer, writer)
    for event in Traffic(writers, seed=seed, bad=bad).events(count):
        yield Outgoing(event.number, event.key, event.value, event.headers)


def schema_for(settings: Settings, topic: str) -> int:
    """The id of the newest event schema under the topic's subject, registered where it is not there."""
    api, subject = RegistryApi(settings), f"{topic}-value"
    known = api.find(subject, newest())
    if known is not None:
        return known
    number = api.register(subject, newest())
    click.echo(f"registered the event schema under {subject}: id {number}", err=True)
    return number


def creation(settings: Settings, topic: str) -> str:
    """How to create the topic."""
    return f"Create it: {create(settings.kafka_bootstrap_servers, topic, 12, {})}"


def tell(summary: dict[str, Any], output: str) -> None:
    """What was done, in one line or as JSON."""
    if output == "json":
        click.echo(json.dumps(summary, indent=2))
        return
    place = f"{summary['topic']} ({counted(summary['partitions'], 'partition')}, schema id {summary['schema_id']})"
    click.echo(f"{counted(summary['written'], 'event')} written to {place} in {summary['seconds']:.1f} s")
    if summary["bad_lines"]:
        click.echo(f"{counted(summary['bad_lines'], 'bad line')} not written")
    if summary["unconfirmed"]:
        click.echo(f"{counted(summary['unconfirmed'], 'event')} not confirmed: they may or may not be in the topic")
