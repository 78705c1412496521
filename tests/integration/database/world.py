"""Words for the database's tests: who asks (with real roles and claims), what they ask, and short names for rows.

Asserts nothing, except that what is refused is refused with the right code.
"""

import json
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from local_supabase.database import Database

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]


@asynccontextmanager
async def connect(database: Database, role: str = "postgres") -> AsyncGenerator[Connection]:
    async with await psycopg.AsyncConnection[Row].connect(
        database.dsn_for(role), autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


@contextmanager
def refused(code: str, match: str | None = None) -> Generator[pytest.ExceptionInfo[psycopg.Error]]:
    """What happens inside is refused with this SQLSTATE, in words that match."""
    with pytest.raises(psycopg.Error, match=match) as refusal:
        yield refusal
    assert refusal.value.sqlstate == code, refusal.value


@dataclass(frozen=True)
class Caller:
    """Somebody who asks, each time in a transaction with the role and the claims that PostgREST would set."""

    connection: Connection
    role: str
    user: UUID | None = None

    async def ask(self, query: str, *values: object) -> list[Row]:
        rows, _ = await self._run(query, *values)
        return rows

    async def count(self, query: str, *values: object) -> int:
        """How many rows are found or changed."""
        _, count = await self._run(query, *values)
        return count

    async def _run(self, query: str, *values: object) -> tuple[list[Row], int]:
        claims = {"role": self.role, **({"sub": str(self.user)} if self.user else {})}
        async with self.connection.transaction():
            if self.role != "postgres":
                await self._become(self.role, json.dumps(claims))
            cursor = await self.connection.execute(query.encode(), [_for_sql(value) for value in values])
            rows = await cursor.fetchall() if cursor.description else []
            if self.role != "postgres":
                await self._become("none", "")
        return rows, cursor.rowcount

    async def value(self, query: str, *values: object) -> Any:
        rows = await self.ask(query, *values)
        return next(iter(rows[0].values()))

    async def call(self, function: str, **arguments: object) -> Any:
        """The one value that a function returns."""
        named = ", ".join(f"{name} => %s" for name in arguments)
        return await self.value(f"select {function}({named})", *arguments.values())

    async def call_rows(self, function: str, **arguments: object) -> list[Row]:
        named = ", ".join(f"{name} => %s" for name in arguments)
        return await self.ask(f"select * from {function}({named})", *arguments.values())  # noqa: S608  our own names

    async def insert(self, table: str, **columns: object) -> Row:
        names, places = ", ".join(columns), ", ".join("%s" for _ in columns)
        query = f"insert into {table} ({names}) values ({places}) returning *"  # noqa: S608  our own names
        return (await self.ask(query, *columns.values()))[0]

    async def _become(self, role: str, claims: str) -> None:
        await self.connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)", (role, claims)
        )


def _for_sql(value: object) -> object:
    if isinstance(value, dict):
        return Jsonb(value)
    if isinstance(value, list):
        items = cast("list[object]", value)
        return items if items and all(isinstance(item, (UUID, str)) for item in items) else Jsonb(items)
    return value


