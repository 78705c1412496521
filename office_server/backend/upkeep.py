"""The house-keeping functions of the database, and whether it has all that this version needs."""

from collections.abc import Awaitable
from typing import Any
from uuid import UUID

from office_server.backend.connection import Connection, MigrationsMissing

_NOBODY = str(UUID(int=0))
_TABLES = ("offices", "api_tokens", "remote_clients", "agent_commands", "agent_sessions", "session_output", "approvals")


class Upkeep:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def expire_commands(self) -> int:
        return int(await self._connection.call("expire_commands"))

    async def rescue_commands(self) -> int:
        return int(await self._connection.call("rescue_commands"))

    async def settle_approvals(self) -> int:
        return int(await self._connection.call("settle_approvals"))

    async def miss_clients(self) -> int:
        """Says of clients that have vanished that they are offline."""
        return int(await self._connection.call("miss_clients"))

    async def prune_events(self) -> int:
        return int(await self._connection.call("prune_events"))

    async def prune_output(self) -> int:
        return int(await self._connection.call("prune_output"))

    async def echo_hint(self, topic: str) -> None:
        """Has the database say something on a topic, for those who listen to it."""
        await self._connection.call("echo_hint", p_topic=topic)

    async def missing(self) -> list[str]:
        """What the migrations should have made and did not. Raises BackendDown when nobody answers."""
        missing = [f"table {table}" for table in _TABLES if not await self._has_table(table)]
        # The last function of the last migration; for a persona that does not exist it changes nothing.
        probe = self._connection.call("store_rendered_persona", p_persona=_NOBODY, p_version=0, p_rendered="")
        if not await self._is_there(probe):
            missing.append("function store_rendered_persona")
        return missing

    async def _has_table(self, table: str) -> bool:
        return await self._is_there(self._connection.do(self._connection.table(table).select("*").limit(0)))

    async def _is_there(self, look: Awaitable[Any]) -> bool:
        try:
            await look
        except MigrationsMissing:
            return False
        return True
