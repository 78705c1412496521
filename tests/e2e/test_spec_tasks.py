"""A spec task from its plan to done on real sessions: sent back once, a session that another adds, and client and
server killed while an agent waits for an answer."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.git import git
from tests.support.office_events import OfficeEvents
from tests.support.planning_scripts import PLANNING, WORK
from tests.support.running_office import RunningOffice, semo

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

TASKS = """# Tasks

- [ ] 1 Begin (role: BE)
  semo-agent report_progress '{"text": "begun", "percent": 10}'
  semo-agent spawn_session '{"title": "Extra", "prompt": "echo extra > extra.txt", "role": "QA"}'
  semo-agent ask_person '{"text": "Shall it go on?"}' > answer.json
- [ ] 2 End (role: FE; depends on 1)
  cp answer.json copied.json
"""


@pytest_asyncio.fixture(loop_scope="session")
async def events(office: RunningOffice) -> AsyncIterator[OfficeEvents]:
    async with OfficeEvents.of(office) as hearing:
        yield hearing


async def until(office: RunningOffice, events: OfficeEvents, status: str) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        async with office.api() as api:
            task = (await api.get("spec-tasks/talk")).raise_for_status().json()
        assert task["status"] in (status, "planning", "implementation"), json.dumps(task, indent=1)
        return task if task["status"] == status else None

    return await events.when(found, seconds=150)


async def question_of(office: RunningOffice, events: OfficeEvents) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        async with office.api() as api:
            asked = (await api.get("questions", params={"status": "open"})).raise_for_status().json()["questions"]
        return asked[0] if asked else None

    return await events.when(found, seconds=120)


async def killed_and_back(office: RunningOffice, events: OfficeEvents) -> None:
    """The office server dies; another process of it answers."""
    dead = office.pid_of("office_server")
    os.kill(dead, signal.SIGKILL)
    async with httpx.AsyncClient(base_url=office.status["office_url"], timeout=10) as http:

        async def back() -> bool:
            with suppress(httpx.TransportError, StopIteration):
                return office.pid_of("office_server") != dead and (await http.get("/readyz")).is_success
            return False

        await events.when(back, seconds=60)


def repository_of(office: RunningOffice, task: dict[str, Any], sessions: list[dict[str, Any]]) -> Path:
    worktree = next(one["worktree_path"] for one in sessions if one["branch"] == task["sessions"][0]["branch"])
    return Path(git(Path(worktree), "rev-parse", "--path-format=absolute", "--git-common-dir").strip())


async def test_from_a_plan_to_done_with_a_review_that_sends_back_an_added_session_and_killed_client_and_server(
    office: RunningOffice, events: OfficeEvents
):
    async with office.api() as api:
        wishes = {"title": "Talk", "start": True, "planning_template": PLANNING % TASKS, "work_template": WORK}
        made = await api.post("spec-tasks", json=wishes)
        assert made.status_code == 201, made.text
        task = await until(office, events, "review")
        sent = await api.post(
            "spec-tasks/talk/versions/1/send-back",
            json={"comments": [{"text": "Say more", "document": "design.md", "line": 1}]},
        )
        assert sent.status_code == 200, sent.text
        task = await until(office, events, "review")
        assert task["version"] == 2
        stale = await api.post("spec-tasks/talk/versions/1/approve")
        assert (stale.status_code, "no longer the newest" in stale.json()["detail"]) == (409, True)
    approved = await semo("spec", "approve", "talk", "--version", "2", "--data", str(office.data))
    assert approved.exit_code == 0, approved.err

    question = await question_of(office, events)
    os.kill(office.pid_of("remote_client"), signal.SIGKILL)
    await killed_and_back(office, events)
    assert (await question_of(office, events))["id"] == question["id"], "it is asked still, and once"
    answered = await semo("answer", question["id"], "go on", "--data", str(office.data))
    assert answered.exit_code == 0, answered.err
    again = await semo("answer", question["id"], "stop", "--data", str(office.data))
    assert (again.exit_code, "was answered" in again.err) == (6, True)

    task = await until(office, events, "done")
    sessions = {one["label"]: one for one in task["sessions"]}
    assert {label: one["status"] for label, one in sessions.items()} == dict.fromkeys(
        ("planning-1", "planning-2", "1", "2", "s1"), "done"
    )
    assert (sessions["s1"]["parent"], sessions["1"]["children"]) == ("1", ["s1"])
    assert sessions["2"]["started_at"] >= sessions["1"]["ended_at"]

    repository = repository_of(office, task, await office.rows("agent_sessions"))
    log = await written(repository, events)
    assert json.loads(git(repository, "show", "spec/talk:copied.json"))["answer"] == "go on"
    assert git(repository, "show", "spec/talk:extra.txt") == "extra\n"
    assert show(repository, "tasks.md").strip() == TASKS.strip().replace("[ ]", "[x]")
    assert "reported: begun (10 %)" in show(repository, "history/1.md")
    assert "was added by 1: Extra" in log
    assert "# Design of round 2" in show(repository, "design.md")


async def written(repository: Path, events: OfficeEvents) -> str:
    """The log of the task, once all of it is on its branch."""

    async def found() -> str | None:
        log = show(repository, "coordination.md")
        return log if "done by office" in log else None

    return await events.when(found)


def show(repository: Path, document: str) -> str:
    try:
        return git(repository, "show", f"spec/talk:.semo/specs/talk/{document}")
    except AssertionError:
        return ""
