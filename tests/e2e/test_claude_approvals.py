"""What the real Claude Code asks leave for is answered from outside: by its own answer, in time, or not at all."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.claude_office import DONE, ClaudeOffice
from tests.support.messages_api import Use, say

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_two_requests_of_one_turn_are_answered_from_outside_each_by_its_own_answer(world: ClaudeOffice):
    """The first is denied, with words; the second is approved, and does exactly what was asked. What is forged or late
    is refused."""
    commit = "echo made > made.txt && git add made.txt && git commit -qm Approved"
    denied, wanted = Use("Bash", {"command": "touch denied.txt"}), Use("Bash", {"command": commit, "description": "C"})
    world.api.script("APPROVAL", denied, wanted, say(f"Committed. {DONE}"))
    session = await world.session(task="approved")
    command_id = await world.prompt(session["session_id"], "APPROVAL please")

    first = await world.asked(session["session_id"])
    assert (first["tool"], first["input"]["command"], first["status"]) == ("Bash", "touch denied.txt", "pending")
    assert (first["cwd"], first["command_id"]) == (session["worktree_path"], command_id)
    assert await world.status_of(session["session_id"]) == "needs_permission"
    said = await world.semo("deny", first["id"][:8], "--because", "not on a Friday")
    assert said.exit_code == 0, said.err

    second = await world.asked(session["session_id"], times=2)
    assert second["input"]["command"] == commit
    assert (await world.answer(second["id"], "approve", digest=first["digest"])).status_code == 409, "forged"
    assert "touch denied.txt" not in (await world.semo("approvals")).out
    assert commit in (await world.semo("approvals")).out
    assert (await world.answer(second["id"], "approve", digest=second["digest"])).status_code == 200

    finished = await world.office.final(command_id)
    assert (finished["status"], finished["result"]["marker"]) == ("completed", True), finished
    assert len(finished["result"]["commits"]) == 1
    told = [
        (one["says"], one["by"].split(":")[0]) for one in finished["result"]["evidence"] if one["kind"] == "approval"
    ]
    assert told == [("denied", "token"), ("approved", "token")]
    assert "not on a Friday" in str(world.api.asked("APPROVAL")[-1]["messages"])
    assert not (Path(session["worktree_path"]) / "denied.txt").exists()
    assert (await world.settled(second["id"], "delivered_at"))["status"] == "approved"
    late = await world.answer(second["id"], "deny")
    assert (late.status_code, late.json()["type"]) == (409, "urn:semo:problem:conflict")


async def test_what_nobody_answers_in_time_is_denied_and_what_its_turn_leaves_behind_taken_back(world: ClaudeOffice):
    world.api.script("UNANSWERED", Use("Bash", {"command": "touch late.txt"}), say(f"Then not. {DONE}"))
    session = await world.session(task="expired")
    command_id = await world.prompt(session["session_id"], "UNANSWERED please")
    asked = await world.asked(session["session_id"])
    world.sql("update approvals set expires_at = now() where id = %s", asked["id"])
    finished = await world.office.final(command_id)
    assert (finished["status"], finished["result"]["marker"]) == ("completed", True), finished
    assert (await world.settled(asked["id"]))["status"] == "expired"
    assert "Nobody answered in time" in str(world.api.asked("UNANSWERED")[-1]["messages"])

    command_id = await world.prompt(session["session_id"], "UNANSWERED again")
    asked = await world.asked(session["session_id"], times=2)
    await world.office.final(await world.office.insert("cancel", {}, session_id=session["session_id"]))
    assert (await world.office.final(command_id))["error_code"] == "turn_interrupted"
    assert (await world.settled(asked["id"]))["status"] == "withdrawn"
    late = await world.answer(asked["id"], "approve")
    assert late.status_code == 409
    assert "waits no longer" in late.json()["detail"]
    assert not (Path(session["worktree_path"]) / "late.txt").exists()


async def test_a_request_outlives_the_client_and_is_answered_by_what_was_said_meanwhile(world: ClaudeOffice):
    world.api.script("MEANWHILE", Use("Bash", {"command": "touch meanwhile.txt"}), say(f"Made. {DONE}"))
    session = await world.session(task="meanwhile")
    command_id = await world.prompt(session["session_id"], "MEANWHILE please")
    asked = await world.asked(session["session_id"])
    os.kill(world.office.pid_of("remote_client"), signal.SIGKILL)
    assert (await world.answer(asked["id"], "approve", digest=asked["digest"])).status_code == 200
    finished = await world.office.final(command_id)
    assert (finished["status"], finished["result"]["marker"]) == ("completed", True), finished
    assert (Path(session["worktree_path"]) / "meanwhile.txt").exists()
    assert len(await world.approvals(session["session_id"])) == 1
    assert len(world.api.asked("MEANWHILE")) == 2
