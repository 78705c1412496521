"""The connection's state as a state machine, and what asks the database, waits for it, and tells it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from remote_client import watched_calls
from remote_client.connection import Connection, Database
from remote_client.pulse import keep_pulse
from remote_client.watched_calls import WatchedCalls
from shared.errors import BackendDown, Fenced, NotFound
from shared.ids import OfficeId
from shared.states import ConnectionState

SECONDS = 45.0
OFFICES = [OfficeId(UUID(int=number)) for number in range(3)]
ONE = OFFICES[0]


class Standings(RuleBasedStateMachine):
    """Whatever is seen in whatever order, what is told follows from it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
        self.connection = Connection(lambda: self.time)
        self.turns = self.turns_wanted = 0
        self.connection.listen_to_turns(self._turned)
        self.unanswered_since: datetime | None = self.time
        self.is_silent = True
        self.proven: dict[OfficeId, bool] = {}
        self.state_before = self.connection.standing

    def _turned(self) -> None:
        self.turns += 1

    @rule(seconds=st.integers(1, 100))
    def time_passes(self, seconds: int) -> None:
        self.time += timedelta(seconds=seconds)

    @rule()
    def it_answers(self) -> None:
        self.turns_wanted += self.is_silent
        self.unanswered_since, self.is_silent = None, False
        self.connection.answered()

    @rule()
    def a_call_is_not_answered(self) -> None:
        self.unanswered_since = self.unanswered_since or self.time
        self.connection.doubt()

    @rule()
    def nor_is_the_pulse(self) -> None:
        if self.unanswered_since is not None:
            self.turns_wanted += not self.is_silent
            self.is_silent = True
        self.connection.silent()

    @rule(office=st.sampled_from(OFFICES), proven=st.booleans())
    def hints_are_proven_or_not(self, office: OfficeId, proven: bool) -> None:
        if self.proven.get(office) and not proven:
            self.unanswered_since = self.unanswered_since or self.time
        self.proven[office] = proven
        self.connection.hears(office, proven)

    @rule(office=st.sampled_from(OFFICES))
    def an_office_is_left(self, office: OfficeId) -> None:
        self.proven.pop(office, None)
        self.connection.forget(office)

    @invariant()
    def live_means_that_the_database_answers_and_every_office_is_heard(self) -> None:
        heard = bool(self.proven) and all(self.proven.values())
        wanted = (
            ConnectionState.OFFLINE if self.is_silent else ConnectionState.LIVE if heard else ConnectionState.POLLING
        )
        assert self.connection.standing.state is wanted

    @invariant()
    def offline_is_said_since_the_first_call_that_was_not_answered(self) -> None:
        if self.is_silent:
            assert self.connection.standing.since == self.unanswered_since
            assert str(self.connection.standing) == f"offline since {self.unanswered_since:%H:%M:%S}"

    @invariant()
    def since_moves_with_the_state_alone(self) -> None:
        now = self.connection.standing
        if now.state is self.state_before.state:
            assert now.since == self.state_before.since
        self.state_before = now

    @invariant()
    def every_turn_is_told_once(self) -> None:
        assert self.turns == self.turns_wanted


Standings.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestStandings = Standings.TestCase


class Office:
    """Calls that are answered, refused or not answered, as set."""

    def __init__(self) -> None:
        self.called: asyncio.Queue[str] = asyncio.Queue()
        self.answer: Exception | str | None = "fine"
        """None: no answer ever comes."""

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        self.called.put_nowait(function)
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def was_called(self) -> str:
        return await asyncio.wait_for(self.called.get(), SECONDS)


def watched(office: Office, wait_seconds: float = SECONDS) -> tuple[WatchedCalls, Connection]:
    connection = Connection()
    connection.answered()
    return WatchedCalls(office, connection, wait_seconds), connection


def fall_silent(connection: Connection) -> None:
    connection.doubt()
    connection.silent()


# Calls


@pytest.mark.parametrize("refusal", [NotFound(), Fenced()], ids=repr)
async def test_a_refusal_is_an_answer(refusal: Exception):
    office = Office()
    calls, connection = watched(office)
    connection.doubt()
    office.answer = refusal
    with pytest.raises(type(refusal)):
        await calls("heartbeat", {})
    assert connection.database is Database.ANSWERS


