"""Helpers that read as sentences: an office that asks by inserting rows, and machines that run real clients."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb
from pydantic import SecretStr

from remote_client.client import Ready, run
from remote_client.credentials import Credentials, JoinedOffice, save
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.settings import ClientSettings
from shared.ids import ClientId, OfficeId
from tests.integration.ptyhost.terminals import host_pid
from tests.support.gateway import Project

WAIT_SECONDS = 45.0
REPOSITORY_ROOT = Path(__file__).parents[3]


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


async def written(path: Path) -> str:
    """What somebody else wrote into a file, as soon as there is any."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (text := path.read_text() if path.exists() else ""):
        assert time.monotonic() < deadline, f"nothing in {path}"
        await asyncio.sleep(0.02)
    return text


@dataclass
class Answer:
    """What became of a command: its row and its result row."""

    row: dict[str, Any]
    result_row: dict[str, Any] | None
    told: str

    @property
    def status(self) -> str:
        return self.row["status"]

    @property
    def result(self) -> dict[str, Any]:
        assert self.result_row is not None, self.told
        assert self.result_row["result"] is not None, self.told
        return self.result_row["result"]

    @property
    def error_code(self) -> str | None:
        assert self.result_row is not None, self.told
        return self.result_row["error_code"]

    @property
    def error(self) -> str:
        assert self.result_row is not None, self.told
        return self.result_row["error"] or ""

    def __repr__(self) -> str:
        return self.told


class Office:
    """One office in a project; everything it does, it does in SQL, as somebody at the dashboard would."""

    def __init__(self, project: Project, office_id: OfficeId, name: str) -> None:
        self.project = project
        self.office_id = office_id
        self.name = name

    @classmethod
    @asynccontextmanager
    async def founded(cls, project: Project) -> "AsyncGenerator[Office]":
        name = f"office {uuid4()}"
        office = cls(project, OfficeId(uuid4()), name)
        await office.sql(
            "insert into offices (id, name, warm_roles, idle_seconds) values (%s, %s, '{}', 10)", office.office_id, name
        )
        await office.sql(
            "update agent_personas set rendered = 'You are ' || name || '.', rendered_version = version "
            "where rendered is null"
        )
        try:
            yield office
        finally:
            await office.sql("delete from offices where id = %s", office.office_id)

    async def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a statement that sees and may do everything."""
        return await self.project.statements.run(statement, *values)

    async def enrol(self, name: str, folder: Path, repository: Path, **wishes: Any) -> "Machine":
        """A machine of this office, with a policy that lends `repository` and allows the shell."""
        client_id, password = ClientId(uuid4()), secrets.token_urlsafe(24)
        email = f"client-{client_id}@clients.semo.invalid"
        service = await self.project.service_role()
        user = await service.auth.admin.create_user(
            {
                "email": email,
                "password": password,
                "email_confirm": True,
                "app_metadata": {"client_id": str(client_id)},
            }
        )
        await self.sql(
            "insert into remote_clients (id, user_id, name) values (%s, %s, %s)", client_id, user.user.id, name
        )
        await self.sql("insert into client_offices (client_id, office_id) values (%s, %s)", client_id, self.office_id)
        folder.mkdir()
        credentials = Credentials(
            supabase_url=self.project.url,
            publishable_key=self.project.keys.publishable_key,
            email=email,
            password=SecretStr(password),
            client_id=client_id,
            offices=[JoinedOffice(office_id=self.office_id, name=self.name)],
        )
        save(credentials, folder / "state")
        machine = Machine(self, client_id, folder)
        machine.write_policy(repository, **wishes)
        return machine

    async def ask(self, command_type: str, payload: dict[str, Any] | None = None, **more: Any) -> UUID:
        """Inserts a command as a person at the dashboard would."""
        columns = {"office_id": self.office_id, "command_type": command_type, "payload": Jsonb(payload or {}), **more}
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        statement = f"insert into agent_commands ({names}) values ({marks}) returning id"  # noqa: S608  names are ours
        return (await self.sql(statement, *columns.values()))[0]["id"]

    async def command(self, command_id: UUID) -> Answer:
        rows = await self.sql("select * from agent_commands where id = %s", command_id)
        results = await self.sql(
            "select * from agent_command_results where command_id = %s order by attempt desc limit 1", command_id
        )
        return Answer(rows[0], results[0] if results else None, await self._tell(rows[0], results))

    async def _tell(self, row: dict[str, Any], results: list[dict[str, Any]]) -> str:
        result: dict[str, Any] = (results[0]["result"] if results else None) or {}
        session: str | None = result.get("session_id")
        screen = await self.output_of(UUID(session) if session else row["session_id"])
        return f"\ncommand: {row}\nresults: {results}\nlast screen:\n{screen[-2000:]}\n"

    async def output_of(self, session_id: UUID | None) -> str:
        chunks = await self.sql(
            "select text from session_output where session_id = %s order by start_offset", session_id
        )
        return "".join(chunk["text"] for chunk in chunks)

    async def until(self, command_id: UUID, *statuses: str, seconds: float = WAIT_SECONDS) -> Answer:
        """The command when it has one of the statuses; final ones when none is named."""
        wanted = statuses or ("completed", "failed", "lost", "expired", "cancelled")
        deadline = time.monotonic() + seconds
        while True:
            rows = await self.sql("select status from agent_commands where id = %s", command_id)
            if rows[0]["status"] in wanted:
                return await self.command(command_id)
            if time.monotonic() > deadline:
                raise AssertionError(f"not {wanted} within {seconds} s: {await self.command(command_id)}")
            await asyncio.sleep(0.02)

    async def until_true(self, statement: str, *values: Any, seconds: float = WAIT_SECONDS) -> list[dict[str, Any]]:
        """The rows of a query as soon as there are any."""
        deadline = time.monotonic() + seconds
        while not (rows := await self.sql(statement, *values)):
            assert time.monotonic() < deadline, f"still nothing after {seconds} s: {statement} {values}"
            await asyncio.sleep(0.02)
        return rows

    async def do(self, command_type: str, payload: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Inserts a command and waits for its end."""
        return await self.until(await self.ask(command_type, payload, **more))

    async def session(self, role: str = "BE", **payload: Any) -> UUID:
        """The id of a new session."""
        answer = await self.do("create_session", {"role": role, **payload})
        assert answer.status == "completed", answer
        return UUID(answer.result["session_id"])


