"""Pull requests: an agent's branch on its way to others. The machine that has it pushes, opens and merges."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from office_server.access import Operator, Viewer
from office_server.asking import check_storable
from office_server.services import ServicesDep
from shared.ids import ClientId, CommandId, SessionId
from shared.payloads import Label, Line, Name
from shared.states import PullRequestState

router = APIRouter(prefix="/api/offices/{office_id}/pull-requests", tags=["pull requests"])


class NewPullRequest(BaseModel):
    """Of a session's branch, or of one that a machine has. Asking again publishes again; no second one is opened."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"session_id": "4f1c2f0e-5a0c-4b7e-9a53-0a4d2b8f7c11", "title": "Log in"}]},
    )

    session_id: SessionId | None = None
    client_id: ClientId | None = Field(default=None, description="with `branch`, where no session is named")
    branch: Annotated[Name, Field(max_length=200)] | None = Field(default=None, examples=["agent/BE-login"])
    base: Annotated[Name, Field(max_length=200)] | None = Field(default=None, description="what it goes into")
    title: Line | None = Field(default=None, description="[ROLE] is put in front of it")
    body: Annotated[str, Field(max_length=60_000)] | None = Field(
        default=None, description="the list of changed files is put below it"
    )
    labels: Annotated[list[Label], Field(max_length=20)] | None = None
    after: Annotated[list[UUID], Field(max_length=100)] = Field(
        default=[], description="pull requests to be merged before it"
    )


class Merge(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"method": "squash"}]})

    method: Literal["merge", "squash", "rebase"] = "merge"
    keep_worktree: bool = Field(default=False, description="its worktree and branch stay on the machine")


class Before(BaseModel):
    id: UUID
    branch: str
    state: PullRequestState


class PullRequest(BaseModel):
    id: UUID
    client_id: ClientId = Field(description="the machine that has the branch")
    session_id: SessionId | None
    job_id: UUID | None
    role: str
    branch: str
    base: str | None
    title: str
    body: str
    labels: list[str]
    state: PullRequestState
    number: int | None
    url: str | None
    head: str | None = Field(description="the commit that was published or merged last")
    checks: str | None = Field(description="those of its host: none, pending, passing, failing")
    changed: list[str]
    files: list[str] = Field(description="that conflict with its base")
    missing: str | None = Field(description="what would take it further, in words")
    problem: str | None = Field(description="what went wrong last")
    notes: list[str]
    method: str
    worktree: str | None = Field(description="after the merge: removed, or why it was kept")
    merge_wanted_at: datetime | None
    merge_wanted_by: str | None
    after: list[UUID]
    waits_for: list[Before] = Field(description="what must be merged before it, and is not")
    command_id: CommandId | None = Field(description="the latest of its commands")
    author: str | None
    created_at: datetime
    updated_at: datetime
    merged_at: datetime | None


class PullRequestList(BaseModel):
    pull_requests: list[PullRequest]


@router.get("")
async def list_pull_requests(
    access: Viewer,
    services: ServicesDep,
    state: Annotated[list[PullRequestState] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> PullRequestList:
    """Newest first."""
    found = await services.backend.gitwork.pull_requests(access.office.id, list(state or []), limit)
    return PullRequestList(pull_requests=[PullRequest.model_validate(one) for one in found])


@router.post("", status_code=202)
async def open_pull_request(access: Operator, services: ServicesDep, body: NewPullRequest) -> PullRequest:
    """Has the branch pushed, and a pull request opened where the machine can. Answers at once; follow its `state`."""
    wish: dict[str, Any] = body.model_dump(mode="json", exclude={"session_id", "client_id"})
    check_storable(wish, "body")
    wish |= {"session": body.session_id and str(body.session_id), "client": body.client_id and str(body.client_id)}
    return PullRequest.model_validate(await services.backend.gitwork.open(access.office.id, access.author, wish))


@router.get("/{pull_request_id}")
async def get_pull_request(access: Viewer, services: ServicesDep, pull_request_id: UUID) -> PullRequest:
    return PullRequest.model_validate(await services.backend.gitwork.pull_request(access.office.id, pull_request_id))


@router.post("/{pull_request_id}/merge", status_code=202)
async def merge_pull_request(
    access: Operator, services: ServicesDep, pull_request_id: UUID, body: Merge
) -> PullRequest:
    """Asks for the merge. It begins once all that comes before it is merged, one at a time on each machine."""
    return PullRequest.model_validate(
        await services.backend.gitwork.merge(
            access.office.id, pull_request_id, access.author, body.method, keep=body.keep_worktree
        )
    )
