"""What the commands of the mapping file are given: the file, and the secret of `as = "hash"`."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from consumer.commands.options import refuse
from consumer.event.model import DEFAULT
from consumer.mapping.reading import InvalidMapping, read
from consumer.mapping.rules import Mapping
from consumer.settings import Settings
from consumer.settings.sources import secret_in
from consumer.settings.values import Wrong

Command = TypeVar("Command", bound=Callable[..., Any])
SECRET: Final = "MAPPING_HASH_KEY"  # noqa: S105  # its name


@dataclass(frozen=True)
class Given:
    """The file's place and text, and the secret, empty where there is none."""

    path: Path
    text: str
    secret: bytes

    def read(self, settings: Settings) -> Mapping:
        """The mapping. Raises `InvalidMapping`."""
        projects = [name for name in settings.projects if name != DEFAULT]
        return read(self.text, settings.kafka_topics, projects, bool(self.secret))

    def valid(self, settings: Settings) -> Mapping:
        """The mapping; where the file has faults, they are told, and the command ends with status 2."""
        try:
            return self.read(settings)
        except InvalidMapping as invalid:
            for fault in invalid.faults:
                click.echo(f"{self.path}: {fault}", err=True)
            click.echo("error: the mapping file has faults: 'group-consumer map check' names all", err=True)
            raise SystemExit(2) from None


def mapping_options(function: Command) -> Command:
    """Give the command its `given`, and the options for it."""

    @functools.wraps(function)
    def call(*args: Any, mapping_file: Path, mapping_hash_key_file: str | None, **kwargs: Any) -> Any:
        try:
            text = mapping_file.read_bytes().decode("utf-8")
            secret = secret_of(mapping_hash_key_file)
        except UnicodeDecodeError:
            refuse([f'--mapping-file is "{mapping_file}": the file is not UTF-8 text'], as_json(kwargs))
        except OSError as failure:
            refuse([f'--mapping-file is "{mapping_file}": it cannot be read ({failure.strerror})'], as_json(kwargs))
        except Wrong as wrong:
            refuse([str(wrong)], as_json(kwargs))
        return function(*args, given=Given(mapping_file, text, secret), **kwargs)

    for option in (
        click.option(
            "--mapping-hash-key-file",
            envvar=f"{SECRET}_FILE",
            metavar="FILE",
            help=f'A file that holds {SECRET}, the secret of as = "hash".',
        ),
        click.option(
            "--mapping-file",
            envvar="MAPPING_FILE",
            required=True,
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="The mapping file.",
        ),
    ):
        call = option(call)
    return call  # type: ignore[return-value]


def secret_of(path: str | None) -> bytes:
    """The secret: that of the file, else that of the environment. Raises `Wrong`."""
    found = os.environ.get(SECRET, "")
    if path and found:
        raise Wrong(f"{SECRET} and {SECRET}_FILE are both given: give one of them")
    return (secret_in(path, f"{SECRET}_FILE") if path else found).encode()


def as_json(arguments: dict[str, Any]) -> bool:
    """Whether the command answers in JSON."""
    return arguments.get("output") == "json"
