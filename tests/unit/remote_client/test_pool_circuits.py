"""The circuit breaker of a role: what opens it, what one trial does, and that the office knows."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from remote_client.office_link import OfficeLink
from remote_client.pool_circuits import FAILURES, OPEN_SECONDS, Circuits, is_failure_of_the_role
from remote_client.sessions import SessionRequest
from shared.errors import BackendDown, Forbidden, NoRoom, OfficeError, PersonaNotRendered, SessionFailed
from shared.ids import ClientId, OfficeId

OFFICE = OfficeId(uuid.uuid4())
BE, QA = SessionRequest(OFFICE, "BE"), SessionRequest(OFFICE, "QA")


class Told:
    """Carries calls to an office that listens, or does not."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.answer: Callable[[], Awaitable[None]] = self.listens

    async def listens(self) -> None:
        pass

    async def is_away(self) -> None:
        raise BackendDown

    async def has_left(self) -> None:
        raise Forbidden

    async def __call__(self, function: str, arguments: dict[str, Any]) -> None:
        await self.answer()
        self.calls.append((function, arguments["p_role"]))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuits(told: Told, clock: Clock) -> Circuits:
    return Circuits(OfficeLink(told, ClientId(uuid.uuid4())), clock)


async def fail(circuits: Circuits, times: int, request: SessionRequest = BE) -> None:
    for _ in range(times):
        await circuits.failed(request, SessionFailed("no prompt"))


async def test_three_failures_in_a_row_open_the_circuit_of_that_role_alone(circuits: Circuits, told: Told) -> None:
    await fail(circuits, FAILURES - 1)
    circuits.require_closed(BE)
    assert told.calls == []
    await fail(circuits, 1)
    with pytest.raises(NoRoom, match="no prompt"):
        circuits.require_closed(BE)
    circuits.require_closed(QA)
    assert told.calls == [("open_circuit", "BE")], "the office knows before anything is given back"


async def test_a_success_between_them_begins_the_count_anew(circuits: Circuits) -> None:
    await fail(circuits, FAILURES - 1)
    circuits.succeeded(BE)
    await fail(circuits, FAILURES - 1)
    circuits.require_closed(BE)


async def test_a_trial_is_due_when_the_time_is_over_and_not_before(circuits: Circuits, clock: Clock) -> None:
    await fail(circuits, FAILURES, SessionRequest(OFFICE, "BE", agent="claude", task="mine"))
    clock.now += OPEN_SECONDS - 1
    assert circuits.due() == []
    clock.now += 1
    assert circuits.due() == [SessionRequest(OFFICE, "BE", agent="claude")], "without what one caller alone wanted"
    with pytest.raises(NoRoom):
        circuits.require_closed(BE)  # one trial, and nobody else meanwhile


async def test_a_trial_that_fails_keeps_it_open_for_another_while(circuits: Circuits, clock: Clock, told: Told) -> None:
    await fail(circuits, FAILURES)
    clock.now += OPEN_SECONDS
    await fail(circuits, 1)
    assert circuits.due() == []
    assert told.calls == [("open_circuit", "BE")] * 2


async def test_a_trial_that_succeeds_closes_it(circuits: Circuits, told: Told) -> None:
    await fail(circuits, FAILURES)
    circuits.succeeded(BE)
    circuits.require_closed(BE)
    await circuits.tell()
    await circuits.tell()
    assert told.calls == [("open_circuit", "BE"), ("close_circuit", "BE")]


async def test_what_an_office_that_was_away_does_not_know_is_told_later(circuits: Circuits, told: Told) -> None:
    told.answer = told.is_away
    await fail(circuits, FAILURES)
    await circuits.tell()
    told.answer = told.listens
    await circuits.tell()
    assert told.calls == [("open_circuit", "BE")]


async def test_an_office_that_this_client_has_left_is_told_nothing_more(circuits: Circuits, told: Told) -> None:
    told.answer = told.has_left
    await fail(circuits, FAILURES)
    told.answer = told.listens
    await circuits.tell()
    assert told.calls == []
    assert not circuits.is_open(OFFICE, "BE")


@pytest.mark.parametrize(
    ("error", "counts"),
    [(SessionFailed(), True), (PersonaNotRendered(), True), (BackendDown(), False), (NoRoom(), False),
     (Forbidden(), False)],
)  # fmt: skip
def test_only_what_another_session_of_the_role_would_meet_too_counts(error: OfficeError, counts: bool) -> None:
    assert is_failure_of_the_role(error) == counts
