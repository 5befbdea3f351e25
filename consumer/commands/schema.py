"""`schema show`, `schema register`, `schema compatible`: the event schema and the registry."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from consumer.commands.options import output_option, settings_options
from consumer.commands.schema_judge import Judgement, judge
from consumer.registry.errors import Unusable
from consumer.registry.keys import not_run
from consumer.registry.rules import named as named_rules
from consumer.registry.subjects import RegisteredVersion, RegistryApi, RegistryError
from consumer.schemas import newest
from consumer.settings import Settings
from consumer.terminal.table import show as show_table

NEED: Final = ("SCHEMA_REGISTRY_URL",)
FILE: Final = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
SUBJECTS: Final = click.option(
    "--subject",
    "subjects",
    multiple=True,
    help="The subject; may be given again.  [default: TOPIC-value of each of KAFKA_TOPICS]",
)


@click.group()
def schema() -> None:
    """Show, register and compare the event schema."""


SHOW: Final = """\b
Examples:
  group-consumer schema show
  group-consumer schema show --avsc > group_change.avsc
  group-consumer schema show --schema-registry-url http://registry:8081
"""


@schema.command(epilog=SHOW)
@click.option("--avsc", is_flag=True, help="Only the text of the schema, as a producer needs it.")
@SUBJECTS
@output_option
@settings_options(need=(), shown=("SCHEMA_REGISTRY_URL", "KAFKA_TOPICS"))
def show(settings: Settings, avsc: bool, subjects: tuple[str, ...], output: str) -> None:
    """Show the event schema, and with a registry what versions the subjects have.

    'reads' says whether the service can read records of a version: all of them, some, or none; held: rules for
    reading stand in the way, unless SCHEMA_RULES=ignore.
    """
    if avsc:
        click.echo(newest(), nl=False)
        return
    versions = registered(settings, subjects) if settings.schema_registry_url else []
    if output == "json":
        content = {"schema": json.loads(newest()), "versions": versions}
        click.echo(json.dumps(content, indent=2))
        return
    fields = json.loads(newest())["fields"]
    rows = [[field["name"], kind(field["type"]), default(field), field.get("doc", "")] for field in fields]
    show_table(["field", "type", "default", "meaning"], rows)
    if settings.schema_registry_url:
        click.echo()
        headers = ["subject", "version", "id", "reads", "why"]
        show_table(headers, [[version[name] for name in headers] for version in versions])


REGISTER: Final = """\b
Examples:
  group-consumer schema register
  group-consumer schema register my_change.avsc --subject my-topic-value

A schema that the subject has already is not registered again. One whose records the service could not read is
not registered at all.
"""


@schema.command(epilog=REGISTER)
@FILE
@SUBJECTS
@output_option
@settings_options(need=NEED, shown=("KAFKA_TOPICS",))
def register(settings: Settings, file: Path | None, subjects: tuple[str, ...], output: str) -> None:
    """Register the event schema, or that of FILE, under the subject of each topic."""
    text = text_of(file)
    judged = judge(text)
    if judged.readable == "none":
        raise click.ClickException(f"not registered, as the service could read no record of it: {judged.why}")
    if judged.readable == "some":
        click.echo(f"warning: some records of it will be dead letters: {judged.why}", err=True)
    api, rows = RegistryApi(settings), []
    for subject in named(settings, subjects):
        try:
            known = api.find(subject, text)
            number = api.register(subject, text) if known is None else known
        except RegistryError as failure:
            raise click.ClickException(str(failure)) from None
        rows.append({"subject": subject, "id": number, "result": "registered" if known is None else "was there"})
    tell(rows, ["subject", "id", "result"], output)


COMPATIBLE: Final = """\b
Examples:
  group-consumer schema compatible
  group-consumer schema compatible my_change.avsc --subject my-topic-value

