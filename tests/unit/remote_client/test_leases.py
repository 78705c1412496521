"""Leases that are renewed while their commands come to their ends."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import pytest

from remote_client.commands import Command, Hold, lease_clock
from remote_client.leases import Leases
from remote_client.office_link import OfficeLink
from shared.errors import BackendDown, Fenced
from shared.ids import Attempt, ClientId, CommandId, Epoch, OfficeId
from shared.states import CommandType

LEASE_SECONDS = 6


class ForgetfulOffice:
    """Says of every command that it is not this client's (any more). `asked` gets one for each time."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        self.asked.put_nowait(function)
        return []


@pytest.fixture
def hold() -> Hold:
    command = Command(CommandId(uuid4()), Attempt(1), OfficeId(uuid4()), None, CommandType.SEND_PROMPT, {})
    hold = Hold(command, Epoch(1), 0)
    hold.renew(lease_clock(), LEASE_SECONDS)
    return hold


@pytest.mark.parametrize("is_finished", [False, True])
async def test_only_work_that_is_not_finished_is_stopped_when_the_office_does_not_renew_its_lease(
    hold: Hold, is_finished: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished one may be unknown to the office because its result has just arrived there."""
    office = ForgetfulOffice()
    leases = Leases(OfficeLink(office, ClientId(uuid4())), lease_seconds=0)
    stopped = asyncio.Event()
    leases.keep(hold, stopped.set)
    if is_finished:
        leases.finished(hold)

    running = asyncio.create_task(leases.run())
    assert await office.asked.get() == "renew_leases"
    if is_finished:
        assert await office.asked.get() == "renew_leases", "it is still kept"
    else:
        await stopped.wait()
    running.cancel()

    assert (hold.gone, stopped.is_set()) == (not is_finished, not is_finished)


class SilentOffice:
    """Answers nothing until it is there; then every lease is still ours."""

    def __init__(self) -> None:
        self.is_there = False
        self.asked: asyncio.Queue[bool] = asyncio.Queue()

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        self.asked.put_nowait(self.is_there)
        if not self.is_there:
            raise BackendDown("away")
        return arguments["p_leases"]


async def test_a_silent_office_stops_no_work_and_is_asked_at_once_when_it_answers(hold: Hold) -> None:
    """By the clock the lease is over; whether it is, only the office can say. Nothing is typed meanwhile."""
    office = SilentOffice()
    leases = Leases(OfficeLink(office, ClientId(uuid4())), lease_seconds=3600)
    stopped = asyncio.Event()
    leases.keep(hold, stopped.set)
    hold.valid_until = 0
    running = asyncio.create_task(leases.run())

    leases.renew_now()
    assert await office.asked.get() is False
    with pytest.raises(Fenced):
        hold.check()
    office.is_there = True
    leases.renew_now()
    assert await office.asked.get() is True
    while hold.valid_until == 0:  # noqa: ASYNC110  one turn of the loop
        await asyncio.sleep(0)

    assert not stopped.is_set()
    hold.check()
    running.cancel()


def test_a_clock_that_is_set_changes_no_lease(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    for jump in (-1e6, 1e6):
        monkeypatch.setattr(time, "time", lambda jump=jump: jump)
        hold.check()
    hold.valid_until = lease_clock() - 1
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with pytest.raises(Fenced):
        hold.check()
