"""How a command that reads topics starts and fails: its log, and one sentence for what cannot be done."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from consumer.commands.dlq.scan import Failed
from consumer.kafka.clients import ClientFailed
from consumer.settings import Settings
from consumer.settings.scrub import Scrubber


def start_log(settings: Settings) -> Scrubber:
    """Only what the output does not say itself, unless LOG_LEVEL asks for more. Returns what scrubs it."""
    from consumer.service import logs

    level = settings.log_level if "LOG_LEVEL" in settings.given else "error"
    scrub = Scrubber(settings.secrets())
    logs.start(level, settings.log_format, scrub)
    return scrub


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done is told in a sentence, exit status 1."""
    try:
        yield
    except (Failed, ClientFailed) as failed:
        raise click.ClickException(str(failed)) from failed
