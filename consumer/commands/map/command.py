"""`map init`, `map check`, `map preview` and `map test`: what would be wrong with a mapping file, before it runs."""

import json
from pathlib import Path
from typing import IO, Any, Final

import click

from consumer.commands.map.options import mapping_in, valid
from consumer.commands.options import output_option, refuse, settings_options
from consumer.mapping.faults import Fault
from consumer.settings import Settings
from consumer.terminal.table import counted, show

INIT_SHOWN: Final = ("KAFKA_TOPICS", "KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "MIXPANEL_PROJECTS_FILE")
SHOWN: Final = ("MAPPING_FILE", "MAPPING_HASH_KEY", *INIT_SHOWN)


@click.group("map")
def map_() -> None:
    """Check a mapping file, which makes updates of your own events, and try it."""


INIT: Final = """\b
Examples:
  group-consumer map init --topic crm.public.companies > companies.toml
  group-consumer map check --mapping-file companies.toml

Fields that look like personal data, by name or by value, are commented out. With KAFKA_BOOTSTRAP_SERVERS the topic's
last 50 records are read, too: they show how keys are written, whether values are null where a row is gone (as in a
compacted topic), and which field is what the key is. It joins no group and commits nothing.
"""


@map_.command(epilog=INIT)
@click.option("--topic", required=True, metavar="TOPIC", help="The topic; its schemas are registered.")
@settings_options(("SCHEMA_REGISTRY_URL",), shown=INIT_SHOWN)
def init(settings: Settings, topic: str) -> None:
    """Write a first mapping file for a topic, from its schemas and its last records."""
    from consumer.commands.dlq.starting import start_log, told
    from consumer.commands.map.findings import compacted_of
    from consumer.commands.map.first_file import first_file
    from consumer.commands.map.registered import RegisteredSchemas, by_record
    from consumer.commands.map.samples import SampleFacts, sampled, seen
    from consumer.kafka.broker_errors import BrokerError
    from consumer.registry.subjects import RegistryError

    schemas, compacted, shown = RegisteredSchemas(settings), False, SampleFacts()
    start_log(settings)
    try:
        registered = schemas.of(topic, ())
        if settings.kafka_bootstrap_servers:
            with told():
                shown = seen(sampled(settings, topic), schemas)
            compacted = bool(compacted_of(settings, [topic]))
    except (RegistryError, BrokerError) as failure:
        raise click.ClickException(str(failure)) from None
    values = registered.values or by_record(shown.values)
    text = first_file(topic, values, registered.key or shown.key_type, compacted, shown)
    if "[[rule]]" not in text:
        raise click.ClickException(f"no record is registered for {topic} (asked for {', '.join(registered.asked)})")
    click.echo(text, nl=False)


CHECK: Final = """\b
Examples:
  group-consumer map check --mapping-file companies.toml
  group-consumer map check --mapping-file companies.toml --output json \\
    --kafka-topics crm.public.companies --mixpanel-projects-file projects.toml

Schemas are looked for under TOPIC-value, TOPIC-RECORD, RECORD and TOPIC-key. With KAFKA_BOOTSTRAP_SERVERS
it is asked which topics are compacted. Exit status: 1 with faults; notes alone are 0.
"""


@map_.command(epilog=CHECK)
@output_option
@settings_options(("SCHEMA_REGISTRY_URL",), shown=SHOWN)
def check(settings: Settings, output: str) -> None:
    """Name every fault of the mapping file, with its line, and what may surprise."""
    from consumer.commands.map.findings import findings_of
    from consumer.kafka.broker_errors import BrokerError
    from consumer.registry.subjects import RegistryError

    try:
        findings = findings_of(settings, lambda: mapping_in(settings, as_json=output == "json"))
    except (RegistryError, BrokerError) as failure:
        raise click.ClickException(str(failure)) from None
    if output == "json":
        content = {"faults": list(map(as_json, findings.faults)), "notes": list(map(as_json, findings.notes))}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        rows = [["fault", *cells(fault)] for fault in findings.faults]
        rows += [["note", *cells(note)] for note in findings.notes]
        colours = ["red"] * len(findings.faults) + [""] * len(findings.notes)
        if rows:
            show(["kind", "line", "where", "what"], rows, colours)
    click.echo(f"{counted(len(findings.faults), 'fault')}, {counted(len(findings.notes), 'note')}", err=True)
    raise SystemExit(1 if findings.faults else 0)


PREVIEW: Final = """\b
Examples:
  group-consumer map preview --mapping-file companies.toml \\
    --topic crm.public.companies --last 20
  group-consumer map preview --mapping-file companies.toml \\
    --topic crm.public.companies --file records.jsonl --output json

A line of FILE is a JSON object with key, value, headers and record (which may be left out), written with the newest
registered schema. It commits nothing and joins no group. Exit status: 1 where a record would become a dead letter, or
would hold its partition.
"""


@map_.command(epilog=PREVIEW)
@click.option("--topic", required=True, metavar="TOPIC", help="The topic, which a rule of the file names.")
@click.option("--last", type=click.IntRange(1, 10_000), default=50, show_default=True, help="So many of its records.")
@click.option("--file", type=click.File("rb"), metavar="FILE", help="Records from here, not from the topic.")
@output_option
@settings_options(("SCHEMA_REGISTRY_URL",), shown=SHOWN)
def preview(settings: Settings, topic: str, last: int, file: IO[bytes] | None, output: str) -> None:
    """Show records of the topic beside the updates that they become, and send nothing."""
    from consumer.commands.dlq.starting import start_log, told
    from consumer.commands.map.preview import Preview
    from consumer.kafka.broker_errors import BrokerError
    from consumer.registry.subjects import RegistryError

    mapping = valid(settings, as_json=output == "json")
    if not any(topic in rule.topics for rule in mapping.rules):
        raise click.UsageError(f"no rule of {settings.mapping_file} names the topic {topic}")
    if file is None and not settings.kafka_bootstrap_servers:
        refuse(["KAFKA_BOOTSTRAP_SERVERS is not set: records are read from there (or --file)"], output == "json")
    start_log(settings)
    try:
        with told():
            shown = Preview(settings, mapping, settings.mapping_hash_key.encode(), topic)
            lines = shown.of_topic(last) if file is None else shown.of_file(file)
    except (RegistryError, BrokerError) as failure:
        raise click.ClickException(str(failure)) from None
    if output == "json":
        click.echo(json.dumps([line.as_json() for line in lines], indent=2, ensure_ascii=False))
    elif lines:
        headers = ["record", "rule", "became", "update, or why there is none"]
        show(headers, [line.cells() for line in lines], ["red" if line.bad else "" for line in lines])
    records = len({line.record for line in lines})
    updates = counted(sum(line.update is not None for line in lines), "update")
    click.echo(
        f"{counted(records, 'record')}, {updates}, {sum(line.bad for line in lines)} refused or held", err=True
    )
    raise SystemExit(1 if any(line.bad for line in lines) else 0)


TEST: Final = """\b
Examples:
  group-consumer map test --mapping-file companies.toml
  group-consumer map test --mapping-file companies.toml --junit report.xml

A test has the schema of its file, else the newest that is registered. Exit status: 1 where a test fails; lines that
no test reached are told, and are no failure.
"""


@map_.command(epilog=TEST)
@click.option(
    "--junit",
    "report",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a report for CI.",
)
@output_option
@settings_options((), shown=SHOWN)
def test(settings: Settings, report: Path | None, output: str) -> None:
    """Run the tests of the mapping file through real Avro bytes."""
    from consumer.commands.map.examples import Examples, junit
    from consumer.commands.map.registered import RegisteredSchemas
    from consumer.registry.subjects import RegistryError

    mapping = valid(settings, as_json=output == "json")
    schemas = RegisteredSchemas(settings) if settings.schema_registry_url else None
    examples = Examples(mapping, settings.mapping_hash_key.encode(), (), Path(settings.mapping_file).parent, schemas)
    try:
        outcomes = examples.run()
    except RegistryError as failure:
        raise click.ClickException(str(failure)) from None
    if report is not None:
        report.write_bytes(junit(outcomes, Path(settings.mapping_file)))
    unreached = examples.unreached()
    failed = [result for result in outcomes if result.why]
    if output == "json":
        tests = [
            {"line": result.line, "rule": result.rule or None, "passed": not result.why, "why": result.why}
            for result in outcomes
        ]
        lines = [{"line": line, "rule": rule, "what": what} for line, rule, what in unreached]
        click.echo(json.dumps({"tests": tests, "unreached": lines}, indent=2, ensure_ascii=False))
    else:
        for result in failed:
            click.secho(f"test {result.number}, line {result.line}, fails:", fg="red", bold=True)
            click.echo(result.why)
        if unreached:
            show(["line", "rule", "no test reached"], [list(row) for row in unreached])
    click.echo(f"{counted(len(outcomes), 'test')}, {len(failed)} failed", err=True)
    raise SystemExit(1 if failed else 0)


def as_json(problem: Fault) -> dict[str, Any]:
    """For programs; `nearest` is null where no name is near."""
    return {"line": problem.line, "where": problem.where, "message": problem.message, "nearest": problem.near or None}


def cells(problem: Fault) -> list[Any]:
    """For people."""
    return [problem.line, problem.where, problem.message + (f" (nearest: {problem.near})" if problem.near else "")]
