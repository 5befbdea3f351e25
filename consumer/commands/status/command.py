"""`status`: what each instance and partition does, and which record blocks it and why."""

import json
import time
from typing import Any, Final

import click

from consumer.commands.options import output_option
from consumer.commands.parsed import URL
from consumer.terminal.table import counted, show

DEFAULT_URL: Final = "http://localhost:8080"
WATCHED_EVERY: Final = 2.0
CALM: Final = ("in_flight", "linger", "limit", "lane")  # what passes by itself
NAMED: Final = {"rule": "rule", "path": "path", "id": "id"}  # what a detail may name, as people call it
EXAMPLES: Final = """\b
Examples:
  group-consumer status
  group-consumer status --url http://10.0.0.7:8080 --url http://10.0.0.8:8080 --watch

It asks the HTTP port of each instance for its /status. Exit status 1: one of them gave no answer.
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--url",
    "urls",
    type=URL,
    multiple=True,
    metavar="URL",
    default=[DEFAULT_URL],
    show_default=True,
    help="An instance's HTTP port; once for each instance.",
)
@click.option("--watch", is_flag=True, help="Show it again every 2 seconds, until interrupted.")
@output_option
def status(urls: tuple[str, ...], watch: bool, output: str) -> None:
    """Show what each instance and partition does, and which record blocks it and why."""
    from consumer.commands.status.asking import ask_all

    instances = ask_all(urls)
    show_as(instances, output, watch)
    try:
        while watch:
            time.sleep(WATCHED_EVERY)
            instances = ask_all(urls)
            show_as(instances, output, watch)
    except KeyboardInterrupt:
        pass
    if any("error" in answer for answer in instances):
        raise SystemExit(1)


def show_as(instances: list[dict[str, Any]], output: str, watch: bool) -> None:
    """Print what the instances answered; when it is watched a table takes the place of the last, JSON is a line."""
    if output == "json":
        click.echo(json.dumps(instances, indent=None if watch else 2, ensure_ascii=False))
        return
    if watch:
        click.clear()  # does nothing where there is no terminal
    show_all(instances)


def show_all(instances: list[dict[str, Any]]) -> None:
    """The instances, their projects where something is wrong with one, and the partitions of all of them in order."""
    rows = [instance(answer) for answer in instances]
    show(["instance", "state", "requests", "oldest"], rows, [colour(answer) for answer in instances])
    projects = [
        [answer["instance"], row["name"], row["halted"] or "", seconds(row["throttled_seconds"]), row["suspects"]]
        for answer in instances
        for row in answer.get("projects", [])
        if troubled(row)
    ]
    if projects:
        click.echo()
        show(["instance", "project", "halted", "throttled", "suspects"], projects, ["yellow"] * len(projects))
    partitions = sorted(
        [row for answer in instances for row in answer.get("partitions", [])],
        key=lambda row: (row["topic"], row["partition"]),
    )
    if partitions:
        click.echo()
        headers = ["partition", "committed", "read", "open", "lag", "behind", "blocked at", "for", "why"]
        show(headers, [partition(row) for row in partitions], [alarm(row) for row in partitions])
    click.echo(counted(len(partitions), "partition"))


def instance(answer: dict[str, Any]) -> list[object]:
    """One line for an instance."""
    if "error" in answer:
        return [answer["url"], answer["error"], "", ""]
    requests = answer["requests"]
    oldest = max([request["age_seconds"] for request in requests], default=None)
    state = "ready" if answer["ready"] else "not ready: " + "; ".join(answer["reasons"])
    return [answer["instance"], state, len(requests), seconds(oldest)]


def colour(answer: dict[str, Any]) -> str:
    """Red for what gives no answer, yellow for what is not ready."""
    if "error" in answer:
        return "red"
    return "" if answer["ready"] else "yellow"


def troubled(project: dict[str, Any]) -> bool:
    """Whether something holds the project up."""
    return bool(project["halted"] or project["throttled_seconds"] or project["suspects"])


def partition(row: dict[str, Any]) -> list[object]:
    """One line for a partition."""
    blocked = row["blocked"]
    place = f"{row['topic']}:{row['partition']}"
    numbers = [known(row[name]) for name in ("committed", "read", "open", "lag_records")]
    behind = seconds(row["lag_seconds"])
    if blocked is None:
        return [place, *numbers, behind, "", "", ""]
    return [place, *numbers, behind, known(blocked["offset"]), seconds(blocked["seconds"]), why(blocked)]


def why(blocked: dict[str, Any]) -> str:
    """The cause, with what is known of it."""
    detail = blocked["detail"]
    if blocked["cause"] == "lane":
        return f"lane: behind {detail['topic']}:{detail['partition']}:{detail['offset']}"
    if "answered" in detail:
        again = "" if detail["next_seconds"] is None else f", again in {seconds(detail['next_seconds'])}"
        return f"{blocked['cause']}: {detail['answered']}, {counted(detail['attempts'], 'attempt')}{again}"
    named = [f"{name} {detail[key]}" for key, name in NAMED.items() if key in detail]
    return f"{blocked['cause']}: {', '.join(named)}" if named else str(blocked["cause"])


def alarm(row: dict[str, Any]) -> str:
    """Yellow for a partition that something but the usual holds up."""
    blocked = row["blocked"]
    return "" if blocked is None or blocked["cause"] in CALM else "yellow"


def known(value: object) -> object:
    """The number, or that there is none."""
    return "?" if value is None else value


def seconds(value: float | None) -> str:
    """A time in seconds, short."""
    if value is None:
        return ""
    return f"{value:.1f} s" if value < 60 else f"{value / 60:.0f} min"
