"""Approvals: what agents ask leave for, one exact action each, and the one answer to it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from office_server.access import Access, Operator, Viewer
from office_server.rows import Approval
from office_server.services import Services, ServicesDep
from shared.ids import ApprovalId, CommandId, SessionId
from shared.states import ApprovalStatus

router = APIRouter(prefix="/api/offices/{office_id}/approvals", tags=["approvals"])
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Message = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00]*$")]


class Answer(BaseModel):
    """`digest`: of the action that was looked at; the answer is refused if the request is of another one."""

    model_config = ConfigDict(extra="forbid")

    digest: Digest | None = None
    message: Message | None = Field(default=None, description="what is kept with it", examples=["looked at it"])


class Denial(Answer):
    message: Message | None = Field(
        default=None, description="tells the agent why, and what to do instead", examples=["not on a Friday"]
    )


class ApprovalList(BaseModel):
    approvals: list[Approval]
    next: AwareDatetime | None = Field(description="give it as `before` for the next page; null: there is none")


@router.get("")
async def list_approvals(
    access: Viewer,
    services: ServicesDep,
    status: Annotated[list[ApprovalStatus] | None, Query(description="such as `pending`; all by default")] = None,
    session_id: SessionId | None = None,
    command_id: CommandId | None = None,
    before: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ApprovalList:
    """Newest first."""
    found = await services.backend.approvals.page(
        access.office.id, statuses=status or [], session=session_id, command=command_id, before=before, limit=limit
    )
    return ApprovalList(approvals=found, next=found[-1].created_at if len(found) == limit else None)


@router.get("/{approval_id}")
async def get_approval(access: Viewer, services: ServicesDep, approval_id: ApprovalId) -> Approval:
    return await services.backend.approvals.get(access.office.id, approval_id)


@router.post("/{approval_id}/approve")
async def approve(access: Operator, services: ServicesDep, approval_id: ApprovalId, body: Answer) -> Approval:
    """Lets the agent do this one action. An answer that comes too late, or after another, is a conflict."""
    return await _answer(access, services, approval_id, ApprovalStatus.APPROVED, body)


@router.post("/{approval_id}/deny")
async def deny(access: Operator, services: ServicesDep, approval_id: ApprovalId, body: Denial) -> Approval:
    """Forbids it. The agent is told the message and goes on without."""
    return await _answer(access, services, approval_id, ApprovalStatus.DENIED, body)


async def _answer(
    access: Access, services: Services, approval_id: ApprovalId, status: ApprovalStatus, answer: Answer
) -> Approval:
    approvals = services.backend.approvals
    await approvals.get(access.office.id, approval_id)
    return await approvals.answer(approval_id, status, answer.message, answer.digest, access.author)
