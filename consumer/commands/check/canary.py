"""The canary of `check`: one profile is written as the service writes, read back until it shows, and deleted.

It proves at once what nothing else can: that the token is of the project, the project in the region, the group key
defined. What was found on the way says which of them is likely wrong where it does not show.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from consumer.app import endpoints
from consumer.commands.check.facts import Fact, fault, ok, unknown, warning
from consumer.commands.reading_back import NoGroupKey, group_key, query_api, read_back_of
from consumer.core.answers import read
from consumer.core.verdict import Accepted, Again, Halted, Refused, Verdict
from consumer.event.encode import update_tail
from consumer.event.model import DEFAULT, DELETE, SET, Operation
from consumer.mixpanel.client import Mixpanel
from consumer.mixpanel.query import AWAY, LOGIN, DataGroup, QueryApi, QueryFailed
from consumer.settings import Settings
from consumer.settings.declared import HOSTS, QUERY_HOSTS
from consumer.settings.read_back import region_of, setting_of

GROUP_ID: Final = "group-consumer-canary"
PROPERTY: Final = "group_consumer_run"
# Between the write and each look, in seconds: a write was seen to show after 33 s at the latest.
WAITS: Final = (2.0, 13.0, 15.0, 30.0, 60.0)
PATIENCE: Final = 30.0


class Undecided(Exception):
    """The canary ends here; `fact` says why."""

    def __init__(self, fact: Fact) -> None:
        super().__init__(fact.detail)
        self.fact = fact


class Canary:
    """One run, in one `project`."""

    def __init__(
        self,
        settings: Settings,
        project: str,
        key: str,
        given: Mapping[str, str],
        waits: tuple[float, ...] = WAITS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.project = project
        self._settings = settings
        self._token_given = settings.projects[project].token
        self._url = settings.projects[project].url
        self._number = read_back_of(settings, project).project_id
        self._key = key
        self._given = given
        self._waits = waits
        self._sleep = sleep
        self._what = f"canary {key}" if project == DEFAULT else f"canary {key} of project {project}"
        self._proven: list[str] = []
        self._suspected: list[str] = []

    def facts(self) -> Iterator[Fact]:
        """Every fact. Nothing is written where something is known to be wrong before."""
        query = query_api(self._settings, self.project, PATIENCE, self._sleep)
        try:
            yield from self._account(query)
            group = self._group(query)
            if not group.ready:
                detail = f"the project is still preparing the group key {self._key}: it may not show yet"
                yield warning(self._what, detail, "try again in some minutes")
            self._token(query)
            yield from self._round(query, group)
        except Undecided as undecided:
            yield undecided.fact
        finally:
            query.close()

    def _account(self, query: QueryApi) -> Iterator[Fact]:
        """Whether the account may read the project, and where the project lives."""
        what = f"service account at {query.url}"
        project = self._number
        try:
            projects = query.access()
        except QueryFailed as failed:
            if failed.cause == LOGIN:
                fix = f"check the account's name and secret, and {self._set('region')}: only its own knows an account"
                raise Undecided(fault(what, str(failed), fix)) from failed
            if failed.cause == AWAY:
                raise Undecided(unknown(what, str(failed), "let this machine reach it, and try again")) from failed
            return  # the path is not documented: what it does not tell is found out by the profile itself
        yield ok(what, "is known there")
        if project not in projects:
            if projects:
                detail = (
                    f"may not read project {project}, as far as it says; it may read {', '.join(sorted(projects))}"
                )
                fix = f"check {self._set('project_id')}, or give the account a role in the project"
                yield warning(what, detail, fix)
            return
        self._region(projects[project])

    def _region(self, home: str) -> None:
        """Whether updates go to where the project lives. Raises `Undecided` where they surely do not."""
        region = region_of(self._url, self._settings.mixpanel_region)
        if not home:
            return
        if home == QUERY_HOSTS[region]:
            self._proven.append("region")
            return
        right = next((name for name, host in QUERY_HOSTS.items() if host == home), "another one")
        detail = f"the project lives at {home}, and updates go to {self._url}"
        if urlsplit(self._url).hostname in HOSTS.values():
            raise Undecided(fault(self._set("region"), detail, f"set it to {right}"))
        self._suspected.append(f"the region: {detail}")

    def _group(self, query: QueryApi) -> DataGroup:
        """The group key's id."""
        try:
            group = group_key(query, self._key, self._given)
        except NoGroupKey as none:
            if none.absent:
                fix = "define it in Project Settings > Group Keys, or name the one that events have"
                raise Undecided(fault(self._what, str(none), fix)) from none
            detail, _, fix = str(none).rpartition(": ")
            raise Undecided(unknown(self._what, detail, fix)) from none
        except QueryFailed as failed:
            raise Undecided(unknown(self._what, str(failed), "try again")) from failed
        if self._key not in self._given:
            self._proven.append("group key")
        return group

    def _token(self, query: QueryApi) -> None:
        """Whether the token is the project's; nothing where that is not told."""
        try:
            same = query.token() == self._token_given
        except QueryFailed:
            return
        if not same:
            fix = f"set it to the one in Project Settings > Access Keys, or correct {self._set('project_id')}"
            raise Undecided(fault(self._set("token"), f"is not the token of project {self._number}", fix))
        self._proven.append("token")

    def _round(self, query: QueryApi, group: DataGroup) -> Iterator[Fact]:
        """Write, read back, delete."""
        client = endpoints(self._settings)[self.project]
        try:
            run = uuid.uuid4().hex
            posted = self._post(client, SET, {PROPERTY: run})
            there = isinstance(posted, Accepted) or (isinstance(posted, Again) and posted.unknown)
            try:
                self._written(posted)
                fact = self._look(query, group, run)
            except Undecided as undecided:
                fact = undecided.fact
            finally:
                left = there and not isinstance(self._post(client, DELETE, {}), Accepted)
            yield fact
            if left:
                detail = f"the profile {GROUP_ID} may be left over: its deletion was not accepted"
                yield warning(self._what, detail, "delete it in Mixpanel, or check again")
        finally:
            client.close()

    def _post(self, client: Mixpanel, verb: int, values: dict[str, object]) -> Verdict:
        """What became of one update of the canary, sent as the service sends."""
        return read(client.post([update_tail(Operation(self._key, GROUP_ID, verb, values))], lambda: True), 1)

    def _written(self, verdict: Verdict) -> None:
        """Raises `Undecided` where Mixpanel did not accept the profile."""
        if isinstance(verdict, Accepted):
            return
        if isinstance(verdict, Again):
            detail = f"Mixpanel did not accept the profile now: {verdict.cause}"
            raise Undecided(unknown(self._what, detail, "try again"))
        if isinstance(verdict, Halted):
            fix = f"check {self._set('token')} and {self._set('url')}"
            raise Undecided(fault(self._what, f"Mixpanel answers the profile with {verdict.cause}", fix))
        message = "; ".join(verdict.messages.values()) if isinstance(verdict, Refused) else verdict.message
        raise Undecided(fault(self._what, f"Mixpanel refuses the profile: {message}", "see its message"))

    def _look(self, query: QueryApi, group: DataGroup, run: str) -> Fact:
        """Look for the profile until it shows, or until the last look; one without an answer is no last word."""
        passed = 0.0
        failure: QueryFailed | None = None
        for wait in self._waits:
            self._sleep(wait)
            passed += wait
            try:
                profiles = query.profiles(group.id, [GROUP_ID])
                failure = None
            except QueryFailed as failed:
                failure = failed
                if failed.cause != AWAY:
                    break
                continue
            if profiles.get(GROUP_ID, {}).get(PROPERTY) == run:
                return ok(self._what, f"a profile was written, and read back within {passed:g} s")
        if failure is not None:
            return unknown(self._what, f"was written, and cannot be read back: {failure}", "try again later")
        return self._lost(passed)

    def _set(self, field: str) -> str:
        """What people set a field of the project by."""
        return setting_of(self.project, field)

    def _lost(self, passed: float) -> Fact:
        """The profile was accepted and did not show: what is likely."""
        detail = f"Mixpanel accepted a profile, and it did not show within {passed:g} s"
        doubtful = [name for name in ("token", "region", "group key") if name not in self._proven]
        if self._suspected:
            return fault(self._what, detail, f"likely is {self._suspected[0]}")
        if not doubtful:
            likely = "token, region and group key are right: updates are lost, or Mixpanel is slower than ever seen"
            return fault(
                self._what, f"{detail}; {likely}", "look at Mixpanel's status page, and check again in an hour"
            )
        fixes = {
            "token": f"{self._set('token')} is of another project than {self._set('project_id')}",
            "region": f"{self._set('region')} is not the project's",
            "group key": "the id of --data-group-id is not that of the group key",
        }
        return fault(self._what, detail, f"likely: {', or '.join(fixes[name] for name in doubtful)}")