@dataclass
class Client:
    """A machine: its own user, its id, and the epoch that its process was given."""

    caller: Caller
    id: UUID
    agents: tuple[str, ...] = ("shell",)
    capacity: int = 6
    epoch: int = 0
    starts: list[UUID] = field(default_factory=list[UUID])
    """What its journal knows of."""
    claims: int = 0

    async def call(self, function: str, **arguments: object) -> Any:
        return await self.caller.call(function, p_client=self.id, p_epoch=self.epoch, **arguments)

    async def register(
        self,
        *live_sessions: UUID,
        held: list[Row] | None = None,
        start: UUID | None = None,
        machine_restarted: bool = False,
    ) -> Row:
        """`start`: the one that asks again; otherwise the client starts anew, with its journal."""
        start = start or uuid.uuid4()
        capabilities: Row = {"agents": dict.fromkeys(self.agents, "1")}
        if self.agents:
            capabilities["default_agent"] = self.agents[0]
        answer: Row = await self.caller.call(
            "register_client",
            p_client=self.id,
            p_capabilities=capabilities,
            p_capacity=self.capacity,
            p_version="test",
            p_live_sessions="{" + ",".join(str(session) for session in live_sessions) + "}",
            p_held=[{"command_id": str(c["id"]), "attempt": c["attempt"]} for c in held or []],
            p_start=start,
            p_starts="{" + ",".join(str(one) for one in self.starts) + "}",
            p_machine_restarted=machine_restarted,
        )
        self.starts = [*self.starts, start]
        self.epoch = answer["epoch"]
        return answer

    def as_it_was(self) -> "Client":
        """The process that runs now, as it will be when a newer one has registered."""
        return Client(self.caller, self.id, self.agents, self.capacity, self.epoch, list(self.starts))

    def as_a_copy(self) -> "Client":
        """A process with the credentials of this client and a journal that knows nothing of what it did."""
        return Client(self.caller, self.id, self.agents, self.capacity)

    async def claim(self, limit: int = 10, lease_seconds: int = 30, **more: object) -> list[Row]:
        self.claims += 1
        how = {"p_limit": limit, "p_lease_seconds": lease_seconds, "p_claim": self.claims, **more}
        return await self.caller.call_rows("claim_commands", p_client=self.id, p_epoch=self.epoch, **how)

    async def complete(self, command: Row, *, success: bool = True, **more: object) -> bool:
        return await self.call("complete_command", **_attempt_of(command), p_success=success, **more)

    async def give_back(self, command: Row) -> None:
        await self.call("give_back_command", **_attempt_of(command))

    async def report_lost(self, command: Row) -> None:
        await self.call("report_lost", **_attempt_of(command), p_error="the machine slept")

    async def renew(self, *commands: Row) -> list[UUID]:
        leases = [{"command_id": str(command["id"]), "attempt": command["attempt"]} for command in commands]
        rows = await self.caller.call_rows("renew_leases", p_client=self.id, p_epoch=self.epoch, p_leases=leases)
        return [row["command_id"] for row in rows]

    async def open_session(self, office: UUID, command: Row | None = None, **more: object) -> UUID:
        """A session that is ready; idle in the warm pool when it is for no command."""
        session = uuid.uuid4()
        holder = _attempt_of(command) if command else {}
        arguments = {"p_role": "BE", "p_agent": "shell", "p_pool": "cold" if command else "warm", **holder, **more}
        await self.call("open_session", p_session=session, p_office=office, **arguments)
        await self.move(session, "ready")
        return session

    async def move(self, session: UUID, status: str, **facts: object) -> None:
        await self.call("update_session", p_session=session, p_status=status, p_facts=facts)

    async def acquire(self, session: UUID, command: Row) -> None:
        await self.call("acquire_session", p_session=session, **_attempt_of(command))

    async def fail(self, command: Row, retry: str | None = None, **more: object) -> bool:
        """Ends an attempt; with `retry`, in a way that may be followed by another."""
        return await self.complete(command, success=False, p_error_code="turn_error", p_retry=retry, **more)

    async def open_circuit(self, office: UUID, role: str = "BE", **more: object) -> None:
        told = {"p_failures": 3, "p_open_seconds": 60, "p_error_code": "session_failed", "p_error": "no prompt"}
        await self.call("open_circuit", p_office=office, p_role=role, **(told | more))

    async def close_circuit(self, office: UUID, role: str = "BE") -> None:
        await self.call("close_circuit", p_office=office, p_role=role)

    async def ask_approval(self, command: Row, session: UUID, turn: UUID, **more: object) -> UUID:
        """The id of a request for leave to run a command."""
        asked = {"p_tool": "Bash", "p_input": {"command": "make"}, "p_cwd": "/src", "p_digest": "a" * 64}
        wanted = {"p_approval": uuid.uuid4(), **asked, **more}
        await self.call("request_approval", p_session=session, p_turn=turn, **_attempt_of(command), **wanted)
        return cast("UUID", wanted["p_approval"])

    async def watch(self, *approvals: UUID) -> dict[UUID, str]:
        """Those that wait no longer, and what they are."""
        rows = await self.caller.call_rows(
            "watch_approvals", p_client=self.id, p_epoch=self.epoch, p_approvals=list(approvals)
        )
        return {row["id"]: row["status"] for row in rows}

    async def withdraw(self, approval: UUID, reason: str = "answered at the terminal") -> str:
        return await self.call("withdraw_approval", p_approval=approval, p_reason=reason)

    async def typed(self, command: Row, session: UUID, turn: UUID | None = None) -> int:
        step = {
            "step": "typed",
            "command_id": str(command["id"]),
            "attempt": command["attempt"],
            "at": "2026-01-01T00:00:00Z",
            "session_id": str(session),
            "turn_id": str(turn or uuid.uuid4()),
            "output_start": 0,
        }
        return await self.call("record_progress", p_steps=[step])


