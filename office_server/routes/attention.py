"""What waits for a person in an office: sessions that ask, work that came to nothing, machines that vanished."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel

from office_server.access import Operator, Viewer
from office_server.picture_rows import Attention
from office_server.services import ServicesDep

router = APIRouter(prefix="/api/offices/{office_id}/attention", tags=["attention"])
Kind = Annotated[str, Path(pattern=r"^[a-z_]{1,40}$", examples=["lost"])]


class AttentionList(BaseModel):
    attention: list[Attention]


@router.get("")
async def list_attention(access: Viewer, services: ServicesDep) -> AttentionList:
    """The most urgent first."""
    return AttentionList(attention=(await services.backend.pages.picture(access.office.id)).attention)


@router.delete("/{kind}/{subject}", status_code=204)
async def put_away(access: Operator, services: ServicesDep, kind: Kind, subject: UUID) -> None:
    """It is not shown any more, to nobody of the office, unless it happens again."""
    await services.backend.pages.put_away(access.office.id, kind, subject, access.author)
