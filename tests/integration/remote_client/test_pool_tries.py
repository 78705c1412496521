"""How often a prompt is tried, by the way in which it failed."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from remote_client.agents.adapter import TurnEnd, Typing
from remote_client.agents.shell import ShellDriver
from remote_client.session_maker import KILL_GRACE_SECONDS
from tests.integration.remote_client.office import Answer, MakeMachine, Office
from tests.integration.remote_client.pools import DONE

pytestmark = pytest.mark.usefixtures("quick_pools")

RESULTS = "select attempt, success, error_code from agent_command_results where command_id = %s order by attempt"


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
