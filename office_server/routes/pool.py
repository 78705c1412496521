"""The pools of an office: limits and use, who holds what, what is broken, and why what waits does."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from office_server import waiting
from office_server.access import Viewer
from office_server.services import ServicesDep
from office_server.waiting import Waiting
from shared.ids import Attempt, ClientId, CommandId, OfficeId, SessionId
from shared.states import CommandType, ConnectionState, SessionPool, SessionStatus

router = APIRouter(prefix="/api/offices/{office_id}/pool", tags=["pool"])


class PoolClient(BaseModel):
    client_id: ClientId
    name: str
    online: bool
    connection: ConnectionState = Field(description="live: hints reach it; polling: it looks by itself; offline")
    last_seen_at: datetime | None
    capacity: int = Field(description="sessions in use at once")
    places_taken: int = Field(description="in all offices that it serves")
    agents: dict[str, str] = Field(description="with their versions", examples=[{"shell": "5.2"}])
    warm_roles: list[str] = Field(description="those of the office that are its part to keep warm")
    draining_since: datetime | None = Field(description="since when it takes no new work; null: it does")
    paused_since: datetime | None = Field(default=None, description="the same, as its own user wants it")
    holding_back: dict[str, Any] | None = Field(
        description="why some agents get no new sessions there",
        examples=[{"reason": "low_memory", "free_mb": 600, "agents": {"claude": {"needed_mb": 762}}}],
    )


class PoolSession(BaseModel):
    session_id: SessionId
    client_id: ClientId
    role: str
    agent: str
    pool: SessionPool
    status: SessionStatus
    task: str | None
    acquired_by: CommandId | None = Field(description="in whose hands it is; null: idle")
    held_since: datetime | None
    idle_since: datetime | None
    created_at: datetime


class Circuit(BaseModel):
    """An open circuit: that client takes nothing that needs a new session of that role."""

    client_id: ClientId
    role: str
    failures: int = Field(description="in a row")
    error_code: str = Field(examples=["session_failed"])
    error: str
    opened_at: datetime
    open_until: datetime = Field(description="when the client makes one trial by itself")


class PendingCommand(BaseModel):
    command_id: CommandId
    command_type: CommandType
    session_id: SessionId | None
    role: str | None
    priority: int
    attempt: Attempt
    max_attempts: int
    created_at: datetime
    not_before: datetime | None
    deadline: datetime | None
    waiting: Waiting | None = Field(description="null: nothing holds it back")


class PoolState(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "office_id": "7c1f7f0e-5a0c-4b7e-9a53-0a4d2b8f7c11",
                    "at": "2026-11-21T12:04:00Z",
                    "session_limit": 6,
                    "places_taken": 1,
                    "idle_seconds": 600,
                    "warm_roles": ["FE", "BE", "QA"],
                    "clients": [],
                    "sessions": [],
                    "circuits": [],
                    "pending": [],
                    "pending_total": 0,
                }
            ]
        }
    )

    office_id: OfficeId
    at: datetime = Field(description="the office's clock")
    session_limit: int
    places_taken: int
    idle_seconds: int = Field(description="how long an idle session that is not kept warm stays")
    warm_roles: list[str]
    clients: list[PoolClient]
    sessions: list[PoolSession] = Field(description="those that live")
    circuits: list[Circuit] = Field(description="those that are open")
    pending: list[PendingCommand] = Field(description="the first that wait, in the order in which they are taken")
    pending_total: int


@router.get("")
async def get_pool(
    access: Viewer, services: ServicesDep, pending: Annotated[int, Query(ge=0, le=500)] = 100
) -> PoolState:
    """Who holds what and why the rest waits. `pending`: how many of the waiting commands to show."""
    found = await services.backend.offices.pool(access.office.id, pending)
    for command in found["pending"]:
        command["waiting"] = waiting.in_words(command["waiting"])
    return PoolState.model_validate(found)
