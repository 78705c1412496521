"""The people of offices, and what each may do there."""

from uuid import UUID

from office_server.backend.connection import Connection
from office_server.rows import Row
from shared.ids import OfficeId
from shared.states import MemberRole


class _Membership(Row):
    office_id: OfficeId
    role: MemberRole


class Members:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def roles_of(self, user: UUID) -> dict[OfficeId, MemberRole]:
        """By office."""
        query = self._connection.table("office_members").select(_Membership.columns()).eq("user_id", str(user))
        return {member.office_id: member.role for member in await self._connection.read(query, _Membership)}
