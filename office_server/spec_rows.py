"""Spec tasks and what belongs to them, with the templates and questions of their like, as rows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from office_server.rows import Row
from shared.ids import ClientId, OfficeId, SessionId
from shared.states import (
    QuestionStatus,
    SpecPromptKind,
    SpecTaskStatus,
)


class PromptTemplate(Row):
    name: str
    version: int
    text: str = Field(examples=["review {{file}}"])
    parameters: dict[str, str | int | float | bool | None] = Field(
        description="what stands for each when a job says nothing; null: a job must say it"
    )
    defaults: dict[str, Any] = Field(description="of jobs made from it: role, agent, model, mcp, base, timeout_s, …")
    author: str | None
    created_at: datetime


class SpecPrompt(Row):
    """A version of what an office tells the agents of its spec tasks."""

    kind: SpecPromptKind
    version: int = Field(description="0: never changed")
    text: str | None = Field(description="null: from this version on, the words that come with the office server")
    author: str | None
    created_at: datetime | None


class SpecTask(Row):
    """A spec task without its work sessions."""

    id: UUID
    office_id: OfficeId
    name: str = Field(description="of its folder .semo/specs/{name} and its branch spec/{name}")
    title: str
    description: str
    status: SpecTaskStatus
    problem: str | None = Field(description="why it failed")
    planning_role: str
    work_role: str
    agent: str | None
    single_session: bool
    client_id: ClientId | None = Field(description="the machine that has its branch")
    plan_id: UUID | None
    round: int = Field(description="how often planning began")
    version: int = Field(description="the newest; 0 before there is one")
    approved_version: int | None
    author: str
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None


class SpecVersion(Row):
    version: int
    commit: str
    documents: dict[str, str]
    units: list[dict[str, Any]] = Field(description="what its tasks.md asks for")
    created_at: datetime
    verdict: str | None = Field(description="approved, sent_back, or null while nobody has decided")
    decided_by: str | None
    decided_at: datetime | None


class SpecComment(Row):
    id: int
    version: int = Field(description="0: on documents that never became a version")
    document: str | None
    line: int | None
    text: str
    author: str
    round: int
    at: datetime


class SpecEvent(Row):
    id: int
    spec_session_id: UUID | None
    kind: str
    detail: dict[str, Any]
    author: str
    at: datetime


class Question(Row):
    """What an agent asked a person."""

    id: UUID
    session_id: SessionId
    spec_task_id: UUID | None
    text: str
    options: list[str]
    status: QuestionStatus
    answer: str | None
    answered_by: str | None
    asked_at: datetime
    expires_at: datetime
    settled_at: datetime | None
