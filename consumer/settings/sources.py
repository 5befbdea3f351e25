"""Where the text of each setting comes from: an option, the environment, a file that one of them names, a default."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumer.settings.addresses import without_credentials
from consumer.settings.declared import VARIABLES
from consumer.settings.properties import HIDDEN
from consumer.settings.values import Wrong, reason
from consumer.settings.variable import FILE_TWIN, Variable

MAX_SECRET: Final = 64 * 1024
OPTION: Final = "option"
ENVIRONMENT: Final = "environment"


@dataclass(frozen=True)
class Given:
    """What was given for a setting, as it may be shown, and where: `option`, `environment`, or a secret's file."""

    text: str
    origin: str

    @property
    def file(self) -> str:
        """The file that it was read from; empty where it was read from none."""
        return "" if self.origin in (OPTION, ENVIRONMENT) else self.origin


def gather(
    environ: Mapping[str, str], options: Mapping[str, str], need: Collection[str] | None
) -> tuple[dict[str, Given], dict[str, object], dict[str, str]]:
    """What was given, the value of every setting, and the problem of each wrong one, which has its default."""
    given: dict[str, Given] = {}
    values: dict[str, object] = {}
    problems: dict[str, str] = {}
    for variable in VARIABLES:
        try:
            text_and_origin = find(variable, environ, options)
            if text_and_origin is not None:
                text, origin = text_and_origin
                values[variable.name] = read(variable, text, origin)
                shown = HIDDEN if variable.secret else text.replace("\n", ",")
                given[variable.name] = Given(shown, origin)
            elif variable.required and (need is None or variable.name in need):
                empty = " is empty" if environ.get(variable.name) == "" else " is not set"
                problems[variable.name] = f"{variable.name}{empty}: it is required. {variable.meaning}"
        except Wrong as wrong:
            problems[variable.name] = str(wrong)
        if variable.name not in values:
            values[variable.name] = default_of(variable)
    return given, values, problems


def find(variable: Variable, environ: Mapping[str, str], options: Mapping[str, str]) -> tuple[str, str] | None:
    """The setting's text with its origin; None where nobody gives one. Raises `Wrong`."""
    for origin, source in ((OPTION, options), (ENVIRONMENT, environ)):
        text_and_origin = found_in(variable, source, origin)
        if text_and_origin is not None:
            return text_and_origin
    return None


def found_in(variable: Variable, source: Mapping[str, str], origin: str) -> tuple[str, str] | None:
    """The setting's text in one source: itself, or the content of the file that its twin names."""
    name = variable.name
    text = source.get(name, "")
    path = source.get(name + FILE_TWIN, "") if variable.twin else ""
    if text and path:
        raise Wrong(f"{label(variable, origin)} and {name}{FILE_TWIN} are both given: give one of them")
    if path:
        content = secret_in(path, name + FILE_TWIN)
        # A comma in a line separates nothing.
        return content.replace(",", "\\,") if variable.lines else content, path
    if not text and name in source and variable.default:
        raise Wrong(f"{label(variable, origin)} is empty: unset it for the default, {variable.default}")
    if not text:
        return None
    return (text if variable.secret else text.strip()), origin


def secret_in(path: str, name: str) -> str:
    """What the file holds, without the line break at its end. Raises `Wrong`."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET + 1)
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise Wrong(f'{name} is "{path}": the file is not UTF-8 text') from None
    except (OSError, ValueError) as failure:
        raise Wrong(f'{name} is "{path}": the file cannot be read ({reason(failure)})') from None
    if len(content) > MAX_SECRET:
        raise Wrong(f'{name} is "{path}": the file is larger than 64 KiB')
    if not text:
        raise Wrong(f'{name} is "{path}": the file is empty')
    return text


def read(variable: Variable, text: str, origin: str) -> object:
    """The value; `Wrong` names the setting, what it is (never a secret), and what is allowed."""
    try:
        return variable.kind.read(text)
    except Wrong as wrong:
        value = "has a wrong value (not shown)" if variable.secret else f'is "{clipped(text)}"'
        link = ""
        if text.startswith(("tcp://", "udp://")):
            link = "; this looks like a Kubernetes service link: set enableServiceLinks to false"
        raise Wrong(f"{label(variable, origin)} {value}: allowed is {wrong}{link}") from None


def label(variable: Variable, origin: str) -> str:
    """The setting's name, and its option where that was used."""
    return f"{variable.name} ({variable.option})" if origin == OPTION else variable.name


def clipped(text: str) -> str:
    """The text in one line of bearable length, without credentials."""
    line = ",".join(without_credentials(part) if "://" in part else part for part in text.split(","))
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= 120 else line[:117] + "..."


def default_of(variable: Variable) -> object:
    """The value where nothing is given."""
    return variable.kind.read(variable.default) if variable.default else variable.kind.empty
