"""Leases that are renewed while their commands come to their ends."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from remote_client.commands import Command, Hold, lease_clock
from remote_client.leases import Leases
from remote_client.office_link import OfficeLink
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
