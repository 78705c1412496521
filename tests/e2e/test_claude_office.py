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
import httpx
import psycopg
import pytest
import pytest_asyncio

from semo.folder import DataFolder
from tests.support.claude_cli import ClaudeHome, claude_program
from tests.support.git import git as git_says
from tests.support.merging import PUSHED_AND_MERGED, forecast, merged, with_origin
from tests.support.messages_api import Fail, MessagesApi, Say, Use, say
from tests.support.running_office import Ran, RunningOffice, semo

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

    def sql(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.office.status["db_url"], autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    async def status_of(self, session_id: str) -> str:
        [row] = await self.office.rows("agent_sessions", id=session_id)
        return row["status"]

    async def asked(self, session_id: str, times: int = 1) -> dict[str, Any]:
        """The latest of so many requests for leave, once it is there."""
        async with asyncio.timeout(45):
            while True:
                found = await self.approvals(session_id)
                if len(found) >= times:
                    return found[-1]
                await asyncio.sleep(0.1)

    async def approvals(self, session_id: str) -> list[dict[str, Any]]:
        async with self.office.api() as api:
            listed = (await api.get("approvals", params={"session_id": session_id})).raise_for_status().json()
        return listed["approvals"][::-1]

    async def settled(self, approval_id: str, column: str = "answered_at") -> dict[str, Any]:
        async with asyncio.timeout(45):
            while True:
                [row] = await self.office.rows("approvals", id=approval_id)
                if row[column] is not None:
                    return row
                await asyncio.sleep(0.1)

    async def answer(self, approval_id: str, verb: str, **body: Any) -> httpx.Response:
        async with self.office.api() as api:
            return await api.post(f"approvals/{approval_id}/{verb}", json=body)

    async def semo(self, *arguments: str) -> Ran:
        return await semo(*arguments, "--data", str(self.office.data))

    async def spec_in(self, api: httpx.AsyncClient, status: str) -> dict[str, Any]:
        """The spec task "small", once it is in that status; whatever its agents ask leave for is given."""
        given: set[str] = set()
        async with asyncio.timeout(90):
            while True:
                task = (await api.get("spec-tasks/small")).raise_for_status().json()
                if task["status"] == status:
                    return task
                assert task["status"] != "failed", json.dumps(task, indent=1)
                for asking in await self.office.rows("agent_sessions", status="needs_permission"):
                    if asking["id"] not in given:
                        given.add(asking["id"])
                        await asyncio.sleep(DIALOG_SETTLES_SECONDS)
                        await self.office.insert("send_keys", {"keys": ["1"]}, session_id=asking["id"])
                await asyncio.sleep(0.2)

    async def jobs(self, api: httpx.AsyncClient, plan: dict[str, Any], **wanted: str) -> dict[str, dict[str, Any]]:
        """The jobs of a plan by their names, once these have these statuses; what is asked leave for is given."""
        async with asyncio.timeout(90):
            while True:
                found = (await api.get(f"plans/{plan['id']}/jobs")).raise_for_status().json()["jobs"]
                if {job["name"]: job["status"] for job in found}.items() >= wanted.items():
                    return {job["name"]: job for job in found}
                asked = (await api.get("approvals", params={"status": "pending"})).raise_for_status().json()
                for one in asked["approvals"]:
                    await self.answer(one["id"], "approve", digest=one["digest"])
                await asyncio.sleep(0.2)

    async def everything_is_stopped(self) -> None:
        stopped = await self.semo("stop", "--yes")
        assert stopped.exit_code == 0, stopped.err
        async with asyncio.timeout(60):
            while any(row["ended_at"] is None for row in await self.office.rows("agent_sessions", agent="claude")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def until_event(self, session_id: str, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(45):
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
    with_origin(repository)
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
            f'models = ["opus"]\n{PUSHED_AND_MERGED}'
        )
        environment = {"HOME": str(home.folder), **variables, "SEMO_CLIENT_FORECAST_SECONDS": "0.3"}
        office = await RunningOffice.open(place / "data", "--repo", str(repository), env=environment)
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


async def test_two_requests_of_one_turn_are_answered_from_outside_each_by_its_own_answer(world: World):
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


async def test_what_nobody_answers_in_time_is_denied_and_what_its_turn_leaves_behind_taken_back(world: World):
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


async def test_a_request_outlives_the_client_and_is_answered_by_what_was_said_meanwhile(world: World):
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


async def test_claude_plans_a_spec_task_and_does_its_work_and_reports_progress_by_mcp(world: World):
    """Planning, approval, one item, done; a tool of the office is called by the real CLI through its MCP server."""
    folder = ".semo/specs/small"
    plan = (
        f"mkdir -p {folder} && cd {folder} && echo 'THE SYSTEM SHALL greet' > requirements.md && echo d > design.md"
        " && echo '- [ ] 1 GREETITEM them (role: BE)' > tasks.md && echo '{}' > spec-metadata.json"
        " && git add . && git commit -qm Plan"
    )
    work = "echo hello > hello.txt && git add hello.txt && git commit -qm Greet"
    report = Use("mcp__semo__report_progress", {"text": "nearly there", "percent": 90})
    world.api.script("PLANSMALL", Use("Bash", {"command": plan, "description": "Plan"}), say(f"Planned. {DONE}"))
    world.api.script(
        "GREETITEM", report, Use("Bash", {"command": work, "description": "Greet"}), say(f"Greeted. {DONE}")
    )
    async with world.office.api() as api:
        wishes = {"title": "PLANSMALL thing", "name": "small", "agent": "claude", "start": True}
        made = await api.post("spec-tasks", json=wishes)
        assert made.status_code == 201, made.text
        await world.spec_in(api, "review")
        approved = await api.post("spec-tasks/small/versions/1/approve")
        assert approved.status_code == 200, approved.text
        task = await world.spec_in(api, "done")
    [session] = [one for one in task["sessions"] if one["label"] == "1"]
    assert (session["progress"], session["status"]) == ("nearly there", "done")
    [event] = await world.office.rows("coordination_events", spec_task_id=task["id"], kind="progress")
    assert event["author"] == f"session:{session['session_id']}"


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


@pytest.mark.timeout(240)
async def test_a_plan_of_waves_and_an_epic_run_with_it(world: World):
    """One of each kind: a wave after another, an epic in one conversation, and a prompt from the queue."""
    for word in ("WAVEONE", "WAVETWO", "EPICSTEP", "FROMQUEUE"):
        world.api.script(word, say(f"Done with it. {DONE}"))
    defaults = {"role": "BE", "agent": "claude"}
    plans = [
        {"waves": [[{"prompt": "WAVEONE of all"}], [{"prompt": "WAVETWO of all"}]]},
        {"epics": [{"name": "epic", "tasks": [{"prompt": "EPICSTEP one"}, {"prompt": "EPICSTEP two"}]}]},
        {"prompts": ["FROMQUEUE prompt"]},
    ]
    async with world.office.api() as api:
        made = [
            (await api.post("plans", json={"name": "claude", "defaults": defaults, **plan})).raise_for_status().json()
            for plan in plans
        ]
        async with asyncio.timeout(200):
            for plan in made:
                while (state := (await api.get(f"plans/{plan['id']}")).json())["finished_at"] is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
                assert state["status"] == "done", (state, world.office.logs())
        tasks = (await api.get(f"plans/{made[1]['id']}/jobs")).json()["jobs"]
    assert len({task["execution"]["session_id"] for task in tasks}) == 1
    assert all(task["execution"]["result"]["marker"] for task in tasks)


async def test_a_job_whose_evidence_fails_goes_back_to_it_until_it_holds(world: World):
    """It says that it is done and did nothing; what does not hold is its next prompt, and then it does it."""
    mend = "echo there > evidence.txt && git add evidence.txt && git commit -qm Evidence"
    world.api.script(
        "EVIDENCE", say(f"Done, believe me. {DONE}"), say(f"Really. {DONE}"),
        Use("Bash", {"command": mend, "description": "Commit"}), say(f"Now it is. {DONE}"),
    )  # fmt: skip
    job = {"name": "held", "prompt": "EVIDENCE please", "max_rounds": 3,
           "conditions": [{"must_change": "evidence.txt"}, {"commit": True}]}  # fmt: skip
    async with world.office.api() as api:
        wish = {"name": "evidence", "defaults": {"role": "BE", "agent": "claude"}, "jobs": [job]}
        plan = (await api.post("plans", json=wish)).raise_for_status().json()
        done = (await world.jobs(api, plan, held="done"))["held"]
        rounds = (await api.get(f"jobs/{done['id']}/evidence")).raise_for_status().json()["evidence"]
    told = [(one["round"], one["kind"], one["status"]) for one in rounds]
    assert told == [
        (number, kind, status)
        for number, status in enumerate(("fails", "fails", "holds"))
        for kind in ("must_change", "commit")
    ]
    assert done["execution"]["result"]["marker"] is True
    said = str(world.api.asked("EVIDENCE")[-1]["messages"])
    assert 'No file that matches "evidence.txt" was changed.' in said
    assert "Nothing was committed." in said


async def test_a_cap_stops_an_epic_before_its_next_turn_and_taking_it_away_lets_it_go_on(world: World):
    hold = asyncio.Event()
    world.api.script("DEARONE", Say(["Working.\n", DONE], hold=hold))
    world.api.script("DEARTWO", say(f"Done, too. {DONE}"))
    tasks = [{"name": "one", "prompt": "DEARONE prompt"}, {"name": "two", "prompt": "DEARTWO prompt"}]
    async with world.office.api() as api:
        epic = {"epics": [{"name": "dear", "role": "BE", "agent": "claude", "tasks": tasks}]}
        plan = (await api.post("plans", json={"name": "dear", **epic})).raise_for_status().json()
        await world.api.until_asked("DEARONE")
        cap = f"budgets/plan/{plan['id']}/total"
        (await api.put(cap, json={"cap_usd": 0.000001})).raise_for_status()
        hold.set()
        held = (await world.jobs(api, plan, one="done", two="blocked"))["two"]
        assert (held["failure_kind"], "the cap of the plan dear is reached: " in held["error"]) == ("cap", True), held
        assert world.api.asked("DEARTWO") == []
        (await api.delete(cap)).raise_for_status()
        done = await world.jobs(api, plan, two="done")
    assert done["one"]["execution"]["session_id"] == done["two"]["execution"]["session_id"]


@pytest.mark.timeout(240)
async def test_a_conflict_is_foreseen_then_everything_is_stopped_and_what_was_committed_really_conflicts(world: World):
    """Two agents amid their turns: named as a pair that would conflict, ended by the stop, their work kept."""
    for word in ("CLASHA", "CLASHB"):
        write = f"echo {word} > shared.txt && git add shared.txt && git commit -qm {word}"
        world.api.script(
            word, Use("Bash", {"command": write, "description": "Commit"}), Say(["More to do.\n"], hold=asyncio.Event())
        )
    jobs = [{"name": word, "prompt": f"{word} please"} for word in ("CLASHA", "CLASHB")]
    await world.everything_is_stopped()  # two need places at once
    async with world.office.api() as api:
        wish = {"name": "clash", "defaults": {"role": "BE", "agent": "claude"}, "jobs": jobs}
        plan = (await api.post("plans", json=wish)).raise_for_status().json()
        running = await world.jobs(api, plan, CLASHA="running", CLASHB="running")
        watching = asyncio.create_task(world.jobs(api, plan, CLASHA="cancelled", CLASHB="cancelled"))
        branches = [running[word]["branch"] for word in ("CLASHA", "CLASHB")]
        foreseen = await forecast(api, branches)
        assert foreseen["files"] == ["shared.txt"]
        for word in ("CLASHA", "CLASHB"):
            await world.api.until_asked(word, times=2)  # its commit is made, and its turn goes on

        await world.everything_is_stopped()
        ended = await watching
        assert {one["execution"]["status"] for one in ended.values()} == {"killed"}

        first, second = [await merged(api, foreseen["client_id"], branch) for branch in branches]
    assert first["state"] == "merged", first
    assert (second["state"], second["files"]) == ("conflict", ["shared.txt"])
    assert git_says(world.office.data.parent / "repo-origin.git", "show", "main:shared.txt") == "CLASHA\n"
