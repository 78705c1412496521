"""Pools of real clients: memory, the parts of several machines, and an office that does not listen."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from remote_client import pool, pool_memory
from remote_client.office_link import OfficeLink
from shared.errors import BackendDown
from shared.ids import SessionId
from shared.states import SessionStatus
from tests.integration.remote_client.office import Machine, MakeMachine, Office
from tests.integration.remote_client.pools import DONE, IDLE, until_it_waits_because

pytestmark = pytest.mark.usefixtures("quick_pools")


class Ram:
    """The memory of the machine, as this process is told."""

    def __init__(self) -> None:
        self.available_mb = 100_000

    def virtual_memory(self) -> SimpleNamespace:
        return SimpleNamespace(available=self.available_mb * 1024 * 1024)


@pytest.fixture
def ram(monkeypatch: pytest.MonkeyPatch) -> Ram:
    ram = Ram()
    monkeypatch.setattr(pool_memory, "psutil", ram)
    return ram


async def test_no_session_is_begun_when_the_machine_is_short_of_memory_and_the_command_says_so(
    office: Office, machine: MakeMachine, ram: Ram
) -> None:
    await (await machine()).start()
    ram.available_mb = 512 + 4
    await office.until_true("select 1 from remote_clients where holding_back is not null")

    asked = await office.ask("send_prompt", {"role": "BE", "text": DONE})

    await until_it_waits_because(office, asked, "low_memory")
    [row] = await office.sql("select holding_back from remote_clients where holding_back is not null")
    assert row["holding_back"] == {"reason": "low_memory", "free_mb": 516, "agents": {"shell": {"needed_mb": 517}}}
    ram.available_mb = 512 + 5
    answer = await office.until(asked)
    assert (answer.status, answer.row["attempt"]) == ("completed", 1), "it was never taken before it could be begun"


async def test_idle_sessions_give_way_when_memory_is_short(office: Office, machine: MakeMachine, ram: Ram) -> None:
    await (await machine()).start()
    idle = await office.session("QA")
    await office.do("release_session", session_id=idle)
    await office.until_true(IDLE, idle)
    ram.available_mb = 512

    asked = await office.ask("send_prompt", {"role": "BE", "text": DONE})

    await office.until_true("select 1 from agent_sessions where id = %s and end_reason = 'evicted'", idle)
    ram.available_mb = 1000
    assert (await office.until(asked, seconds=40)).status == "completed"


def nothing(_: pool.Pool) -> None:
    """Memory ran out after the claim."""


async def test_a_command_that_was_taken_just_before_memory_ran_out_waits_and_is_given_back(
    office: Office, machine: MakeMachine, ram: Ram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ROOM_SECONDS", 0.3)
    monkeypatch.setattr(pool.Pool, "holding_back", nothing)
    await (await machine()).start()
    ram.available_mb = 512

    asked = await office.ask("send_prompt", {"role": "BE", "text": DONE})

    [told] = await office.until_true(
        "select detail from session_events where command_id = %s and kind = 'given_back' limit 1", asked
    )
    assert "512 MB of memory are free; another session of shell needs 517 MB" in told["detail"]["reason"]
    ram.available_mb = 1000
    assert (await office.until(asked)).status == "completed"


WARM = "select client_id, role from agent_sessions where office_id = %s and pool = 'warm' and status = 'ready'"


async def test_the_warm_roles_of_an_office_are_spread_over_its_machines_and_go_over_to_who_stays(
    office: Office, machine: MakeMachine
) -> None:
    await office.sql("update offices set warm_roles = '{FE,BE,QA}' where id = %s", office.office_id)
    first, second = await machine("first"), await machine("second")
    await asyncio.gather(first.start(), second.start())

    def roles_of(rows: list[dict[str, Any]], one: Machine) -> int:
        return len({row["role"] for row in rows if row["client_id"] == one.client_id})

    await office.until_true(f"select 1 from ({WARM}) w having count(distinct role) = 3", office.office_id)  # noqa: S608
    deadline = time.monotonic() + 60
    while {roles_of(rows := await dealt(office), first), roles_of(rows, second)} != {1, 2}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)

    await second.stop()

    assert roles_of(await dealt(office), first) == 3, "it signed off"
    await office.until_true(
        f"select 1 from ({WARM}) w where client_id = %s having count(distinct role) = 3",  # noqa: S608
        office.office_id, first.client_id, seconds=60,
    )  # fmt: skip


async def dealt(office: Office) -> list[dict[str, Any]]:
    """Which machine is to keep which role warm."""
    return await office.sql(
        "select c.client_id, jsonb_array_elements_text(semo.dealt_roles(c.client_id, c.office_id)) as role"
        " from client_offices c where c.office_id = %s",
        office.office_id,
    )


async def test_two_machines_share_many_prompts_and_no_session_serves_two_at_once(
    office: Office, machine: MakeMachine
) -> None:
    await office.sql("update offices set session_limit = 3 where id = %s", office.office_id)
    for name in ("first", "second"):
        await (await machine(name, max_sessions=2)).start()

    asked = [await office.ask("send_prompt", {"role": "BE", "text": f"sleep 0.2; {DONE}"}) for _ in range(12)]

    for command_id in asked:
        assert (await office.until(command_id, seconds=60)).status == "completed"
    turns = await office.sql(
        "select t.* from session_turns t join agent_sessions s on s.id = t.session_id where s.office_id = %s",
        office.office_id,
    )  # fmt: skip
    assert len(turns) == 12
    at_once = [sum(one["started_at"] <= turn["started_at"] < one["ended_at"] for one in turns) for turn in turns]
    assert max(at_once) <= 3, "the limit of the office"
    for turn in turns:
        overlapping = [
            one for one in turns
            if one["session_id"] == turn["session_id"] and one["started_at"] <= turn["started_at"] < one["ended_at"]
        ]  # fmt: skip
        assert overlapping == [turn]


async def test_a_release_that_the_office_did_not_hear_is_told_again(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "TELL_AGAIN_SECONDS", 0.1)
    release, unheard = OfficeLink.release_session, [1, 2]

    async def is_away_first(self: OfficeLink, session_id: SessionId) -> None:
        if unheard:
            unheard.pop()
            raise BackendDown
        await release(self, session_id)

    monkeypatch.setattr(OfficeLink, "release_session", is_away_first)
    await (await machine()).start()

    answer = await office.do("send_prompt", {"role": "BE", "text": DONE})

    await office.until_true(IDLE, answer.result["session_id"])
    assert unheard == []


async def test_the_end_of_a_session_that_the_office_did_not_hear_of_is_told_again(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, unheard = OfficeLink.update_session, [1, 2]

    async def is_away_first(self: OfficeLink, session_id: SessionId, status: SessionStatus, **facts: Any) -> None:
        if status is SessionStatus.TERMINATED and unheard:
            unheard.pop()
            raise BackendDown
        await update(self, session_id, status, **facts)

    monkeypatch.setattr(OfficeLink, "update_session", is_away_first)
    await (await machine()).start()
    session_id = await office.session()

    await office.do("terminate", session_id=session_id)

    await office.until_true("select 1 from agent_sessions where id = %s and status = 'terminated'", session_id)
    assert unheard == []
