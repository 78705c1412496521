"""Results on their way to an office that is away for long, and answers that are lost."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import remote_client.outbox
from remote_client.commands import Command, Completion, Hold, lease_clock
from remote_client.journal import Journal
from remote_client.leases import Leases
from remote_client.office_link import OfficeLink
from remote_client.outbox import LONGEST_PAUSE_SECONDS, Outbox
from remote_client.uplink import Uplink
from shared.errors import BackendDown
from shared.ids import Attempt, ClientId, CommandId, Epoch, OfficeId
from shared.states import CommandType

HOUR = 3600.0


class Away:
    """An office that does not answer before it is time. Whoever pauses meanwhile lets the time pass at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.longest_pause = 0.0
        self.taken: list[dict[str, Any]] = []

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        if self.now < HOUR:
            raise BackendDown("away")
        if function == "complete_command":
            self.taken.append(arguments)
        return True

    async def pause(self, seconds: float) -> None:
        self.now += seconds
        self.longest_pause = max(self.longest_pause, seconds)


async def test_a_result_that_cannot_be_delivered_for_an_hour_is_delivered_then_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Away()
    command = Command(CommandId(uuid4()), Attempt(1), OfficeId(uuid4()), None, CommandType.SEND_PROMPT, {})
    hold = Hold(command, Epoch(1), lease_clock() + 30)
    link = OfficeLink(office, ClientId(uuid4()))
    leases = Leases(link, 30)
    with Journal(tmp_path / "journal") as journal:
        outbox = Outbox(link, journal, leases, Uplink(link, 1, 4096, 65536), lambda: None)
        journal.claimed([command])
        journal.finished(command, Completion(True, {"answer": 42}))
        outbox.put(hold, Completion(True, {"answer": 42}))
        with monkeypatch.context() as time:
            time.setattr(remote_client.outbox.asyncio, "sleep", office.pause)
            delivering = asyncio.create_task(outbox.run())
            await hold.delivered.wait()
        delivering.cancel()
        assert journal.entries() == []

    assert [taken["p_result"] for taken in office.taken] == [{"answer": 42}]
    assert office.now >= HOUR
    assert office.longest_pause <= LONGEST_PAUSE_SECONDS, "it is there soon after the office is"
    assert not hold.gone
