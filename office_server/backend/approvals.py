"""What agents ask leave for: read here, answered by a SQL function that lets each be answered once."""

from datetime import datetime
from typing import Any

from office_server import unknown
from office_server.backend.connection import Connection
from office_server.rows import Approval
from shared.ids import ApprovalId, CommandId, OfficeId, SessionId
from shared.states import ApprovalStatus


class Approvals:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, office: OfficeId, approval: ApprovalId) -> Approval:
        """Raises NotFound."""
        found = await self._connection.read(self._of(office).eq("id", str(approval)), Approval)
        if not found:
            raise unknown.approval(office, approval)
        return found[0]

    async def page(
        self,
        office: OfficeId,
        *,
        statuses: list[ApprovalStatus],
        session: SessionId | None,
        command: CommandId | None,
        before: datetime | None,
        limit: int,
    ) -> list[Approval]:
        """Newest first; `before`: only those that came before that moment."""
        query = self._of(office).order("created_at", desc=True).limit(limit)
        if statuses:
            query = query.in_("status", statuses)
        if session is not None:
            query = query.eq("session_id", str(session))
        if command is not None:
            query = query.eq("command_id", str(command))
        if before is not None:
            query = query.lt("created_at", before.isoformat())
        return await self._connection.read(query, Approval)

    async def answer(
        self, approval: ApprovalId, status: ApprovalStatus, message: str | None, digest: str | None, by: str
    ) -> Approval:
        """Raises Conflict when it is answered already, waits no longer, or is of another action than `digest`."""
        row = await self._connection.call(
            "answer_approval",
            p_approval=str(approval),
            p_status=status.value,
            p_message=message,
            p_digest=digest,
            p_by=by,
        )
        return Approval.model_validate(row)

    def _of(self, office: OfficeId) -> Any:
        return self._connection.table("approvals").select(Approval.columns()).eq("office_id", str(office))
