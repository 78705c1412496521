"""The people of an office: who may do what there. Who they are, and their passwords, is in Supabase Auth."""

import base64
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office_server import unknown
from office_server.access import Access, Admin, Viewer
from office_server.backend.members import Member
from office_server.routes.answers import IdempotencyKey
from office_server.services import Services, ServicesDep
from shared.errors import Conflict, Unauthenticated
from shared.states import MemberRole

router = APIRouter(prefix="/api/offices/{office_id}/members", tags=["members"])
_PASSWORD_BYTES = 15
Address = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")
]


class NewMember(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"email": "ada@example.com", "role": "operator"}]}
    )

    email: Address
    role: MemberRole


class MemberChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: MemberRole = Field(examples=["operator"])


class NewlyMember(Member):
    password: str | None = Field(
        description="of somebody who was new to this Supabase project: shown this once; null: they have their own"
    )


class MemberList(BaseModel):
    members: list[Member]


@router.get("")
async def list_members(access: Viewer, services: ServicesDep) -> MemberList:
    return MemberList(members=await services.backend.members.of(access.office.id))


@router.post("", status_code=201)
async def add_member(access: Admin, services: ServicesDep, body: NewMember, key: IdempotencyKey = None) -> NewlyMember:
    """Lets a person in. Whom Supabase Auth does not know yet gets a user there, with a password to sign in with first.

    Asking again with the same key shows the same password again.
    """
    members = services.backend.members
    secret = services.once.secret("member", f"{access.office.id} {body.email.lower()}", key)
    password = base64.urlsafe_b64encode(secret[:_PASSWORD_BYTES]).decode()
    user = await members.person(body.email)
    is_new = user is None
    if user is None:
        user = await members.create_person(body.email, password)
    elif there := next((one for one in await members.of(access.office.id) if one.user_id == user), None):
        if key is None or there.role is not body.role or not await _has(services, body.email, password):
            raise Conflict(
                f"{body.email} is a member of this office already, with the role {there.role}.",
                advice=f"PATCH /api/offices/{access.office.id}/members/{user} gives another role",
            )
        is_new = True
    await members.put(access.office.id, user, body.role)
    member = await _member(services, access, user)
    return NewlyMember(**dict(member), password=password if is_new else None)


@router.patch("/{user_id}")
async def change_member(access: Admin, services: ServicesDep, user_id: UUID, body: MemberChange) -> Member:
    """Another role; it holds at once."""
    await _member(services, access, user_id)
    await services.backend.members.put(access.office.id, user_id, body.role)
    return await _member(services, access, user_id)


@router.delete("/{user_id}", status_code=204)
async def remove_member(access: Admin, services: ServicesDep, user_id: UUID) -> None:
    """The person may do nothing in this office any more, at once. Their user in Supabase Auth stays."""
    if not await services.backend.members.remove(access.office.id, user_id):
        raise unknown.member(access.office.id, user_id)


async def _member(services: Services, access: Access, user: UUID) -> Member:
    found = await services.backend.members.of(access.office.id)
    member = next((one for one in found if one.user_id == user), None)
    if member is None:
        raise unknown.member(access.office.id, user)
    return member


async def _has(services: Services, email: str, password: str) -> bool:
    try:
        await services.backend.members.who_has(email, password)
    except Unauthenticated:
        return False
    return True
