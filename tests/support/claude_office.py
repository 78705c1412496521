"""An office whose machine has the real Claude Code, and the Messages API on loopback that answers it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import git
import httpx
import psycopg

from semo.folder import DataFolder
from tests.support.claude_cli import ClaudeHome, claude_program
from tests.support.claude_terminal import CHOICE_SECONDS
from tests.support.merging import PUSHED_AND_MERGED, with_origin
from tests.support.messages_api import MessagesApi
from tests.support.office_events import OfficeEvents
from tests.support.running_office import Ran, RunningOffice, semo

DONE = "[SEMO:DONE]"


@dataclass
class ClaudeOffice:
    """The office, the API that answers its agents, and what it tells."""

    office: RunningOffice
    api: MessagesApi
    events: OfficeEvents

    @classmethod
    @asynccontextmanager
    async def running(cls, place: Path) -> "AsyncGenerator[ClaudeOffice]":
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
            try:
                async with OfficeEvents.of(office) as events:
                    yield cls(office, api, events)
            finally:
                await office.close()

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

    async def choose(self, session_id: str, key: str) -> None:
        """Answers the dialog that an agent shows: the key is sent until the agent asks no more."""

        async def asks_no_more() -> bool:
            return await self.status_of(session_id) != "needs_permission"

        while True:
            await self.office.insert("send_keys", {"keys": [key]}, session_id=session_id)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHOICE_SECONDS):
                    await self.events.when(asks_no_more)
                    return

    async def asked(self, session_id: str, times: int = 1) -> dict[str, Any]:
        """The latest of so many requests for leave, once it is there."""

        async def found() -> dict[str, Any] | None:
            approvals = await self.approvals(session_id)
            return approvals[-1] if len(approvals) >= times else None

        return await self.events.when(found)

    async def approvals(self, session_id: str) -> list[dict[str, Any]]:
        async with self.office.api() as api:
            listed = (await api.get("approvals", params={"session_id": session_id})).raise_for_status().json()
        return listed["approvals"][::-1]

    async def settled(self, approval_id: str, column: str = "answered_at") -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            [row] = await self.office.rows("approvals", id=approval_id)
            return row if row[column] is not None else None

        return await self.events.when(found)

    async def answer(self, approval_id: str, verb: str, **body: Any) -> httpx.Response:
        async with self.office.api() as api:
            return await api.post(f"approvals/{approval_id}/{verb}", json=body)

    async def semo(self, *arguments: str) -> Ran:
        return await semo(*arguments, "--data", str(self.office.data))

    async def spec_in(self, api: httpx.AsyncClient, status: str) -> dict[str, Any]:
        """The spec task "small", once it is in that status; whatever its agents ask leave for is given by a key."""

        async def found() -> dict[str, Any] | None:
            task = (await api.get("spec-tasks/small")).raise_for_status().json()
            if task["status"] == status:
                return task
            assert task["status"] != "failed", json.dumps(task, indent=1)
            for asking in await self.office.rows("agent_sessions", status="needs_permission"):
                await self.choose(asking["id"], "1")
            return None

        return await self.events.when(found)

    async def jobs(self, api: httpx.AsyncClient, plan: dict[str, Any], **wanted: str) -> dict[str, dict[str, Any]]:
        """The jobs of a plan by their names, once these have these statuses; what is asked leave for is given."""

        async def found() -> dict[str, dict[str, Any]] | None:
            jobs = (await api.get(f"plans/{plan['id']}/jobs")).raise_for_status().json()["jobs"]
            if {job["name"]: job["status"] for job in jobs}.items() >= wanted.items():
                return {job["name"]: job for job in jobs}
            asked = (await api.get("approvals", params={"status": "pending"})).raise_for_status().json()
            for one in asked["approvals"]:
                await self.answer(one["id"], "approve", digest=one["digest"])
            return None

        return await self.events.when(found)

    async def over(self, api: httpx.AsyncClient, plan: dict[str, Any]) -> dict[str, Any]:
        """A plan once it has ended."""

        async def found() -> dict[str, Any] | None:
            state = (await api.get(f"plans/{plan['id']}")).raise_for_status().json()
            return state if state["finished_at"] is not None else None

        return await self.events.when(found, seconds=200)

    async def everything_is_stopped(self) -> None:
        stopped = await self.semo("stop", "--yes")
        assert stopped.exit_code == 0, stopped.err

        async def all_ended() -> bool:
            sessions = await self.office.rows("agent_sessions", agent="claude")
            return all(one["ended_at"] is not None for one in sessions)

        await self.events.when(all_ended)

    async def until_event(self, session_id: str, kind: str) -> dict[str, Any]:
        return (await self.events.until(kind, session_id))["detail"]
