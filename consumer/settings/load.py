"""Everything that can be configured, read and checked at once, before anything is started.

    load(environ, options) -> Settings, or SettingsError with every problem

An option goes before the environment. `X_FILE` is the twin of a secret or a list: the name of a file that
holds it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from consumer.event.model import DEFAULT
from consumer.settings.addresses import without_credentials
from consumer.settings.checks import JOURNAL, contradictions, unknown_variables
from consumer.settings.declared import BY_NAME, HOSTS, QUERY_HOSTS, VARIABLES, Declared
from consumer.settings.exposure import exposed
from consumer.settings.projects import Project, clashes, read_projects
from consumer.settings.properties import HIDDEN, SETTING_OF, is_secret, read_properties, shown
from consumer.settings.read_back import region_of
from consumer.settings.sources import Given, gather
from consumer.settings.variable import Variable


class SettingsError(Exception):
    """Something is set wrongly. `problems` names all of it, without any secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class ShownSetting:
    """One setting as people see it. `origin` is default, environment, option, or the file it was read from."""

    name: str
    value: str
    origin: str
    default: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Settings(Declared):
    """The declared ones, and what is made of them."""

    kafka_properties: dict[str, str] = field(repr=False)
    projects: Mapping[str, Project]
    warnings: tuple[str, ...] = field(repr=False, compare=False)
    given: Mapping[str, Given] = field(repr=False, compare=False)

    @property
    def journal_topic(self) -> str:
        """Where each `$add` is announced before it is sent; empty where none is."""
        return f"{self.kafka_group_id}{JOURNAL}" if self.add_journal == "on" else ""

    def rows(self) -> list[ShownSetting]:
        """Every setting, then the properties of the file: as it may be shown."""
        rows = [self._row(variable) for variable in VARIABLES]
        for name in sorted(self.kafka_properties.keys() - SETTING_OF.keys()):
            value = shown(name, self.kafka_properties[name])
            rows.append(ShownSetting(name, value, self.kafka_properties_file, "", "A property of librdkafka"))
        for project in self.projects.values():
            if project.name != DEFAULT:
                origin = self.mixpanel_projects_file
                rows.append(
                    ShownSetting(f"[{project.name}]", project.shown(), origin, "", "A project that events can name")
                )
        return rows

    def secrets(self) -> list[str]:
        """The values that must not stand in any output."""
        secrets = [str(getattr(self, variable.field)) for variable in VARIABLES if variable.secret]
        secrets += [value for name, value in self.kafka_properties.items() if is_secret(name)]
        secrets += [secret for project in self.projects.values() for secret in project.secrets()]
        for url in self.schema_registry_url:
            password = urlsplit(url).password
            secrets += [password, unquote(password)] if password else []
        return [secret for secret in secrets if secret]

    def _row(self, variable: Variable) -> ShownSetting:
        value, origin = self._given(variable)
        if variable.secret and value:
            value = HIDDEN
        elif variable.name == "SCHEMA_REGISTRY_URL":
            value = ",".join(without_credentials(url) for url in self.schema_registry_url)
        return ShownSetting(variable.name, value, origin, variable.rule or variable.default, variable.meaning)

    def _given(self, variable: Variable) -> tuple[str, str]:
        """The setting's value as text, and where it is from."""
        given = self.given.get(variable.name)
        if given is not None:
            return given.text, given.origin
        for name, setting in SETTING_OF.items():
            if setting == variable.name and name in self.kafka_properties:
                return self.kafka_properties[name], self.kafka_properties_file
        if variable.rule:
            return str(getattr(self, variable.field) or variable.rule), "default"
        return variable.default, "default"


def load(
    environ: Mapping[str, str],
    options: Mapping[str, str] | None = None,
    need: Collection[str] | None = None,
    *,
    terminal: bool = False,
) -> Settings:
    """The settings; `SettingsError` names everything that is wrong with them.

    `options` maps a variable's name (or its `_FILE` twin's) to its text. `need` are the required variables that
    the command cannot do without, None for all. `terminal` says whether a person reads the log. Nothing
    else is looked at but these and the files that they name.
    """
    options = options or {}
    given, values, alone = gather(environ, options, needed(environ, options, need))
    problems = list(alone.values())
    path = values["KAFKA_PROPERTIES_FILE"]
    properties: dict[str, str] = {}
    if isinstance(path, str) and path:
        properties, wrong = read_properties(path)
        problems += [f"KAFKA_PROPERTIES_FILE {line}" for line in wrong]
    fill_in(values, terminal)
    problems += contradictions(values, given, properties, alone.keys())
    projects, wrong = all_projects(values, given)
    problems += [f"MIXPANEL_PROJECTS_FILE {fault}" for fault in wrong]
    if problems:
        raise SettingsError(problems)
    return Settings(
        **{BY_NAME[name].field: value for name, value in values.items()},  # type: ignore[arg-type]
        kafka_properties=properties,
        projects=projects,
        warnings=(*unknown_variables(environ), *exposed(values, given, properties, projects.values())),
        given=given,
    )


def needed(
    environ: Mapping[str, str], options: Mapping[str, str], need: Collection[str] | None
) -> Collection[str] | None:
    """The required variables: with projects in a file there need be no default one."""
    name = "MIXPANEL_PROJECTS_FILE"
    if not options.get(name) and not environ.get(name):
        return need
    every = [variable.name for variable in VARIABLES if variable.required] if need is None else need
    return [other for other in every if other != "MIXPANEL_TOKEN"]


def all_projects(values: Mapping[str, object], given: Mapping[str, Given]) -> tuple[dict[str, Project], list[str]]:
    """The default project where there is one, then those of the file; and what is wrong with the file."""
    names = ("PROJECTS_FILE", "TOKEN", "URL", "QUERY_URL")
    path, token, url, query_url = (str(values[f"MIXPANEL_{name}"]) for name in names)
    projects = [Project(DEFAULT, token, url, given["MIXPANEL_TOKEN"].file)] if token else []
    wrong: list[str] = []
    if path:
        others, wrong = read_projects(path, url, query_url)
        projects += others
    return {project.name: project for project in projects}, wrong + [str(clash) for clash in clashes(projects)]


def fill_in(values: dict[str, object], terminal: bool) -> None:
    """The defaults that follow from other settings."""
    if not values["KAFKA_DEAD_LETTER_TOPIC"]:
        values["KAFKA_DEAD_LETTER_TOPIC"] = f"{values['KAFKA_GROUP_ID']}.dead-letters"
    if not values["MIXPANEL_URL"]:
        values["MIXPANEL_URL"] = f"https://{HOSTS.get(str(values['MIXPANEL_REGION']), '')}"
    if not values["MIXPANEL_QUERY_URL"]:
        region = region_of(str(values["MIXPANEL_URL"]), str(values["MIXPANEL_REGION"]))
        values["MIXPANEL_QUERY_URL"] = f"https://{QUERY_HOSTS.get(region, '')}"
    if not values["ADD_JOURNAL"]:
        values["ADD_JOURNAL"] = "on" if values["AMBIGUOUS_ADD"] == "dead-letter" else "off"
    if not values["LOG_FORMAT"]:
        values["LOG_FORMAT"] = "text" if terminal else "json"
