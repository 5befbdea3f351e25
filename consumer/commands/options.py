"""What commands share: every setting as an option, and the shape of their output."""

import functools
import json
import os
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NoReturn, TypeVar

import click

from consumer.settings import Settings, SettingsError, load
from consumer.settings.declared import VARIABLES
from consumer.settings.variable import FILE_TWIN, Variable

Command = TypeVar("Command", bound=Callable[..., Any])
GIVEN: Final = "consumer.settings"


def settings_options(
    need: Collection[str] | None = None, *, shown: bool | Collection[str] = (), warn: bool = True
) -> Callable[[Command], Command]:
    """Give the command its `settings`, and every setting as an option.

    `need` are the required settings that the command cannot do without (None: all of them). The help text lists
    these, and those in `shown` (True: every one). Where something is wrong the command is not called: all
    problems are on stderr, exit status 2. Variables that nobody reads are warned of, unless `warn` is off.
    """

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            options = click.get_current_context().meta.get(GIVEN, {})
            try:
                settings = asked(options, need)
            except SettingsError as wrong:
                refuse(wrong.problems, kwargs.get("output") == "json")
            for warning in settings.warnings if warn else ():
                click.echo(f"warning: {warning}", err=True)
            return function(*args, settings=settings, **kwargs)

        for variable in reversed(VARIABLES):
            listed = shown is True or variable.name in (shown or ())
            listed = listed or (variable.required and (need is None or variable.name in need))
            if variable.twin:
                call = option_for(variable, FILE_TWIN, listed)(call)
            call = option_for(variable, "", listed)(call)
        return call  # type: ignore[return-value]

    return decorate


def asked(options: Mapping[str, str], need: Collection[str] | None) -> Settings:
    """The settings, as far as the Kafka client takes them, too; `SettingsError` names everything that is wrong."""
    settings = load(os.environ, options, need, terminal=sys.stderr.isatty())
    from consumer.kafka.refusals import refused_by_client

    problems = refused_by_client(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def option_for(variable: Variable, suffix: str, listed: bool) -> Callable[[Any], Any]:
    """The option of a setting, or of its `_FILE` twin."""
    name = variable.name + suffix
    default = variable.rule or variable.default
    meaning = f"A file that holds {variable.name}" if suffix else variable.meaning
    return click.option(
        variable.option + suffix.lower().replace("_", "-"),
        "given_" + name.lower(),
        metavar="FILE" if suffix else variable.kind.shape,
        help=meaning + (f"  [default: {default}]" if default and not suffix else ""),
        hidden=not listed,
        expose_value=False,
        callback=lambda context, _, value: keep(context, name, value),
    )


def keep(context: click.Context, name: str, value: str | None) -> None:
    """Remember the option for the moment at which the settings are read."""
    if value is not None:
        context.meta.setdefault(GIVEN, {})[name] = value


def refuse(problems: list[str], as_json: bool) -> NoReturn:
    """Say what is wrong with the settings, and end."""
    if as_json:
        click.echo(json.dumps({"problems": problems}, indent=2))
    count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
    click.secho(f"error: {count} wrong, and nothing was started:", fg="red", bold=True, err=True)
    for problem in problems:
        click.echo(f"  {problem}", err=True)
    raise SystemExit(2)


output_option = click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table for people, or JSON for programs.",
)
