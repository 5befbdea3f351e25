"""The token of each Mixpanel project, as MIXPANEL_TOKEN_FILE and MIXPANEL_PROJECTS_FILE have it now.

Only tokens change while the service runs: another project, or another URL of one, needs a restart, and is told. What
cannot be read, or is wrong, leaves the token before in force.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from consumer.event.model import DEFAULT
from consumer.settings.declared import BY_NAME
from consumer.settings.load import Settings
from consumer.settings.projects import Project, clashes, read_projects
from consumer.settings.secrets import Learn, read_file, unlearnt
from consumer.settings.values import Wrong
from consumer.settings.watching import Files

log = logging.getLogger("consumer.settings")

TOKEN = BY_NAME["MIXPANEL_TOKEN"]
Tell = Callable[[str, str], None]


class ProjectTokens:
    """Tells of each project that has another token: its name and the token."""

    def __init__(self, settings: Settings, tell: Tell, learn: Learn = unlearnt) -> None:
        """`tell` is called on the thread that looks; `learn` is told each token before that."""
        self._url = settings.mixpanel_url
        self._query_url = settings.mixpanel_query_url
        self._file = settings.mixpanel_projects_file
        self._projects = dict(settings.projects)
        self._tell = tell
        self._learn = learn
        self._said: list[str] = []
        self.files = Files(self._paths())

    def look(self) -> None:
        """Look once."""
        if not self.files.settled(self._paths()):
            return
        default, wrong = self._default()
        others, faults = self._others()
        renewed = {project.name: self._renewed(project) for project in default + others if self._is_ours(project)}
        usable, clashing = self._apart(renewed)
        lines = [f"{fault}; the token before stays in force" for fault in wrong + faults + clashing]
        self._say(lines + ([] if faults else self._needing_a_restart(others)))
        for project in usable:
            self._use(project)

    def _apart(self, renewed: dict[str, Project]) -> tuple[list[Project], list[str]]:
        """Those that can be used, and why the others cannot: two projects would become one."""
        faults: list[str] = []
        while found := clashes((self._projects | renewed).values()):
            faults += [f"MIXPANEL_PROJECTS_FILE {clash}" for clash in found]
            for clash in found:
                renewed.pop(clash.project.name, None)
                renewed.pop(clash.before.name, None)
        return list(renewed.values()), faults

    def _default(self) -> tuple[list[Project], list[str]]:
        """The default project as its file has it now, and what is wrong with that."""
        default = self._projects.get(DEFAULT)
        if default is None or not default.token_file:
            return [], []
        try:
            return [replace(default, token=read_file(TOKEN, default.token_file))], []
        except Wrong as failure:
            return [], [str(failure)]

    def _others(self) -> tuple[list[Project], list[str]]:
        """The others as they stand in their files now, and what is wrong with those."""
        if not self._file:
            return [], []
        projects, faults = read_projects(self._file, self._url, self._query_url)
        return projects, [f"MIXPANEL_PROJECTS_FILE {fault}" for fault in faults]

    def _is_ours(self, project: Project) -> bool:
        """Whether its token is for where our updates go: a project that moves has another one there."""
        ours = self._projects.get(project.name)
        return ours is not None and ours.url == project.url

    def _renewed(self, project: Project) -> Project:
        return replace(self._projects[project.name], token=project.token, token_file=project.token_file)

    def _say(self, lines: list[str]) -> None:
        """Each line once, for as long as it holds."""
        for line in lines:
            if line not in self._said:
                log.warning("%s", line)
        self._said = lines

    def _needing_a_restart(self, others: Sequence[Project]) -> list[str]:
        """What else is different in the file of projects, which has no fault."""
        ours = {name: project.url for name, project in self._projects.items() if name != DEFAULT}
        theirs = {project.name: project.url for project in others}
        changes = [f"[{name}] is new" for name in theirs.keys() - ours.keys()]
        changes += [f"[{name}] is gone" for name in ours.keys() - theirs.keys()]
        changes += [f"[{name}] has another url" for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]]
        if not changes:
            return []
        return [f"MIXPANEL_PROJECTS_FILE has changed: {', '.join(sorted(changes))}. A restart brings that into force"]

    def _use(self, project: Project) -> None:
        before, self._projects[project.name] = self._projects[project.name], project
        if project.token == before.token:
            return
        self._learn(project.token)
        name = f"{TOKEN.name}_FILE" if project.name == DEFAULT else f"MIXPANEL_PROJECTS_FILE [{project.name}] token"
        log.info("%s has changed, and is used from now on", name, extra={"file": project.token_file or self._file})
        self._tell(project.name, project.token)

    def _paths(self) -> list[str]:
        return [self._file, *(project.token_file for project in self._projects.values())]
