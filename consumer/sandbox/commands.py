"""The commands `sandbox` and `demo`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from typing import Final

import click

from consumer.sandbox.errors import SandboxError
from consumer.sandbox.stopping import until_stopped, wait

PORT: Final = click.IntRange(1, 65535)
SANDBOX_EXAMPLES: Final = """\b
Examples:
  group-consumer sandbox > sandbox.env &
  . ./sandbox.env && group-consumer run
  group-consumer sandbox --only mixpanel --mixpanel-port 8000

The lines 'export NAME=value' come all at once, when everything is ready. How far it is goes to standard error.
The port of Mixpanel has a page for a browser. Ctrl-C or SIGTERM ends it and leaves nothing behind.
"""
DEMO_EXAMPLES: Final = """\b
Examples:
  group-consumer demo
  group-consumer demo --events 100000
  group-consumer demo --mapping
  group-consumer demo --projects 2
  group-consumer demo --serve

Exit status: 0 where every event came to what it should, 1 where it did not (and what differs), 2 wrong usage.
"""


@click.command(epilog=SANDBOX_EXAMPLES)
@click.option("--only", metavar="PARTS", help="Some of: broker,registry,mixpanel.  [default: all]")
@click.option("--broker-port", type=PORT, metavar="N", help="Port of Kafka.  [default: a free one]")
@click.option("--registry-port", type=PORT, metavar="N", help="Port of the registry.  [default: a free one]")
@click.option("--mixpanel-port", type=PORT, metavar="N", help="Port of Mixpanel.  [default: a free one]")
def sandbox(only: str | None, broker_port: int | None, registry_port: int | None, mixpanel_port: int | None) -> None:
    """Start what the service talks to, on loopback: Kafka, a schema registry, Mixpanel. Until stopped."""
    from consumer.sandbox.sandbox import Sandbox

    ports = {"broker": broker_port, "registry": registry_port, "mixpanel": mixpanel_port}
    parts = _parts(only, ports)
    with _told(), until_stopped():
        started = Sandbox(
            parts,
            broker_port=broker_port or 0,
            registry_port=registry_port or 0,
            mixpanel_port=mixpanel_port or 0,
            say=lambda line: click.echo(line, err=True),
        )
        with started:
            lines = [f"export {name}={quote(value)}\n" for name, value in started.exports().items()]
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
            click.echo("ready; Ctrl-C stops it", err=True)
            wait()


@click.command(epilog=DEMO_EXAMPLES)
@click.option("--events", type=click.IntRange(1), default=20_000, show_default=True, metavar="N", help="How many.")
@click.option(
    "--serve", is_flag=True, help="Keep it and its traffic going, with a page for a browser, until stopped."
)
@click.option("--mapping", is_flag=True, help="The changes of a table, as Debezium writes them, by a mapping file.")
@click.option(
    "--projects", type=click.IntRange(1, 100), default=1, show_default=True, metavar="N", help="Of Mixpanel."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the traffic.")
def demo(events: int, serve: bool, mapping: bool, projects: int, seed: int) -> None:
    """Run the whole job on this machine, bad records included, and show what came of it.

    Kafka, a registry and Mixpanel are the sandbox's; the service is the real one, in a process of its own.
    """
    from consumer.sandbox.demo.demo import run_demo
    from consumer.sandbox.demo.serve import serve as serve_until_stopped

    if mapping and projects > 1:
        raise click.UsageError("--projects is for group changes: without --mapping")
    if serve and mapping:
        raise click.UsageError("--serve shows group changes: without --mapping")
    status = 0 if serve else 1  # a demo that was stopped has shown nothing
    with _told(), until_stopped():
        if serve:
            serve_until_stopped(seed, projects)
        else:
            status = run_demo(events, seed, projects, mapping=mapping)
    raise SystemExit(status)


def _parts(only: str | None, ports: dict[str, int | None]) -> list[str]:
    """The parts that are asked for. A wrong one, and a port for none of them, is wrong usage."""
    parts = [part.strip() for part in only.split(",") if part.strip()] if only is not None else list(ports)
    wrong = [part for part in parts if part not in ports]
    if wrong or not parts:
        raise click.BadParameter(
            f"{wrong[0] if wrong else 'nothing'} is none of {', '.join(ports)}", param_hint="--only"
        )
    for part, port in ports.items():
        if port is not None and part not in parts:
            raise click.UsageError(f"--{part}-port without {part} in --only")
    return parts


@contextmanager
def _told() -> Iterator[None]:
    """What keeps it from starting or from going on is told in a sentence, exit status 1."""
    from confluent_kafka import KafkaException

    try:
        yield
    except (SandboxError, KafkaException, TimeoutError) as error:
        raise click.ClickException(str(error)) from error
