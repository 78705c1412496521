"""Stands in for a remote client: claims and completes commands by the SQL functions, and types nothing anywhere."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row

from local_supabase.database import Database

Row = dict[str, Any]


class Machine:
    """Answers each command as a client would. A prompt says how it ends: `fail …` fails, `hang …` is never answered.

    `ask …` asks leave for something first, and is never answered either; `asked` gets the approval's id.
    `die once …` fails as a dead agent does, and succeeds when it is tried again.
    `documents` is what stands on the branch of every spec task; `prompts` what its agents were told.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Row], office: str) -> None:
        self._connection = connection
        self._office = office
        self.client = str(uuid4())
        self.epoch = 0
        self.paused = False
        self.documents: dict[str, str] = {}
        self.prompts: list[str] = []
        self.failed_once = asyncio.Event()
        self.asked: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def working(cls, database: Database, office: str) -> AsyncGenerator[Self]:
        dsn = database.dsn_for("supabase_admin")
        async with await psycopg.AsyncConnection[Row].connect(dsn, autocommit=True, row_factory=dict_row) as connection:
            machine = cls(connection, office)
            await machine._join()
            working = asyncio.create_task(machine._work())
            try:
                yield machine
            finally:
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working

    async def report_output(self, session: str, start: int, text: str) -> None:
        chunk = {"session_id": session, "start": start, "end": start + len(text.encode()), "text": text}
        await self._call("append_output", json.dumps([chunk]))

    async def open_session(self, role: str = "BE", command: Row | None = None) -> str:
        session = str(uuid4())
        held = (command["id"], command["attempt"]) if command else (None, None)
        await self._call("open_session", session, self._office, role, "shell", "cold", *held)
        await self._call("update_session", session, "ready", json.dumps({"pid": 4711, "branch": "agent/be-x"}))
        return session

    async def open_circuit(self, role: str) -> None:
        await self._call("open_circuit", self._office, role, 3, 60, "session_failed", "the shell shows no prompt")

    async def claim_holding_back(self, reason: Row) -> None:
        await self._call("claim_commands", 10, 30, json.dumps(reason))

    async def answer_at_last(self, command: str) -> None:
        """A prompt that hangs ends as one that was interrupted."""
        attempt = 1
        while not await self._run("select 1 from agent_commands where id = %s and status = 'processing'", command):
            if await self._run("select 1 from agent_commands where id = %s and status = 'cancelled'", command):
                return
            await asyncio.sleep(0.02)
        await self._complete({"id": command, "attempt": attempt}, error=("turn_interrupted", "it was interrupted"))

    async def _join(self) -> None:
        await self._run("insert into remote_clients (id, name) values (%s, 'machine')", self.client)
        await self._run("insert into client_offices (client_id, office_id) values (%s, %s)", self.client, self._office)
        able = json.dumps({"agents": {"shell": "5"}, "default_agent": "shell"})
        [found] = await self._run("select register_client(%s, %s, 6, 'test') as terms", self.client, able)
        self.epoch = found["terms"]["epoch"]

    async def _work(self) -> None:
        while True:
            if not self.paused:
                for command in await self._run("select * from claim_commands(%s, %s)", self.client, self.epoch):
                    await self._answer(command)
            await asyncio.sleep(0.02)

    async def _answer(self, command: Row) -> None:
        session = str(command["session_id"]) if command["session_id"] else None
        match command["command_type"]:
            case "create_session":
                if command["payload"].get("task") == "fail":
                    await self._complete(command, error=("policy_forbids", "the rule allowed_roots forbids it"))
                    return
                session = await self.open_session(command["payload"]["role"], command)
                await self._complete(command, {"session_id": session, "status": "ready"})
            case "terminate":
                await self._call("update_session", session, "terminated", "{}")
                await self._complete(command, {"status": "terminated"})
            case "cancel":
                await self._complete(command, {"status": "ready"})
            case "publish_branch":
                where = {"number": 7, "url": "https://github.invalid/acme/web/pull/7", "base": "main", "head": "abc"}
                await self._complete(command, {"state": "open", "checks": "none", "changed": ["a.py"], **where})
            case "merge_branch" if "conflict" in command["payload"]["branch"]:
                said = f"{command['payload']['branch']} conflicts with main in a.py; nothing was changed"
                await self._complete(command, {"files": ["a.py"]}, error=("conflict", said))
            case "merge_branch":
                await self._complete(command, {"state": "merged", "head": "abc", "worktree": "removed"})
            case "read_documents":
                await self._complete(command, {"commit": "c0ffee", "documents": self.documents, "skipped": {}})
            case "merge_work":
                await self._complete(command, {"commit": "c0ffee", "conflicts": []})
            case "write_documents":
                await self._complete(command, {"commit": "c0ffee", "changed": True})
            case "send_prompt":
                await self._prompt(command, session)
            case _:
                await self._complete(command, {})

    async def _prompt(self, command: Row, session: str | None) -> None:
        text: str = command["payload"]["text"]
        self.prompts.append(text)
        if text.startswith("hang"):
            return
        session = session or await self.open_session(command["payload"]["role"], command)
        if text.startswith("ask"):
            approval, action = str(uuid4()), ("Bash", json.dumps({"command": "git push"}), "/src", "a" * 64)
            await self._call(
                "request_approval", approval, session, command["id"], command["attempt"], str(uuid4()), *action
            )
            self.asked.put_nowait(approval)
            return
        if text.startswith("die once") and command["attempt"] == 1:
            await self._call(
                "complete_command", command["id"], 1, False, None, "turn_error", "the agent ended", None, None, None,
                "[]", "died",
            )  # fmt: skip
            self.failed_once.set()
            return
        turn = {"session_id": session, "turn_id": str(uuid4()), "outcome": "done", "marker": True}
        if text.startswith("fail"):
            error = ("turn_error", "the agent failed")
            await self._complete(command, turn | {"outcome": "error", "marker": False}, error=error)
        else:
            await self._complete(command, turn)

    async def _complete(self, command: Row, result: Row | None = None, error: tuple[str, str] | None = None) -> None:
        code, words = error or (None, None)
        await self._call(
            "complete_command", command["id"], command["attempt"], error is None, json.dumps(result), code, words
        )

    async def _call(self, function: str, *arguments: Any) -> None:
        places = ", ".join(["%s"] * (len(arguments) + 2))
        await self._run(f"select {function}({places})", self.client, self.epoch, *arguments)

    async def _run(self, statement: str, *values: Any) -> list[Row]:
        cursor = await self._connection.execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []
