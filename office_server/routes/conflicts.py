"""Conflicts to come: pairs of live branches that would conflict, were they merged now."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from office_server.access import Viewer
from office_server.services import ServicesDep
from shared.ids import ClientId, SessionId

router = APIRouter(prefix="/api/offices/{office_id}/conflicts", tags=["conflicts"])


class BranchConflict(BaseModel):
    conflict_id: UUID
    client_id: ClientId
    branches: list[str] = Field(examples=[["agent/BE-login", "agent/FE-login"]])
    sessions: list[SessionId | None] = Field(description="who works on each; null: nobody does any more")
    files: list[str] = Field(description="the first hundred")
    files_total: int
    uncommitted: bool = Field(description="it is about work that is not committed yet")
    since: datetime
    changed_at: datetime
    online: bool = Field(description="false: that was so when the machine was last heard of")


class LookedAt(BaseModel):
    branch: str
    session_id: SessionId | None
    uncommitted: bool


class Looking(BaseModel):
    """A machine and the branches with work of their own that it compares."""

    client_id: ClientId
    name: str
    online: bool
    branches: list[LookedAt]
    problem: str | None = Field(description="why it cannot look, in words")
    told_at: datetime = Field(description="when something of it last changed")


class Conflicts(BaseModel):
    conflicts: list[BranchConflict]
    machines: list[Looking]


@router.get("")
async def list_conflicts(access: Viewer, services: ServicesDep) -> Conflicts:
    """Those that there would be now. Each that comes or goes is told as an event, too."""
    return Conflicts.model_validate(await services.backend.gitwork.conflicts(access.office.id))
