"""Offices."""

from collections.abc import Collection
from typing import Any

from office_server import unknown
from office_server.backend.connection import Connection
from office_server.rows import Act, Office
from shared.ids import OfficeId


class Offices:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, fields: dict[str, Any]) -> Office:
        """Raises Conflict when the name is taken."""
        [office] = await self._connection.write(self._connection.table("offices").insert(fields), Office)
        return office

    async def get(self, office: OfficeId) -> Office:
        """Raises NotFound."""
        found = await self.find(office)
        if found is None:
            raise unknown.office(office)
        return found

    async def find(self, office: OfficeId) -> Office | None:
        query = self._connection.table("offices").select(Office.columns()).eq("id", str(office))
        return next(iter(await self._connection.read(query, Office)), None)

    async def by_key(self, idempotency_key: str) -> Office | None:
        query = self._connection.table("offices").select(Office.columns()).eq("idempotency_key", idempotency_key)
        return next(iter(await self._connection.read(query, Office)), None)

    async def acts(self, office: OfficeId, before: int | None, limit: int) -> list[Act]:
        """Who did what, newest first; `before`: only acts of smaller ids."""
        query = self._connection.table("audit_log").select(Act.columns()).eq("office_id", str(office))
        query = query.order("id", desc=True).limit(limit)
        return await self._connection.read(query if before is None else query.lt("id", before), Act)

    async def all(self, only: Collection[OfficeId] | None = None) -> list[Office]:
        query = self._connection.table("offices").select(Office.columns()).order("name")
        if only is not None:
            query = query.in_("id", [str(office) for office in only])
        return await self._connection.read(query, Office)

    async def change(self, office: OfficeId, fields: dict[str, Any]) -> Office:
        """Raises NotFound; Conflict when the name is taken."""
        if not fields:
            return await self.get(office)
        changed = await self._connection.write(
            self._connection.table("offices").update(fields).eq("id", str(office)), Office
        )
        if not changed:
            raise unknown.office(office)
        return changed[0]

    async def pool(self, office: OfficeId, pending: int) -> dict[str, Any]:
        """What `pool_state` says, with the first `pending` of the commands that wait."""
        return await self._connection.call("pool_state", p_office=str(office), p_pending=pending)
