"""Remote clients: how they join an office, which there are, and how one is shut out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from office_server.backend.connection import Connection
from office_server.rows import Client, Row
from shared.errors import Unauthenticated
from shared.ids import ClientId, OfficeId


class _Membership(Row):
    client_id: ClientId
    office_id: OfficeId


class _Lent(Row):
    client_id: ClientId
    repository: dict[str, Any] | None
    repository_told: bool


class _Enrollment(Row):
    expires_at: datetime


class _User(Row):
    user_id: UUID


class _Identity(Row):
    id: ClientId


class Clients:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_office(self, office: OfficeId) -> list[Client]:
        members = self._connection.table("client_offices").select(_Membership.columns()).eq("office_id", str(office))
        ids = [str(member.client_id) for member in await self._connection.read(members, _Membership)]
        if not ids:
            return []
        query = self._connection.table("remote_clients").select(Client.columns()).in_("id", ids).order("created_at")
        return await self._connection.read(query, Client)

    async def lend_nothing(self, office: OfficeId) -> dict[str, dict[str, Any] | None]:
        """What each machine of an office said of the repository that it lacks, by its name, where all lack it.

        Empty when there is no machine, when one has it, or when one has not told yet.
        """
        machines = [one for one in await self.of_office(office) if one.revoked_at is None]
        lent = self._connection.table("client_offices").select(_Lent.columns()).eq("office_id", str(office))
        by_client = {one.client_id: one for one in await self._connection.read(lent, _Lent)}
        found: dict[str, dict[str, Any] | None] = {}
        for machine in machines:
            one = by_client.get(machine.id)
            if one is None or not one.repository_told or (one.repository and "missing" not in one.repository):
                return {}
            found[machine.name] = one.repository
        return found

    async def offices_of(self, client: ClientId) -> set[OfficeId]:
        query = self._connection.table("client_offices").select(_Membership.columns()).eq("client_id", str(client))
        return {member.office_id for member in await self._connection.read(query, _Membership)}

    async def rename(self, client: ClientId, name: str) -> Client:
        query = self._connection.table("remote_clients").update({"name": name}).eq("id", str(client))
        [renamed] = await self._connection.write(query, Client)
        return renamed

    async def find(self, client: ClientId) -> Client | None:
        query = self._connection.table("remote_clients").select(Client.columns()).eq("id", str(client))
        return next(iter(await self._connection.read(query, Client)), None)

    async def drain(self, client: ClientId, draining: bool) -> None:
        """Whether it takes new work. What it has it finishes."""
        await self._connection.call("drain_client", p_client=str(client), p_draining=draining)

    async def remove(self, client: ClientId, office: OfficeId) -> None:
        """Shuts a client out of an office; one that serves no other is revoked, and its user deleted.

        Raises:
            NotFound: it is not in that office.
        """
        if await self._connection.call("remove_client", p_client=str(client), p_office=str(office)):
            await self.delete_users_of_revoked()

    async def delete_users_of_revoked(self) -> int:
        """How many there were. Whose user stays, because Auth was away, is found by the next call."""
        query = self._connection.table("remote_clients").select(_User.columns()).not_.is_("revoked_at", "null")
        users = await self._connection.read(query.not_.is_("user_id", "null"), _User)
        for user in users:
            await self._connection.delete_user(user.user_id)
        return len(users)

    async def whose(self, access_token: str) -> tuple[ClientId, UUID]:
        """The client that signed in for this token of Supabase Auth, and its user.

        Raises:
            Unauthenticated: it is no machine's, or not valid any more.
        """
        user, client = await self._connection.user_of(access_token)
        query = self._connection.table("remote_clients").select(_Identity.columns()).eq("user_id", str(user))
        for found in await self._connection.read(query.is_("revoked_at", "null"), _Identity):
            if str(found.id) == client:
                return found.id, user
        raise Unauthenticated("That is the token of no machine.", advice="join as a new machine")

    async def add_enrollment(self, fields: dict[str, Any]) -> datetime:
        """Keeps the hash of a code; returns until when it can be used."""
        [enrollment] = await self._connection.write(self._connection.table("enrollments").insert(fields), _Enrollment)
        return enrollment.expires_at

    async def expiry_of_code(self, office: OfficeId, code_hash: str) -> datetime | None:
        query = self._connection.table("enrollments").select(_Enrollment.columns()).eq("office_id", str(office))
        found = await self._connection.read(query.eq("code_hash", code_hash), _Enrollment)
        return found[0].expires_at if found else None

    async def office_of_code(self, code_hash: str) -> OfficeId:
        """Raises BadEnrollmentCode."""
        return OfficeId(UUID(await self._connection.call("check_enrollment", p_code_hash=code_hash)))

    async def redeem(self, code_hash: str, client: ClientId, user: UUID, name: str) -> None:
        """Spends the code and lets the client in. Raises BadEnrollmentCode."""
        await self._connection.call(
            "redeem_enrollment", p_code_hash=code_hash, p_client=str(client), p_user=str(user), p_name=name
        )

    async def create_user(self, email: str, password: str, client: ClientId) -> UUID:
        return await self._connection.create_user(email, password, {"client_id": str(client)})

    async def delete_user(self, user: UUID) -> None:
        await self._connection.delete_user(user)
