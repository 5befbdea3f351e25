"""The client of the Query API, against the sandbox's, and against answers that are none."""

from collections.abc import Iterator
from typing import Any

import pytest

from consumer.mixpanel import query as words
from consumer.mixpanel.query import Account, DataGroup, QueryApi, QueryFailed
from consumer.mixpanel.query_budget import HOUR, PER_HOUR, Budget
from consumer.sandbox.mixpanel.project import SandboxProject, id_of
from consumer.sandbox.mixpanel.server import MixpanelSandbox

COMPANY = id_of("company")


@pytest.fixture
def sandbox() -> Iterator[MixpanelSandbox]:
    """One with pages of 3 and ids as numbers."""
    with MixpanelSandbox(project=SandboxProject(token="token", numbers=True), page_size=3) as running:
        yield running


def api(sandbox: MixpanelSandbox, budget: Budget | None = None, timeout: float = 10.0, secret: str = "") -> QueryApi:
    """A client of the sandbox."""
    mine = sandbox.project
    account = Account(mine.username, secret or mine.secret, mine.id)
    return QueryApi(sandbox.url, account, timeout=timeout, budget=budget or Budget())


def write(sandbox: MixpanelSandbox, group_id: str, **values: Any) -> None:
    """A profile is there."""
    update = {"$token": "token", "$group_key": "company", "$group_id": group_id, "$set": values}
    sandbox.profiles.change([update])
    sandbox.reading.note([update], placed=False)


def test_profiles_by_id(sandbox: MixpanelSandbox) -> None:
    """Ids of any text are found, as they are; others are absent."""
    odd = 'a&b+c%20 ü"\\'
    write(sandbox, odd, plan="pro")
    found = api(sandbox).profiles(COMPANY, [odd, "none"])
    assert found[odd]["plan"] == "pro"
    assert list(found) == [odd]


def test_every_page_is_read_and_one_query_counted(sandbox: MixpanelSandbox) -> None:
    """Later pages go on with the session of the first."""
    for number in range(7):
        write(sandbox, f"g{number}", a=number)
    found = dict(api(sandbox).every_profile(COMPANY))
    assert {group_id: row["a"] for group_id, row in found.items()} == {f"g{n}": n for n in range(7)}
    assert sandbox.query.limits.used() == 1


def test_what_the_application_tells(sandbox: MixpanelSandbox) -> None:
    """Ids of 64 bits stay exact, with their sign."""
    assert DataGroup(COMPANY, "company", True) in api(sandbox).data_groups()
    assert api(sandbox).access() == {"1234567": "mixpanel.com"}
    assert api(sandbox).token() == "token"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("hour", words.RATE),
        ("concurrency", words.RATE),
        ("load", words.RATE),
        ("plan", words.PLAN),
        ("login", words.LOGIN),
        ("denied", words.DENIED),
        ("timeout", words.AWAY),
        ("outage", words.AWAY),
        ("page", words.UNREADABLE),
    ],
)
def test_refusals_are_told_apart(sandbox: MixpanelSandbox, answer: str, cause: str) -> None:
    """By a word, and a sentence without any secret."""
    sandbox.faults.on("query-refused", answer=answer)
    with pytest.raises(QueryFailed) as failed:
        api(sandbox).profiles(COMPANY, ["acme"])
    assert failed.value.cause == cause
    assert sandbox.project.secret not in str(failed.value)


def test_a_short_limit_is_waited_for(sandbox: MixpanelSandbox) -> None:
    """Where the patience is enough; the hour's limit is longer."""
    slept: list[float] = []
    budget = Budget(60.0, sleep=slept.append)
    sandbox.faults.on("query-refused", answer="concurrency", times=1)
    assert api(sandbox, budget).profiles(COMPANY, ["acme"]) == {}
    assert slept == [10.0]
    sandbox.faults.on("query-refused", answer="hour", times=1)
    with pytest.raises(QueryFailed) as failed:
        api(sandbox, budget).profiles(COMPANY, ["acme"])
    assert failed.value.wait == HOUR


def test_a_limit_at_a_later_page_is_waited_for(sandbox: MixpanelSandbox) -> None:
    """And as often as it comes, while the patience lasts; the query is counted once."""
    for number in range(7):
        write(sandbox, f"g{number}", a=number)
    slept: list[float] = []
    pages = api(sandbox, Budget(25.0, sleep=slept.append)).every_profile(COMPANY)
    found = [next(pages) for _ in range(3)]
    sandbox.faults.on("query-refused", answer="concurrency", times=2)
    assert len(found + list(pages)) == 7
    assert (slept, sandbox.query.limits.used()) == ([10.0, 10.0], 1)
    pages = api(sandbox, Budget(25.0, sleep=slept.append)).every_profile(COMPANY)
    sandbox.faults.on("query-refused", answer="concurrency", times=3)
    with pytest.raises(QueryFailed):
        next(pages)


def test_a_fault_of_mixpanels_own_is_waited_out(sandbox: MixpanelSandbox) -> None:
    """Twice; the third is told, and without patience the first."""
    write(sandbox, "acme", a=1)
    slept: list[float] = []
    client = api(sandbox, Budget(60.0, sleep=slept.append))
    sandbox.faults.on("query-refused", answer="outage", times=2)
    assert client.profiles(COMPANY, ["acme"])["acme"]["a"] == 1
    assert slept == [2.0, 2.0]
    sandbox.faults.on("query-refused", answer="outage", times=3)
    with pytest.raises(QueryFailed, match="503"):
        client.profiles(COMPANY, ["acme"])
    assert slept == [2.0] * 4
    sandbox.faults.on("query-refused", answer="outage", times=1)
    with pytest.raises(QueryFailed, match="503"):
        api(sandbox).profiles(COMPANY, ["acme"])


def test_sixty_queries_an_hour() -> None:
    """The next one waits for the first to be an hour old, or is refused where that is too long."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    patient = Budget(2 * HOUR, lambda: now, sleep)
    for _ in range(PER_HOUR + 1):
        patient.take()
    assert now == HOUR


def test_the_budget_is_kept_by_the_client(sandbox: MixpanelSandbox) -> None:
    """The 61st query is not even asked."""
    client = api(sandbox)
    for _ in range(PER_HOUR):
        client.profiles(COMPANY, ["acme"])
    asked = sandbox.query.count
    with pytest.raises(QueryFailed, match="60 queries") as failed:
        client.profiles(COMPANY, ["acme"])
    assert failed.value.cause == words.RATE
    assert sandbox.query.count == asked


def test_a_server_that_is_gone(sandbox: MixpanelSandbox) -> None:
    """Away, in a word."""
    client = api(sandbox)
    sandbox.stop()
    with pytest.raises(QueryFailed, match="does not answer: connection") as failed:
        client.data_groups()
    assert failed.value.cause == words.AWAY


def test_an_answer_that_drips_ends_in_time(sandbox: MixpanelSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out is of the whole request."""
    from consumer.sandbox.web import Reply

    route = sandbox.query.route

    def slow(arrived: Any) -> Reply:
        reply = route(arrived)
        reply.drip = 0.2
        return reply

    monkeypatch.setattr(sandbox.query, "route", slow)
    with pytest.raises(QueryFailed, match="timeout"):
        api(sandbox, timeout=0.5).access()
