"""An office at a glance, as the pages show it: what is read at once, in one moment."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from office_server.rows import Row
from shared.ids import ByteOffset, ClientId, CommandId, SessionId, TurnId
from shared.states import (
    ConnectionState,
    SessionPool,
    SessionStatus,
    TurnOutcome,
)


class LastTurn(Row):
    id: TurnId
    started_at: datetime
    ended_at: datetime | None
    outcome: TurnOutcome | None
    marker: bool | None
    evidence: list[Any]
    commits: list[Any]
    duration_s: float | None


class ToolInUse(Row):
    tool: str
    what: str = Field(description="the gist of what it does, in one line")
    at: datetime


class SeenSession(Row):
    """A session as a card shows it."""

    id: SessionId
    client_id: ClientId
    machine: str
    role: str
    agent: str
    model: str | None
    pool: SessionPool
    status: SessionStatus
    acquired_by: CommandId | None
    held_since: datetime
    task: str | None
    branch: str | None
    cols: int
    rows: int
    output_bytes: ByteOffset
    created_at: datetime
    last_activity_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    prompt: str | None = Field(description="the beginning of the prompt of its last turn")
    author: str | None
    command_id: CommandId | None
    turn: LastTurn | None
    tool: ToolInUse | None = Field(default=None, description="what its agent uses now, as far as it tells")
    turns: int
    cost_usd: float | None


class SeenMachine(Row):
    id: ClientId
    name: str
    online: bool
    last_seen_at: datetime | None
    capacity: int
    connection: ConnectionState
    connection_since: datetime | None
    signed_off: bool
    draining_since: datetime | None = Field(description="it takes no new work and finishes what it has")
    paused_since: datetime | None = Field(default=None, description="the same, as its own user wants it")
    version: str | None
    capabilities: dict[str, Any]
    policy: dict[str, Any] | None = Field(description="in force there, as the machine reported it")
    memory: dict[str, int] | None = Field(description="total and free, in MB, of its last heartbeat")
    repository: dict[str, Any] | None = Field(description="in which this office's work happens there")
    places_taken: int
    holding_back: dict[str, Any] | None


class Attention(Row):
    """Something that waits for a person."""

    kind: str
    subject: UUID
    session_id: SessionId | None = None
    command_id: CommandId | None = None
    client_id: ClientId | None = None
    role: str | None = None
    title: str | None = None
    detail: str | None = None
    action: dict[str, Any] | None = Field(default=None, description="input, digest, redacted, expires_at")
    at: datetime


class Picture(Row):
    """An office at a glance, all of one moment."""

    at: datetime
    name: str
    session_limit: int
    places_taken: int
    sessions: list[SeenSession]
    machines: list[SeenMachine]
    attention: list[Attention]
    pending: int
