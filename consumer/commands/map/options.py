"""What the commands of the mapping file share: the file has to be there, and its faults are told before all else."""

from pathlib import Path
from typing import NoReturn

import click

from consumer.commands.options import refuse
from consumer.mapping.mapper import TopicMap
from consumer.mapping.reading import InvalidMapping
from consumer.mapping.rules import Mapping
from consumer.settings import Settings
from consumer.settings.mapping import mapped_topics, mapping_of


def mapping_in(settings: Settings, *, as_json: bool = False, sends: bool = False) -> Mapping:
    """The mapping. Where none is set the command ends with status 2. Raises `InvalidMapping`.

    `sends` says that each rule needs its project, the default one, too.
    """
    try:
        mapping = mapping_of(settings, sends=sends)
    except OSError as failure:
        refuse([f'MAPPING_FILE is "{settings.mapping_file}": it cannot be read ({failure.strerror})'], as_json)
    if mapping is None:
        refuse(["MAPPING_FILE is not set: this command is about a mapping file (--mapping-file)"], as_json)
    return mapping


def valid(settings: Settings, *, as_json: bool = False, sends: bool = False) -> Mapping:
    """The same; where the file has faults, all are told, and the command ends with status 2."""
    try:
        return mapping_in(settings, as_json=as_json, sends=sends)
    except InvalidMapping as invalid:
        told(invalid, Path(settings.mapping_file))


def mapped_in(settings: Settings, *, sends: bool = False) -> dict[str, TopicMap]:
    """The rules by topic, none without MAPPING_FILE; where it has faults, all are told, and the command ends."""
    return mapped_topics(settings, valid(settings, sends=sends)) if settings.mapping_file else {}


def told(invalid: InvalidMapping, path: Path) -> NoReturn:
    """Say what is wrong with the file, and end."""
    for fault in invalid.faults:
        click.echo(f"{path}: {fault}", err=True)
    click.echo("error: the mapping file has faults, and nothing was started", err=True)
    raise SystemExit(2) from None
