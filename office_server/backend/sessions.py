"""Sessions and their output: read only, for clients alone report them."""

from datetime import datetime

from office_server import unknown
from office_server.backend.connection import Connection
from office_server.rows import OutputChunk, Session
from shared.ids import ByteOffset, OfficeId, SessionId
from shared.states import SessionStatus


class Sessions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, office: OfficeId, session: SessionId) -> Session:
        """Raises NotFound."""
        query = self._connection.table("agent_sessions").select(Session.columns()).eq("office_id", str(office))
        found = await self._connection.read(query.eq("id", str(session)), Session)
        if not found:
            raise unknown.session(office, session)
        return found[0]

    async def page(
        self, office: OfficeId, *, statuses: list[SessionStatus], role: str | None, before: datetime | None, limit: int
    ) -> list[Session]:
        """Newest first; `before`: only those created before."""
        query = self._connection.table("agent_sessions").select(Session.columns()).eq("office_id", str(office))
        query = query.order("created_at", desc=True).limit(limit)
        if statuses:
            query = query.in_("status", statuses)
        if role is not None:
            query = query.eq("role", role)
        if before is not None:
            query = query.lt("created_at", before.isoformat())
        return await self._connection.read(query, Session)

    async def output(self, session: SessionId, after: ByteOffset, chunks: int = 200) -> list[OutputChunk]:
        """The first chunks that end after `after`, in order."""
        query = self._connection.table("session_output").select(OutputChunk.columns()).eq("session_id", str(session))
        return await self._connection.read(
            query.gt("end_offset", after).order("start_offset").limit(chunks), OutputChunk
        )
