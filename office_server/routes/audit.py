"""Who did what in an office: for its admins, newest first, and never changed."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from office_server.access import Admin
from office_server.rows import Act
from office_server.services import ServicesDep

router = APIRouter(prefix="/api/offices/{office_id}/audit", tags=["audit"])


class Acts(BaseModel):
    acts: list[Act]
    next: int | None = Field(description="give it as `before` for the next page; null: there is none")


@router.get("")
async def list_acts(
    access: Admin,
    services: ServicesDep,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Acts:
    """Newest first."""
    found = await services.backend.offices.acts(access.office.id, before, limit)
    return Acts(acts=found, next=found[-1].id if len(found) == limit else None)
