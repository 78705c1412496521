"""Pools of real clients: circuits, tries, memory, the parts of several machines, and an office that does not listen."""

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from remote_client import pool, pool_circuits, pool_keeper, pool_memory, pool_opening
from remote_client.agents.adapter import TurnEnd, Typing
from remote_client.agents.shell import ShellDriver
from remote_client.office_link import OfficeLink
from remote_client.session_maker import KILL_GRACE_SECONDS
from shared.errors import BackendDown
from shared.ids import SessionId
from shared.states import SessionStatus
from tests.integration.remote_client.office import Answer, Machine, MakeMachine, Office

DONE = "echo '[SEMO:DONE]'"
IDLE = "select 1 from agent_sessions where id = %s and status = 'ready' and acquired_by is null"
RESULTS = "select attempt, success, error_code from agent_command_results where command_id = %s order by attempt"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test can wait for."""
    monkeypatch.setattr(pool_opening, "PAUSES_SECONDS", (0.05, 0.1))
    monkeypatch.setattr(pool_keeper, "LOOK_SECONDS", 0.1)


def write_policy(machine: Machine, repository: Path, program: Path | None = None, limits: str = "") -> None:
    command = f"command = [{json.dumps(str(program))}]\n" if program else ""
    (machine.folder / "policy.toml").write_text(
        f"allowed_roots = [{json.dumps(str(repository.parent))}]\n"
        'default_agent = "shell"\n'
        f"[[repositories]]\npath = {json.dumps(str(repository))}\n"
        f"[agents.shell]\n{command}"
        f"[limits]\n{limits}\n"
    )


class Fragile:
    """A bash that refuses to start while the file `broken` is there, and counts its starts."""

    def __init__(self, folder: Path) -> None:
        self.broken, self.starts, self.program = folder / "broken", folder / "starts", folder / "fragile"
        self.program.write_text(
            f'#!/bin/sh\ncase "$*" in *--version*) exec bash "$@";; esac\necho >> {self.starts}\n'
            f'[ -e {self.broken} ] && {{ echo "no luck today"; exit 3; }}\nexec bash "$@"\n'
        )
        self.program.chmod(0o755)

    @property
    def times_started(self) -> int:
        return len(self.starts.read_text()) if self.starts.exists() else 0


@pytest.fixture
def fragile(tmp_path: Path) -> Fragile:
    return Fragile(tmp_path)


async def reason(office: Office, command_id: UUID) -> str | None:
    [row] = await office.sql("select command_waiting_reason(%s) as why", command_id)
    return row["why"] and row["why"]["reason"]


async def until_it_waits_because(office: Office, command_id: UUID, why: str) -> None:
    await office.until_true("select 1 where command_waiting_reason(%s)->>'reason' = %s", command_id, why)


# Making sessions ----------------------------------------------------------------------------------------------------


async def test_a_session_that_cannot_be_made_is_tried_three_times_and_then_the_command_fails(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile
) -> None:
    laptop = await machine()
    write_policy(laptop, repository, fragile.program)
    fragile.broken.touch()
    await laptop.start()

    answer = await office.do("send_prompt", {"role": "BE", "text": DONE})

    assert (answer.status, answer.error_code) == ("failed", "session_failed"), answer
    assert fragile.times_started == 3
    assert answer.row["typed_at"] is None


async def test_a_session_that_can_be_made_at_the_second_try_serves_its_command(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_opening, "PAUSES_SECONDS", (1.0, 1.0))
    laptop = await machine()
    write_policy(laptop, repository, fragile.program)
    fragile.broken.touch()
    await laptop.start()

    asked = await office.ask("send_prompt", {"role": "BE", "text": DONE})
    await office.until_true(
        "select 1 from agent_sessions where office_id = %s and ended_at is not null", office.office_id
    )
    fragile.broken.unlink()

    assert (await office.until(asked)).status == "completed"
    assert fragile.times_started == 2


async def test_a_role_whose_sessions_cannot_be_made_holds_up_its_commands_until_one_trial_succeeds(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_circuits, "OPEN_SECONDS", 1)
    laptop = await machine()
    write_policy(laptop, repository, fragile.program)
    fragile.broken.touch()
    await laptop.start()
    assert (await office.do("send_prompt", {"role": "BE", "text": DONE})).status == "failed"

    waits = await office.ask("send_prompt", {"role": "BE", "text": DONE})
    await until_it_waits_because(office, waits, "circuit_open")
    [circuit] = await office.sql("select * from role_circuits where office_id = %s", office.office_id)
    assert (circuit["role"], circuit["failures"] >= 3, circuit["error_code"]) == ("BE", True, "session_failed")
    await office.until_true("select 1 from role_circuits where office_id = %s and failures >= 4", office.office_id)
    assert (await office.command(waits)).row["attempt"] == 1, "no command is spent on a trial"
    fragile.broken.unlink()

    answer = await office.until(waits)
    assert answer.status == "completed", answer
    assert await office.sql("select * from role_circuits where office_id = %s", office.office_id) == []


async def test_what_one_machine_cannot_make_another_one_takes(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile
) -> None:
    broken = await machine("broken")
    write_policy(broken, repository, fragile.program)
    fragile.broken.touch()
    await broken.start()
    assert (await office.do("send_prompt", {"role": "BE", "text": DONE})).status == "failed"
    asked = [await office.ask("send_prompt", {"role": "BE", "text": DONE}) for _ in range(3)]
    await until_it_waits_because(office, asked[0], "circuit_open")

    whole = await (await machine("whole")).start()

    for command_id in asked:
        answer = await office.until(command_id)
        assert (answer.status, answer.row["claimed_by"]) == ("completed", whole.client_id), answer


async def test_commands_that_were_claimed_before_the_circuit_opened_are_given_back_and_not_failed(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile
) -> None:
    laptop = await machine()
    write_policy(laptop, repository, fragile.program)
    fragile.broken.touch()
    asked = [await office.ask("send_prompt", {"role": "BE", "text": DONE}) for _ in range(5)]
    await laptop.start()

    [seen] = await office.until_true(
        "select json_agg(json_build_object('status', status, 'attempt', attempt)) as commands"
        " from agent_commands where id = any(%s) having count(*) filter (where status = 'pending' and attempt = 2"
        " and command_waiting_reason(id)->>'reason' = 'circuit_open') >= 3"
        " and count(*) filter (where status = 'processing') = 0", asked,
    )  # fmt: skip
    failed = [one for one in seen["commands"] if one["status"] != "pending"]
    assert all(one == {"status": "failed", "attempt": 1} for one in failed), "tried three times"
    fragile.broken.unlink()


# Tries of a prompt --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deaths", [2, 3])
async def test_an_agent_that_dies_before_anything_was_typed_is_replaced_within_the_same_attempt(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    died: list[object] = []
    run_prompt = ShellDriver.run_prompt

    async def dies_first(self: Any, text: str, timeout_seconds: float, typing: Typing) -> TurnEnd:
        if len(died) < deaths:
            died.append(self)
            await self._terminals.kill(self._session_id, KILL_GRACE_SECONDS)
            await asyncio.wait_for(self._at_prompt.wait(), 30)
        return await run_prompt(self, text, timeout_seconds, typing)

    monkeypatch.setattr(ShellDriver, "run_prompt", dies_first)
    await (await machine()).start()

    answer = await office.do("send_prompt", {"role": "BE", "text": DONE})

    assert answer.row["attempt"] == 1
    if deaths == 2:
        assert answer.status == "completed", answer
    else:
        assert (answer.status, answer.error_code) == ("failed", "session_failed"), answer
    await office.until_true(
        "select 1 from agent_sessions where office_id = %s and ended_at is not null having count(*) = %s",
        office.office_id, deaths,
    )  # fmt: skip


async def tried(office: Office, text: str, **more: Any) -> tuple[Answer, list[dict[str, Any]]]:
    payload = {"role": "BE", "text": text} | more.pop("payload", {})
    asked = await office.ask("send_prompt", payload, **more)
    deadline = time.monotonic() + 40
    while not (answer := await office.command(asked)).row["finished_at"]:
        assert time.monotonic() < deadline, answer
        # The pauses between tries are the office's; nobody needs to wait for them here.
        await office.sql("update agent_commands set not_before = now() where id = %s and not_before > now()", asked)
        await asyncio.sleep(0.05)
    return answer, await office.sql(RESULTS, asked)


async def test_a_prompt_whose_agent_dies_is_typed_three_times_at_most_and_only_when_that_was_asked_for(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    await (await machine()).start()
    script = f"echo typed >> {tmp_path}/once; kill -9 $$"
    answer, results = await tried(office, script)
    assert (answer.status, len(results)) == ("failed", 1), answer
    assert (tmp_path / "once").read_text() == "typed\n"

    script = f"echo typed >> {tmp_path}/thrice; kill -9 $$"
    answer, results = await tried(office, script, max_attempts=3)
    assert answer.status == "failed", answer
    assert [one["error_code"] for one in results] == ["turn_error"] * 3
    assert (tmp_path / "thrice").read_text() == "typed\n" * 3


async def test_a_prompt_that_succeeds_at_its_second_try_is_completed_in_a_fresh_session(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    await (await machine()).start()
    flag = tmp_path / "flag"
    answer, results = await tried(office, f"[ -e {flag} ] || {{ touch {flag}; kill -9 $$; }}; {DONE}", max_attempts=2)
    assert answer.status == "completed", answer
    assert [one["success"] for one in results] == [False, True]
    turns = await office.sql(
        "select session_id, attempt, outcome from session_turns where command_id = %s order by attempt",
        answer.row["id"],
    )
    assert [turn["outcome"] for turn in turns] == ["error", "done"]
    assert turns[0]["session_id"] != turns[1]["session_id"]


async def test_a_prompt_whose_time_runs_out_is_typed_twice_at_most(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    await (await machine()).start()
    script = f"echo typed >> {tmp_path}/typed; sleep 60"
    answer, results = await tried(office, script, max_attempts=3, payload={"timeout_s": 1})
    assert (answer.status, answer.error_code) == ("failed", "turn_interrupted"), answer
    assert len(results) == 2
    assert (tmp_path / "typed").read_text() == "typed\n" * 2


@pytest.mark.parametrize("command_type", ["cancel", "terminate"])
async def test_what_a_person_stopped_is_not_tried_again(
    office: Office, machine: MakeMachine, tmp_path: Path, command_type: str
) -> None:
    await (await machine()).start()
    asked = await office.ask("send_prompt", {"role": "BE", "text": "sleep 60"}, max_attempts=3)
    [session] = await office.until_true(
        "select id from agent_sessions where acquired_by = %s and status = 'executing'", asked
    )
    await office.do(command_type, session_id=session["id"])
    assert (await office.until(asked)).status == "failed"
    assert len(await office.sql(RESULTS, asked)) == 1


async def test_a_failure_that_the_agent_itself_reports_is_not_tried_again(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    answer, results = await tried(office, "false", max_attempts=3)
    assert (answer.status, len(results)) == ("failed", 1), answer


# Memory -------------------------------------------------------------------------------------------------------------


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


# Several machines ---------------------------------------------------------------------------------------------------


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
    deadline = time.monotonic() + 10
    while {roles_of(rows := await dealt(office), first), roles_of(rows, second)} != {1, 2}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)

    await second.stop()

    assert roles_of(await dealt(office), first) == 3, "it signed off"
    await office.until_true(
        f"select 1 from ({WARM}) w where client_id = %s having count(distinct role) = 3",  # noqa: S608
        office.office_id, first.client_id, seconds=10,
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


# An office that does not listen -------------------------------------------------------------------------------------


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
