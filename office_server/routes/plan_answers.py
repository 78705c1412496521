"""Plans, jobs and executions as the API shows them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.ids import ClientId, CommandId, ExecutionId, JobId, LaneId, OfficeId, PlanId, SessionId, TurnId
from shared.states import (
    ExecutionStatus,
    FailurePolicy,
    JobStatus,
    LaneSessions,
    PlanKind,
    PlanStatus,
    TurnOutcome,
)


class Progress(BaseModel):
    """How many jobs there are of each status; `over` and `percent` count what is final, however it ended."""

    total: int
    over: int
    percent: float = Field(examples=[66.7])
    waiting: int
    ready: int
    running: int
    checking: int
    blocked: int
    done: int
    failed: int
    skipped: int
    cancelled: int


class StageProgress(Progress):
    stage: int = Field(description="the wave, from 0")


class LaneProgress(Progress):
    lane_id: LaneId
    name: str
    role: str
    task: str
    agent: str | None
    on_failure: FailurePolicy
    sessions: LaneSessions
    session_id: SessionId | None
    client_id: ClientId | None


class PlanRow(BaseModel):
    id: PlanId
    seq: int
    office_id: OfficeId
    name: str
    kind: PlanKind
    status: PlanStatus
    stage: int = Field(description="the wave that runs, from 0")
    roles: list[str]
    max_running: int
    on_failure: FailurePolicy
    max_tries: int
    retry_kinds: list[str]
    backoff_s: list[float] = Field(
        description="the pauses between tries, in seconds; the last one counts for all later"
    )
    keep_open: bool
    author: str | None
    created_at: datetime
    finished_at: datetime | None
    progress: Progress


class PlanSeen(PlanRow):
    options: dict[str, Any]
    stages: list[StageProgress]
    lanes: list[LaneProgress] = Field(description="epics, and lanes with several jobs")


class ExecutionRow(BaseModel):
    """One attempt at a job."""

    id: ExecutionId
    seq: int
    office_id: OfficeId
    plan_id: PlanId
    job_id: JobId
    number: int = Field(description="which attempt at its job, from 1")
    status: ExecutionStatus
    session_command_id: CommandId | None = Field(description="the create_session before its prompt, if it needed one")
    command_id: CommandId | None = Field(description="its latest send_prompt")
    client_id: ClientId | None
    session_id: SessionId | None
    turn_id: TurnId | None
    outcome: TurnOutcome | None
    failure_kind: str | None = Field(
        description="timeout, died, lost, overload, quota, asked, interrupted, refused, agent, conditions, cap"
        " or killed"
    )
    error_code: str | None
    error: str | None
    result: dict[str, Any] | None
    kill_wanted_at: datetime | None
    created_at: datetime
    running_at: datetime | None
    finished_at: datetime | None


class ExecutionSeen(ExecutionRow):
    name: str = Field(description="of its job")
    role: str
    prompt: str
    job_status: JobStatus
    priority: int
    waiting_reason: str | None


class JobSeen(BaseModel):
    id: JobId
    seq: int
    office_id: OfficeId
    plan_id: PlanId
    lane_id: LaneId | None
    lane: str | None
    branch: str | None = Field(description="of its worktree; null: it takes any session from the pool")
    name: str
    role: str
    agent: str | None
    model: str | None
    client_id: ClientId | None = Field(description="only on that machine; null: on any")
    prompt: str
    stage: int
    priority: int
    status: JobStatus
    waiting_reason: str | None = Field(examples=["waits for schema, api and 2 more"])
    waiting: dict[str, Any] | None = Field(
        description="the same for programs: `why`, a stable word, and what it is about",
        examples=[{"why": "jobs", "names": ["schema", "api"], "more": 2}],
    )
    depends_on: list[str]
    not_before: datetime | None
    tries: int
    max_tries: int | None
    timeout_s: float
    conditions: list[dict[str, Any]]
    rounds: int
    max_rounds: int
    failure_kind: str | None
    error: str | None
    skipped_for: UUID | None
    waived: bool
    detail: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    execution: ExecutionRow | None = Field(description="the latest")


class JobDetail(JobSeen):
    executions: list[dict[str, Any]] | None = Field(description="all attempts, in their order")