Two questions: can the service read records of this schema, and would the registry take it as the subject's next
version? Exit status 1 where one answer is no.
"""


@schema.command(epilog=COMPATIBLE)
@FILE
@SUBJECTS
@output_option
@settings_options(need=NEED, shown=("KAFKA_TOPICS",))
def compatible(settings: Settings, file: Path | None, subjects: tuple[str, ...], output: str) -> None:
    """Say whether the event schema, or that of FILE, fits the service and the subjects."""
    text = text_of(file)
    rows = [of_service(judge(text))]
    api = RegistryApi(settings)
    for subject in named(settings, subjects):
        try:
            rows.append(of_registry(subject, api.incompatibilities(subject, text)))
        except RegistryError as failure:
            raise click.ClickException(str(failure)) from None
    tell(rows, ["with", "compatible", "why"], output, ["" if row["compatible"] != "no" else "red" for row in rows])
    raise SystemExit(1 if any(row["compatible"] == "no" for row in rows) else 0)


def of_service(judged: Judgement) -> dict[str, Any]:
    """What the service says."""
    answer = {"all": "yes", "some": "partly", "none": "no"}[judged.readable]
    return {"with": "this service", "compatible": answer, "why": judged.why}


def of_registry(subject: str, messages: list[str] | None) -> dict[str, Any]:
    """What the registry says of one subject."""
    if messages is None:
        return {"with": subject, "compatible": "yes", "why": "the subject has no version yet"}
    return {"with": subject, "compatible": "no" if messages else "yes", "why": "; ".join(messages)}


def registered(settings: Settings, subjects: Sequence[str]) -> list[dict[str, Any]]:
    """Every version of the subjects, and whether the service reads it."""
    api, rows = RegistryApi(settings), []
    for subject in named(settings, subjects):
        try:
            versions = api.versions(subject)
            if versions is None:
                rows.append(row(subject, why="there is no such subject: 'group-consumer schema register' makes it"))
            rows += [version_row(api, version, settings.schema_rules == "hold") for version in versions or []]
        except RegistryError as failure:
            raise click.ClickException(str(failure)) from None
    return rows


def version_row(api: RegistryApi, version: RegisteredVersion, hold: bool) -> dict[str, Any]:
    """One version, judged; `hold` says whether rules for reading stand in the way."""
    try:
        fetched = api.fetched(version.id)
        judged = judge(fetched.schema, fetched.references)
        if (rules := not_run(fetched)) and hold:
            judged = Judgement("held", f"rules for reading it are not run here: {named_rules(rules)}")
    except Unusable as other:
        judged = Judgement("none", str(other))
    return row(version.subject, version.version, version.id, judged.readable, judged.why)


def row(subject: str, version: Any = "-", number: Any = "-", reads: str = "-", why: str = "") -> dict[str, Any]:
    """One line of the table of versions."""
    return {"subject": subject, "version": version, "id": number, "reads": reads, "why": why}


def named(settings: Settings, subjects: Sequence[str]) -> Sequence[str]:
    """The subjects that were asked for, else those of the topics."""
    return subjects or [f"{topic}-value" for topic in settings.kafka_topics]


def text_of(file: Path | None) -> str:
    """The schema of the file, else the newest event schema."""
    if file is None:
        return newest()
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise click.ClickException(f"{file} cannot be read: {failure}") from None


def tell(rows: list[dict[str, Any]], headers: list[str], output: str, colours: Sequence[str] = ()) -> None:
    """The rows as a table, or as JSON."""
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
    else:
        show_table(headers, [[row[name] for name in headers] for row in rows], colours)


def kind(avro: Any) -> str:
    """An Avro type in a few words."""
    if isinstance(avro, list):
        return " | ".join(dict.fromkeys(kind(branch) for branch in avro))
    if isinstance(avro, str):
        return avro
    if avro["type"] == "enum":
        return "one of " + ", ".join(avro["symbols"])
    if avro["type"] == "map":
        return f"map of {kind(avro['values'])}"
    if avro["type"] == "array":
        return f"array of {kind(avro['items'])}"
    return str(avro.get("logicalType") or avro["type"])


def default(field: dict[str, Any]) -> str:
    """The field's default as JSON."""
    return json.dumps(field["default"]) if "default" in field else "required"