@dataclass
class Machine:
    """One developer's machine: a state folder, a policy, and at most one running client."""

    office: Office
    client_id: ClientId
    folder: Path
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    process: asyncio.subprocess.Process | None = None

    def write_policy(self, repository: Path, **wishes: Any) -> None:
        roots = wishes.get("roots", [str(repository.parent)])
        (self.folder / "policy.toml").write_text(
            f"allowed_roots = {json.dumps(roots)}\n"
            'default_agent = "shell"\n'
            f"on_revoked = {json.dumps(wishes.get('on_revoked', 'interrupt'))}\n"
            f"[[repositories]]\npath = {json.dumps(str(repository))}\n"
            "[agents.shell]\nenabled = true\n"
            f"[limits]\nmax_sessions = {wishes.get('max_sessions', 6)}\n"
        )

    def settings(self, **changes: Any) -> ClientSettings:
        files = {"state_dir": self.folder / "state", "policy_file": self.folder / "policy.toml"}
        pace = {"poll_seconds": 1.0, "heartbeat_seconds": 1.0, "lease_seconds": 6, "host_alone_seconds": 60}
        return ClientSettings.model_validate(files | pace | {"sessions_at_stop": "end"} | changes)

    async def start(self, **changes: Any) -> "Machine":
        """Runs the client in this process and returns when it takes work."""
        self._stop.clear()
        self.ready.clear()

        def on_ready(_ready: Ready) -> None:
            self.ready.set()

        self._task = asyncio.create_task(run(self.settings(**changes), self._stop, on_ready))
        waiting = asyncio.create_task(self.ready.wait())
        await asyncio.wait({self._task, waiting}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            self._task.result()
        assert self.ready.is_set(), "the client did not get ready"
        return self

    async def ended(self) -> None:
        """Returns when the client has ended; raises what it raised."""
        assert self._task is not None
        await asyncio.wait_for(asyncio.shield(self._task), WAIT_SECONDS)

    async def told_to_stop(self) -> None:
        """Stops the client in order; raises what it raised."""
        self._stop.set()
        await self.ended()

    async def start_process(self, **changes: Any) -> "Machine":
        """Runs the client in a process of its own, which can be killed."""
        settings = self.settings(**changes)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            **{f"SEMO_CLIENT_{name.upper()}": str(value) for name, value in settings.model_dump().items()},
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "remote_client", "--ready-line",
            cwd=REPOSITORY_ROOT, env=environment, stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), WAIT_SECONDS)
        assert b"client_id" in line, line
        return self

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()
        self.process = None

    async def kill_host(self) -> None:
        """kill -9 of the process that keeps the terminals."""
        os.kill(await host_pid(self.settings().state / "host"), signal.SIGKILL)

    async def end_terminals(self) -> None:
        """Ends the terminals that a client left running, and what keeps them."""
        await HostTerminals(self.settings().state / "host").stop()

    async def stop(self) -> None:
        if self._task is not None:
            self._stop.set()
            await asyncio.wait({self._task}, timeout=WAIT_SECONDS)
            self._task = None
        if self.process is not None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), WAIT_SECONDS)
            self.process = None


MakeMachine = Callable[..., Awaitable[Machine]]
