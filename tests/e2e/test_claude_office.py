"""Claude Code at work for an office: rows in, the real CLI against a Messages API on loopback, rows out."""

import asyncio
import os
import signal

import git
import pytest

from tests.support.claude_office import DONE, ClaudeOffice
from tests.support.messages_api import Fail, Say, Use, say

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_work_that_needs_permission_goes_from_row_to_row(world: ClaudeOffice):
    """Prompt, tool use, permission asked and given remotely, commit, marker: all of it in the rows; then a second turn
    in the same session, and another session that goes on with the conversation."""
    command = "echo made > made.txt && git add made.txt && git commit -qm Made"
    world.api.script("COMMIT", Use("Bash", {"command": command, "description": "Commit"}), say(f"Committed. {DONE}"))
    session = await world.session(task="permission")
    session_id = session["session_id"]
    command_id = await world.prompt(session_id, "COMMIT it")

    asked = await world.until_event(session_id, "needs_permission")
    assert (asked["tool"], asked["input"]["command"]) == ("Bash", command)
    assert await world.status_of(session_id) == "needs_permission"
    await world.choose(session_id, "1")
    await world.until_event(session_id, "turn_goes_on")
    taken_back = await world.settled((await world.asked(session_id))["id"])
    assert (taken_back["status"], taken_back["message"]) == ("withdrawn", "answered at the terminal, or stopped")

    finished = await world.office.final(command_id)
    result = finished["result"]
    assert (finished["status"], result["outcome"], result["marker"]) == ("completed", "done", True)
    assert result["cost_usd"] > 0
    assert len(result["commits"]) == 1
    kinds = {one["kind"] for one in result["evidence"]}
    assert kinds >= {"hook", "marker", "git", "cost", "agent_session", "touched"}
    [row] = await world.office.rows("agent_commands", id=command_id)
    assert row["typed_at"] <= row["confirmed_at"] <= row["finished_at"]
    assert await world.status_of(session_id) == "ready"
    assert "Backend Engineer" in str(world.api.asked("COMMIT")[0]["messages"][0]), "the persona is in the request"
    assert git.Repo(session["worktree_path"]).git.status("--porcelain") == ""

    world.api.script("SECOND", say(f"The word is heron. {DONE}"))
    second = await world.done(session_id, "SECOND turn")
    assert second["output_start"] >= result["output_end"]
    assert "COMMIT it" in str(world.api.asked("SECOND")[-1]["messages"])

    [conversation] = [one["session_id"] for one in second["evidence"] if one["kind"] == "agent_session"]
    await world.office.final(await world.office.insert("terminate", {}, session_id=session_id))
    world.api.script("RESUMED", say(DONE))
    next_life = await world.session(task="permission", resume=conversation, cols=40, model="opus")
    await world.done(next_life["session_id"], "RESUMED prompt")
    assert "The word is heron." in str(world.api.asked("RESUMED")[-1]["messages"])
    await world.office.final(await world.office.insert("terminate", {}, session_id=next_life["session_id"]))


async def test_failures_and_interrupts_are_rows_that_say_what_happened(world: ClaudeOffice):
    world.api.script("LIMITED", Fail(429, "rate_limit_error"))
    world.api.script("SLOW", Say(["It will take long.\n"], hold=asyncio.Event()))
    session_id = (await world.session(task="failures"))["session_id"]

    failed = await world.office.final(await world.prompt(session_id, "LIMITED prompt"))
    assert (failed["status"], failed["error_code"]) == ("failed", "turn_error")
    assert "429" in failed["error"]
    assert 429 in [one.get("status") for one in failed["result"]["evidence"]]

    command_id = await world.prompt(session_id, "SLOW prompt")
    async with world.office.api() as api:
        waiting = (await api.get(f"commands/{command_id}")).raise_for_status().json()["waiting"]
    assert waiting["reason"] == "agent_quota", "the agent is left in peace on this machine"
    world.sql("update agent_pauses set until = now()")
    await world.api.until_asked("SLOW")
    cancelled = await world.office.final(await world.office.insert("cancel", {}, session_id=session_id))
    assert cancelled["status"] == "completed"
    interrupted = await world.office.final(command_id)
    assert (interrupted["status"], interrupted["error_code"]) == ("failed", "turn_interrupted")

    refused = await world.office.final(
        await world.office.insert("create_session", {"role": "BE", "agent": "claude", "model": "haiku"})
    )
    assert refused["error_code"] == "policy_forbids"


async def test_a_turn_outlives_the_client_and_its_result_is_whole(world: ClaudeOffice):
    hold = asyncio.Event()
    world.api.script("OUTLIVES", Say(["Working on it.\n", f"Done now.\n{DONE}"], hold=hold))
    session_id = (await world.session(task="outlives"))["session_id"]
    command_id = await world.prompt(session_id, "OUTLIVES prompt")
    await world.api.until_asked("OUTLIVES")
    os.kill(world.office.pid_of("remote_client"), signal.SIGKILL)
    hold.set()
    finished = await world.office.final(command_id)
    assert (finished["status"], finished["result"]["marker"]) == ("completed", True), finished
    assert finished["result"]["cost_usd"] > 0
    assert len(world.api.asked("OUTLIVES")) == 1
