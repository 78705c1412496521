"""Tokens of the API, found by their hash."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from office_server.backend.connection import Connection
from office_server.rows import Token
from shared.ids import OfficeId


class Tokens:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, fields: dict[str, Any]) -> Token:
        [token] = await self._connection.write(self._connection.table("api_tokens").insert(fields), Token)
        return token

    async def find(self, token_hash: str) -> Token | None:
        """The token of that hash, valid or not."""
        query = self._connection.table("api_tokens").select(Token.columns()).eq("token_hash", token_hash)
        return next(iter(await self._connection.read(query, Token)), None)

    async def get(self, token: UUID) -> Token | None:
        """The token of that id, valid or not."""
        query = self._connection.table("api_tokens").select(Token.columns()).eq("id", str(token))
        return next(iter(await self._connection.read(query, Token)), None)

    async def of_office(self, office: OfficeId) -> list[Token]:
        """The office's own tokens; those that are valid everywhere belong to nobody here."""
        query = self._connection.table("api_tokens").select(Token.columns()).eq("office_id", str(office))
        return await self._connection.read(query.order("created_at"), Token)

    async def revoke(self, office: OfficeId, token: UUID) -> bool:
        """Whether there was such a token. Revoking twice keeps the first time."""
        mine = self._connection.table("api_tokens").select(Token.columns()).eq("office_id", str(office))
        if not await self._connection.read(mine.eq("id", str(token)), Token):
            return False
        query = self._connection.table("api_tokens").update({"revoked_at": datetime.now(UTC).isoformat()})
        await self._connection.do(query.eq("id", str(token)).is_("revoked_at", "null"))
        return True

    async def used(self, token: UUID, at: datetime) -> None:
        query = self._connection.table("api_tokens").update({"last_used_at": at.isoformat()})
        await self._connection.do(query.eq("id", str(token)))
