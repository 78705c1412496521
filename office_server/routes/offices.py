"""Offices and their limits."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from office_server.access import Admin, AdminEverywhere, Caller, Viewer, offices_of
from office_server.once import require_same
from office_server.routes.answers import IdempotencyKey, Label
from office_server.rows import Office
from office_server.services import ServicesDep
from shared.errors import Conflict
from shared.patterns import MOST_PATTERNS, OfficePattern

router = APIRouter(prefix="/api/offices", tags=["offices"])
Role = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]


class Limits(BaseModel):
    """Whatever is left out stays as it is, or takes its default."""

    model_config = ConfigDict(extra="forbid")

    warm_roles: list[Role] | None = Field(default=None, max_length=100, examples=[["FE", "BE", "QA"]])
    session_limit: int | None = Field(default=None, ge=1, le=100, examples=[6])
    idle_seconds: int | None = Field(default=None, ge=10, le=2**31 - 1, examples=[600])
    output_keep_bytes: int | None = Field(default=None, ge=65536, le=2**63 - 1, description="per session")
    output_keep_days: int | None = Field(default=None, ge=1, le=36500)
    approval_seconds: int | None = Field(
        default=None, ge=10, le=86400, description="how long an agent's request waits before it is denied"
    )
    events_keep_days: int | None = Field(default=None, ge=1, le=36500)
    patterns: list[OfficePattern] | None = Field(
        default=None,
        max_length=MOST_PATTERNS,
        description="what to look for in agents' output besides what every client knows; holds for later sessions",
    )

    @field_validator("patterns")
    @classmethod
    def _have_names_of_their_own(cls, patterns: list[OfficePattern] | None) -> list[OfficePattern] | None:
        names = [one.name for one in patterns or []]
        if len(set(names)) < len(names):
            raise ValueError("two patterns have the same name")
        return patterns

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class NewOffice(Limits):
    name: Label = Field(examples=["acme/web"])


class OfficeChange(Limits):
    name: Label | None = None


class OfficeList(BaseModel):
    offices: list[Office]


@router.post("", status_code=201)
async def create_office(
    _: AdminEverywhere, services: ServicesDep, body: NewOffice, key: IdempotencyKey = None
) -> Office:
    """Takes a token that is valid in every office."""
    wanted = body.given()
    try:
        return await services.backend.offices.add(wanted | {"idempotency_key": key})
    except Conflict:
        made = await services.backend.offices.by_key(key) if key is not None else None
        if made is None:
            raise
        require_same(wanted, made)
        return made


@router.get("")
async def list_offices(caller: Caller, services: ServicesDep) -> OfficeList:
    """The offices in which the token is valid, or of which the person is a member."""
    return OfficeList(offices=await offices_of(services, caller))


@router.get("/{office_id}")
async def get_office(access: Viewer) -> Office:
    return access.office


@router.patch("/{office_id}")
async def change_office(access: Admin, services: ServicesDep, body: OfficeChange) -> Office:
    return await services.backend.offices.change(access.office.id, body.given())
