"""The people of offices, and what each may do there. Who they are is in Supabase Auth."""

from datetime import datetime
from typing import Any
from uuid import UUID

from office_server.backend.connection import Connection
from office_server.rows import Row
from shared.errors import Unauthenticated
from shared.ids import OfficeId
from shared.states import MemberRole


class _Membership(Row):
    office_id: OfficeId
    role: MemberRole


class Member(Row):
    user_id: UUID
    email: str | None
    role: MemberRole
    created_at: datetime
    last_sign_in_at: datetime | None


class Members:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def roles_of(self, user: UUID) -> dict[OfficeId, MemberRole]:
        """By office."""
        query = self._connection.table("office_members").select(_Membership.columns()).eq("user_id", str(user))
        return {member.office_id: member.role for member in await self._connection.read(query, _Membership)}

    async def of(self, office: OfficeId) -> list[Member]:
        """By address."""
        found: list[Any] = await self._connection.call("list_members", p_office=str(office))
        return [Member.model_validate(one) for one in found]

    async def person(self, email: str) -> UUID | None:
        """Whom Supabase Auth has under that address; no machine."""
        found = await self._connection.call("find_person", p_email=email)
        return UUID(found) if found is not None else None

    async def create_person(self, email: str, password: str) -> UUID:
        """Raises Conflict when there is one of that address already."""
        return await self._connection.create_user(email, password, {})

    async def put(self, office: OfficeId, user: UUID, role: MemberRole) -> None:
        """Raises NotFound."""
        await self._connection.call("set_member", p_office=str(office), p_user=str(user), p_role=role)

    async def remove(self, office: OfficeId, user: UUID) -> bool:
        """Whether there was such a member."""
        return bool(await self._connection.call("remove_member", p_office=str(office), p_user=str(user)))

    async def who_has(self, email: str, password: str) -> UUID:
        """
        Raises:
            Unauthenticated: nobody, or a machine.
        """
        user, client = await self._connection.sign_in(email, password)
        if client is not None:
            raise Unauthenticated("That is the user of a machine, not of a person.")
        return user

    async def change_password(self, user: UUID, password: str) -> None:
        """Raises InvalidPayload when Supabase Auth finds it too weak."""
        await self._connection.change_password(user, password)
