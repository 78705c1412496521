"""Commands and their results. Nothing here moves a command: it is inserted, and SQL functions do the rest."""

from typing import Any

from office_server import unknown
from office_server.backend.connection import Connection
from office_server.rows import Command, Receipt, Result, TurnStart
from shared.ids import ByteOffset, CommandId, OfficeId, SessionId
from shared.states import CommandStatus, CommandType


class Commands:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, fields: dict[str, Any]) -> Command:
        """Raises InvalidPayload, NotFound, SessionEnded; Conflict when the idempotency key is taken."""
        [command] = await self._connection.write(self._connection.table("agent_commands").insert(fields), Command)
        return command

    async def get(self, office: OfficeId, command: CommandId) -> Command:
        """Raises NotFound."""
        query = self._of(office).eq("id", str(command))
        found = await self._connection.read(query, Command)
        if not found:
            raise unknown.command(office, command)
        return found[0]

    async def by_key(self, office: OfficeId, idempotency_key: str) -> Command | None:
        query = self._of(office).eq("idempotency_key", idempotency_key)
        return next(iter(await self._connection.read(query, Command)), None)

    async def page(
        self,
        office: OfficeId,
        *,
        statuses: list[CommandStatus],
        types: list[CommandType],
        session: SessionId | None,
        before: int | None,
        limit: int,
    ) -> list[Command]:
        """Newest first; `before`: only those that arrived before that `seq`."""
        query = self._of(office).order("seq", desc=True).limit(limit)
        if statuses:
            query = query.in_("status", statuses)
        if types:
            query = query.in_("command_type", types)
        if session is not None:
            query = query.eq("session_id", str(session))
        if before is not None:
            query = query.lt("seq", before)
        return await self._connection.read(query, Command)

    async def results(self, command: CommandId) -> list[Result]:
        """One per finished attempt, in their order."""
        query = self._connection.table("agent_command_results").select(Result.columns())
        return await self._connection.read(query.eq("command_id", str(command)).order("attempt"), Result)

    async def earlier_attempts(self, command: CommandId) -> list[Receipt]:
        """The receipts of the attempts that another one followed, in their order."""
        query = self._connection.table("command_attempts").select(Receipt.columns()).eq("command_id", str(command))
        return await self._connection.read(query.order("attempt"), Receipt)

    async def output_start(self, command: CommandId) -> ByteOffset | None:
        """Where in its session's output the command's turn begins; None before anything was typed."""
        query = self._connection.table("session_turns").select(TurnStart.columns()).eq("command_id", str(command))
        found = await self._connection.read(query.order("started_at", desc=True).limit(1), TurnStart)
        return found[0].output_start if found else None

    async def withdraw(self, command: CommandId) -> CommandStatus:
        """Raises Conflict when somebody has taken it."""
        return CommandStatus(await self._connection.call("cancel_command", p_command=str(command)))

    async def waiting_reason(self, command: CommandId) -> dict[str, Any] | None:
        return await self._connection.call("command_waiting_reason", p_command=str(command))

    async def count(self, status: CommandStatus) -> int:
        """How many commands of all offices have that status."""
        query = self._connection.table("agent_commands").select("id", count="exact", head=True)
        return await self._connection.count(query.eq("status", status))

    def _of(self, office: OfficeId) -> Any:
        return self._connection.table("agent_commands").select(Command.columns()).eq("office_id", str(office))
