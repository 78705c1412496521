"""Claude Code at work for an office: rows in, the real CLI against a Messages API on loopback, rows out."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import git
import pytest
import pytest_asyncio

from semo.folder import DataFolder
from tests.support.claude_cli import ClaudeHome, claude_program
from tests.support.messages_api import Fail, MessagesApi, Say, Use, say
from tests.support.running_office import RunningOffice, semo

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

DONE = "[SEMO:DONE]"
DIALOG_SETTLES_SECONDS = (
    0.7  # Claude Code takes no key of a dialog right after it was drawn, and tells nobody when it does
)


@dataclass
class World:
    """A running office whose machine has Claude Code, and the API that answers it."""

    office: RunningOffice
    api: MessagesApi

    async def session(self, **wishes: Any) -> dict[str, Any]:
        wanted = {"role": "BE", "agent": "claude", **wishes}
        created = await self.office.final(await self.office.insert("create_session", wanted))
        assert created["status"] == "completed", created
        return created["result"]

    async def prompt(self, session_id: str, text: str) -> str:
        """The id of the command."""
        return await self.office.insert("send_prompt", {"text": text}, session_id=session_id)

    async def done(self, session_id: str, text: str) -> dict[str, Any]:
        """The result of a prompt that must be done."""
        command = await self.office.final(await self.prompt(session_id, text))
        assert command["status"] == "completed", command
        return command["result"]

    async def status_of(self, session_id: str) -> str:
        [row] = await self.office.rows("agent_sessions", id=session_id)
        return row["status"]

    async def until_event(self, session_id: str, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                found = await self.office.rows("session_events", session_id=session_id, kind=kind)
                if found:
                    return found[-1]["detail"]
                await asyncio.sleep(0.2)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    place = tmp_path_factory.mktemp("claude")
    repository = place / "repo"
    with git.Repo.init(repository, initial_branch="main").config_writer() as config:
        config.set_value("user", "name", "Test").set_value("user", "email", "test@semo.invalid")
    (repository / "README.md").write_text("A place to work in.\n")
    git.Repo(repository).git.add("README.md")
    git.Repo(repository).git.commit("--quiet", "--message", "Begin")
    async with MessagesApi.serving() as api:
        home = ClaudeHome.make(place / "home", api.url, [repository])
        variables = {name: value for name, value in home.environment.items() if name not in ("HOME", "LANG")}
        folder = DataFolder(place / "data")
        folder.prepare()
        folder.policy.write_text(
            f'allowed_roots = ["{place}"]\ndefault_agent = "shell"\n'
            f'[[repositories]]\npath = "{repository}"\n'
            "[agents.shell]\nenabled = true\n"
            f'[agents.claude]\ncommand = ["{claude_program()}"]\nenvironment = {json.dumps(list(variables))}\n'
            'models = ["opus"]\n'
        )
        office = await RunningOffice.open(place / "data", "--repo", str(repository), HOME=str(home.folder), **variables)
        yield World(office, api)
        await office.close()


async def test_work_that_needs_permission_goes_from_row_to_row(world: World):
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
    await asyncio.sleep(DIALOG_SETTLES_SECONDS)
    await world.office.insert("send_keys", {"keys": ["1"]}, session_id=session_id)
    await world.until_event(session_id, "turn_goes_on")

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


async def test_failures_and_interrupts_are_rows_that_say_what_happened(world: World):
    world.api.script("LIMITED", Fail(429, "rate_limit_error"))
    world.api.script("SLOW", Say(["It will take long.\n"], hold=asyncio.Event()))
    session_id = (await world.session(task="failures"))["session_id"]

    failed = await world.office.final(await world.prompt(session_id, "LIMITED prompt"))
    assert (failed["status"], failed["error_code"]) == ("failed", "turn_error")
    assert "429" in failed["error"]
    assert 429 in [one.get("status") for one in failed["result"]["evidence"]]

    command_id = await world.prompt(session_id, "SLOW prompt")
    await world.api.until_asked("SLOW")
    cancelled = await world.office.final(await world.office.insert("cancel", {}, session_id=session_id))
    assert cancelled["status"] == "completed"
    interrupted = await world.office.final(command_id)
    assert (interrupted["status"], interrupted["error_code"]) == ("failed", "turn_interrupted")

    refused = await world.office.final(
        await world.office.insert("create_session", {"role": "BE", "agent": "claude", "model": "haiku"})
    )
    assert refused["error_code"] == "policy_forbids"


async def test_a_turn_outlives_the_client_and_its_result_is_whole(world: World):
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


async def test_the_demo_works_with_claude_when_asked(tmp_path: Path):
    async with MessagesApi.serving() as api:
        api.script("sentence", say("It is a place to work in.\n", DONE))
        api.script("folder", say("In my own worktree.\n", DONE))
        home = ClaudeHome.make(tmp_path / "home", api.url, [])
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / "claude").symlink_to(claude_program())
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        said = await semo("demo", "--agent", "claude", **{**home.environment, "PATH": path})
    assert said.exit_code == 0, said.out + said.err
    assert (said.last_line["ok"], said.last_line["agent"]) == (True, "claude")
    assert said.last_line["commands"] == said.last_line["results"] >= 7


async def test_a_plan_of_waves_and_an_epic_run_with_it(world: World):
    """One of each kind: a wave after another, an epic in one conversation, and a prompt from the queue."""
    for word in ("FIRST", "SECOND", "STEP", "QUEUED"):
        world.api.script(word, say(f"Done with it. {DONE}"))
    defaults = {"role": "BE", "agent": "claude"}
    plans = [
        {"waves": [[{"prompt": "FIRST of all"}], [{"prompt": "SECOND of all"}]]},
        {"epics": [{"name": "epic", "tasks": [{"prompt": "STEP one"}, {"prompt": "STEP two"}]}]},
        {"prompts": ["QUEUED prompt"]},
    ]
    async with world.office.api() as api:
        made = [
            (await api.post("plans", json={"name": "claude", "defaults": defaults, **plan})).raise_for_status().json()
            for plan in plans
        ]
        async with asyncio.timeout(100):
            for plan in made:
                while (state := (await api.get(f"plans/{plan['id']}")).json())["finished_at"] is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
                assert state["status"] == "done", (state, world.office.logs())
        tasks = (await api.get(f"plans/{made[1]['id']}/jobs")).json()["jobs"]
    assert len({task["execution"]["session_id"] for task in tasks}) == 1
    assert all(task["execution"]["result"]["marker"] for task in tasks)
