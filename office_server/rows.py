"""The rows of the database as types; the API shows them as they are."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, computed_field

from shared.ids import ApprovalId, Attempt, ByteOffset, ClientId, CommandId, OfficeId, PersonaId, SessionId, TurnId
from shared.states import (
    ApprovalStatus,
    AttemptEnd,
    CommandStatus,
    CommandType,
    ConnectionState,
    MemberRole,
    SessionPool,
    SessionStatus,
    TurnOutcome,
)


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def columns(cls) -> str:
        """The columns that this type reads, for `select`."""
        return ",".join(cls.model_fields)


class Office(Row):
    id: OfficeId
    name: str
    warm_roles: list[str]
    session_limit: int
    idle_seconds: int
    output_keep_bytes: int
    output_keep_days: int
    approval_seconds: int = Field(description="how long an agent's request waits for an answer before it is denied")
    events_keep_days: int
    patterns: list[dict[str, Any]] = Field(description="what its clients look for besides what they know")
    created_at: datetime


class Token(Row):
    """A token of the API, without what would let anyone use it."""

    id: UUID
    office_id: OfficeId | None
    name: str
    role: MemberRole
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class Persona(Row):
    id: PersonaId
    office_id: OfficeId | None = Field(description="null: the default of every office")
    role: str
    name: str
    persona_prompt: str
    scope_patterns: list[str]
    core_skills: list[str]
    version: int
    rendered: str | None
    rendered_version: int | None


class PersonaVersion(Row):
    """What a persona was."""

    office_id: OfficeId | None = Field(description="null: the default of every office")
    role: str
    version: int
    name: str
    persona_prompt: str
    scope_patterns: list[str]
    core_skills: list[str]
    author: str | None = Field(description="who made it, where that is known")
    at: datetime


class Client(Row):
    id: ClientId
    name: str
    capabilities: dict[str, Any]
    capacity: int
    version: str | None
    created_at: datetime
    registered_at: datetime | None
    last_seen_at: datetime | None
    signed_off_at: datetime | None = Field(
        description="it said that it ends; null while it runs, or if it just vanished"
    )
    draining_since: datetime | None = Field(description="it takes no new work and finishes what it has; null: it does")
    paused_since: datetime | None = Field(default=None, description="the same, as its own user wants it")
    revoked_at: datetime | None
    connection: ConnectionState | None
    connection_since: datetime | None


class Command(Row):
    id: CommandId
    seq: int = Field(description="the order of arrival")
    office_id: OfficeId
    client_id: ClientId | None
    session_id: SessionId | None
    command_type: CommandType
    payload: dict[str, Any]
    status: CommandStatus
    priority: int
    attempt: Attempt = Field(description="rises with every offer, whether the one before was tried or only given back")
    max_attempts: int = Field(description="how often it may be tried")
    not_before: datetime | None = Field(description="the pause before another try")
    claimed_by: ClientId | None
    deadline: datetime | None
    author: str | None
    created_at: datetime = Field(description="when it was stored")
    offered_at: datetime = Field(description="when this attempt could be taken first")
    claimed_at: datetime | None
    typed_at: datetime | None
    confirmed_at: datetime | None = Field(description="when the agent showed that it had it")
    finished_at: datetime | None = Field(description="when the work was over, as the machine says")
    reported_at: datetime | None = Field(description="when the office had the result")


class Receipt(Row):
    """What became of one attempt at a command, step by step."""

    attempt: Attempt
    client_id: ClientId | None
    offered_at: datetime
    claimed_at: datetime | None
    typed_at: datetime | None
    confirmed_at: datetime | None
    finished_at: datetime | None
    reported_at: datetime | None
    ended: AttemptEnd | CommandStatus | None = Field(
        description="null: it goes on; given_back, rescued, failed: another one followed; else what the command became",
        examples=["completed"],
    )
    error_code: str | None


class TurnStart(Row):
    output_start: ByteOffset | None


class Result(Row):
    command_id: CommandId
    attempt: Attempt
    client_id: ClientId | None
    success: bool
    result: dict[str, Any] | None
    error_code: str | None
    error: str | None
    created_at: datetime


class Session(Row):
    id: SessionId
    office_id: OfficeId
    client_id: ClientId
    role: str
    persona_version: int | None
    agent: str
    model: str | None
    pool: SessionPool
    status: SessionStatus
    acquired_by: CommandId | None = Field(description="null: idle in its pool")
    held_since: datetime = Field(description="since when it is in these hands, or idle")
    task: str | None
    worktree_path: str | None
    branch: str | None
    pid: int | None
    cols: int
    rows: int
    output_bytes: ByteOffset
    created_at: datetime
    last_activity_at: datetime
    ended_at: datetime | None
    end_reason: str | None

    @computed_field(description="the same as `id`, as commands and results call it")
    @property
    def session_id(self) -> SessionId:
        return self.id


class Approval(Row):
    """One exact action that an agent asks leave for, and what it was answered."""

    id: ApprovalId
    office_id: OfficeId
    client_id: ClientId
    session_id: SessionId
    command_id: CommandId
    attempt: Attempt
    turn_id: TurnId
    tool: str = Field(examples=["Bash"])
    input: Any = Field(examples=[{"command": "git push"}], description="what the tool is to do, as the agent says it")
    cwd: str
    digest: str = Field(description="sha256 of the whole action; given with an answer, it answers no other")
    redacted: bool = Field(description="whether `input` hides something that the machine's policy keeps back")
    status: ApprovalStatus
    requested_at: datetime
    created_at: datetime
    expires_at: datetime = Field(description="without an answer by then it is denied")
    answered_at: datetime | None = Field(description="when it was answered, or stopped waiting")
    answered_by: str | None
    message: str | None = Field(description="what the agent is told with it; of one that was withdrawn: why")
    delivered_at: datetime | None = Field(description="when the terminal had this answer")


class Event(Row):
    """Something that happened in an office; the steps of commands carry the attempt and its times."""

    id: str = Field(examples=["8123-4567"], description="its place: give it to go on after it")
    kind: str = Field(examples=["command.claimed"])
    at: datetime
    office_id: OfficeId
    session_id: SessionId | None
    command_id: CommandId | None
    detail: dict[str, Any]


class Act(Row):
    """Something that somebody did."""

    id: int
    at: datetime
    actor: str = Field(examples=["token:ci"])
    actor_id: UUID | None
    action: str = Field(examples=["token.revoked"])
    subject: str | None = Field(description="the id of what it was done to")
    detail: dict[str, Any]


class EventPage(Row):
    events: list[Event]
    next: str
    held_back: bool


class OutputChunk(Row):
    """Terminal output from `start_offset` to `end_offset`, in bytes of the raw output; `text` is them decoded."""

    start_offset: ByteOffset
    end_offset: ByteOffset
    text: str


class Turn(Row):
    """One prompt typed into a session, and how it is known what came of it."""

    id: TurnId
    command_id: CommandId | None
    started_at: datetime
    ended_at: datetime | None
    outcome: TurnOutcome | None = Field(description="null: it runs")
    marker: bool | None
    evidence: list[Any]
    output_start: ByteOffset | None
    output_end: ByteOffset | None
    commits: list[Any]
    pull_requests: list[Any]
    cost_usd: float | None
    duration_s: float | None