def _attempt_of(command: Row) -> Row:
    return {"p_command": command["id"], "p_attempt": command["attempt"]}


@dataclass
class World:
    """A migrated database and the people and machines in it."""

    connection: Connection
    owner: Caller = field(init=False)
    service: Caller = field(init=False)
    anon: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.owner = Caller(self.connection, "postgres")
        self.service = Caller(self.connection, "service_role")
        self.anon = Caller(self.connection, "anon")

    async def user(self) -> Caller:
        user = uuid.uuid4()
        await self.owner.ask("insert into auth.users (id) values (%s)", user)
        return Caller(self.connection, "authenticated", user)

    async def office(self, **columns: object) -> UUID:
        return (await self.owner.insert("offices", name=f"office {uuid.uuid4()}", **columns))["id"]

    async def member(self, office: UUID, role: str) -> Caller:
        caller = await self.user()
        await self.owner.insert("office_members", office_id=office, user_id=caller.user, role=role)
        return caller

    async def client(
        self, *offices: UUID, agents: tuple[str, ...] = ("shell",), capacity: int = 6, register: bool = True
    ) -> Client:
        caller = await self.user()
        row = await self.owner.insert("remote_clients", user_id=caller.user, name="machine", capacity=capacity)
        for office in offices:
            await self.owner.insert("client_offices", client_id=row["id"], office_id=office)
        client = Client(caller, row["id"], agents, capacity)
        if register:
            await client.register()
        return client

    async def command(self, office: UUID, command_type: str, payload: object = None, **columns: object) -> Row:
        """Inserted by hand as the service would, from the Supabase dashboard or otherwise."""
        return await self.service.insert(
            "agent_commands", office_id=office, command_type=command_type, payload=Jsonb(payload or {}), **columns
        )

    async def prompt(self, office: UUID, session: UUID | None = None, **columns: object) -> Row:
        payload = {"text": "do it"} if session else {"text": "do it", "role": "BE"}
        return await self.command(office, "send_prompt", payload, session_id=session, **columns)

    async def now(self, command: Row) -> Row:
        """The command as it is now."""
        return (await self.owner.ask("select * from agent_commands where id = %s", command["id"]))[0]

    async def session(self, session: UUID) -> Row:
        return (await self.owner.ask("select * from agent_sessions where id = %s", session))[0]

    async def results(self, command: Row) -> list[Row]:
        return await self.owner.ask(
            "select * from agent_command_results where command_id = %s order by attempt", command["id"]
        )

    async def approval(self, approval: UUID) -> Row:
        return (await self.owner.ask("select * from approvals where id = %s", approval))[0]

    async def answer(self, approval: UUID, status: str, by: Caller | None = None, **more: object) -> Row:
        return (await (by or self.service).call_rows("answer_approval", p_approval=approval, p_status=status, **more))[
            0
        ]

    async def approval_runs_out(self, approval: UUID) -> None:
        await self.owner.ask("update approvals set expires_at = now() - interval '1 ms' where id = %s", approval)

    async def lease_runs_out(self, command: Row) -> None:
        await self.owner.ask(
            "update agent_commands set lease_until = now() - interval '1 second' where id = %s", command["id"]
        )

    async def the_pause_ends(self, command: Row) -> None:
        await self.owner.ask(
            "update agent_commands set not_before = now() - interval '1 ms' where id = %s", command["id"]
        )

    async def goes_offline(self, client: Client) -> None:
        await self.owner.ask(
            "update remote_clients set last_seen_at = now() - interval '1 hour' where id = %s", client.id
        )