async def test_a_call_without_an_answer_raises_a_doubt_and_no_alarm():
    office = Office()
    calls, connection = watched(office)
    office.answer = BackendDown()
    with pytest.raises(BackendDown):
        await calls("heartbeat", {})
    assert connection.database is Database.DOUBTED
    assert connection.standing.state is ConnectionState.POLLING


async def test_calls_wait_for_a_silent_database_and_go_when_it_answers():
    office = Office()
    calls, connection = watched(office)
    fall_silent(connection)
    waits = [asyncio.create_task(calls(name, {})) for name in ("claim_commands", "complete_command")]
    await asyncio.sleep(0)
    assert office.called.empty()
    assert await calls("report_connection", {}) == "fine"
    assert [await asyncio.wait_for(wait, SECONDS) for wait in waits] == ["fine", "fine"]


async def test_no_call_waits_longer_than_a_request_may_take():
    calls, connection = watched(Office(), wait_seconds=0.01)
    fall_silent(connection)
    with pytest.raises(BackendDown, match="offline since"):
        await calls("claim_commands", {})


async def test_a_call_that_hangs_from_before_is_given_up_when_the_network_is_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watched_calls, "GRACE_SECONDS", 0.0)
    office = Office()
    calls, connection = watched(office)
    office.answer = None
    hangs = asyncio.create_task(calls("claim_commands", {}))
    await office.was_called()
    fall_silent(connection)
    connection.answered()
    with pytest.raises(BackendDown, match="given up"):
        await asyncio.wait_for(hangs, SECONDS)


async def test_a_call_that_is_answered_after_all_is_not_given_up():
    office = Office()
    calls, connection = watched(office)
    go = asyncio.Event()

    async def late(function: str, arguments: dict[str, Any]) -> str:
        await go.wait()
        return "late"

    calls = WatchedCalls(late, connection, SECONDS)
    slow = asyncio.create_task(calls("claim_commands", {}))
    await asyncio.sleep(0)
    fall_silent(connection)
    connection.answered()
    go.set()
    assert await asyncio.wait_for(slow, SECONDS) == "late"


# The pulse


class Reports:
    """The office's ear for reports; each goes through watched calls, as the client's do."""

    def __init__(self) -> None:
        self.office = Office()
        self.calls, self.connection = watched(self.office)
        self.states: asyncio.Queue[ConnectionState] = asyncio.Queue()
        self.running = asyncio.create_task(keep_pulse(self.connection, self._report, 0.05, 0.01))

    async def _report(self, state: ConnectionState) -> None:
        await self.calls("report_connection", {})
        self.states.put_nowait(state)

    async def told(self) -> ConnectionState:
        return await asyncio.wait_for(self.states.get(), SECONDS)

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])


@pytest.fixture
async def reports():
    reports = Reports()
    yield reports
    await reports.stop()


async def test_the_office_is_told_of_each_change_once(reports: Reports):
    assert await reports.told() is ConnectionState.POLLING
    reports.connection.hears(ONE, True)
    assert await reports.told() is ConnectionState.LIVE
    reports.connection.hears(ONE, True)
    reports.connection.hears(OFFICES[1], False)
    assert await reports.told() is ConnectionState.POLLING
    assert reports.states.empty()


async def test_a_doubt_that_is_answered_is_never_called_offline(reports: Reports):
    await reports.told()
    reports.connection.hears(ONE, True)
    await reports.told()
    standing = reports.connection.standing
    reports.connection.doubt()
    await reports.told()
    assert reports.connection.standing is standing


@pytest.mark.parametrize("answer", [BackendDown(), None], ids=["refused at once", "not answered"])
async def test_a_silent_database_is_asked_until_it_answers_and_told_at_once(reports: Reports, answer: Exception | None):
    await reports.told()
    reports.office.answer = answer
    reports.connection.doubt()
    for _ in range(3):
        await reports.office.was_called()
    assert reports.connection.standing.state is ConnectionState.OFFLINE
    reports.office.answer = "fine"
    assert await reports.told() is ConnectionState.POLLING
    assert reports.connection.standing.state is ConnectionState.POLLING


async def test_a_newer_process_of_the_client_ends_the_pulse(reports: Reports):
    reports.office.answer = Fenced()
    reports.connection.doubt()
    with pytest.raises(Fenced):
        await asyncio.wait_for(asyncio.shield(reports.running), SECONDS)
