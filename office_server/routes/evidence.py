"""Evidence: what must hold before a job is done, how each is known, and the questions that a person answers."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office_server.access import Operator, Viewer
from office_server.asking import check_storable
from office_server.services import ServicesDep
from shared.states import EvidenceStatus

router = APIRouter(prefix="/api/offices/{office_id}", tags=["evidence"])


class Evidence(BaseModel):
    id: UUID
    job_id: UUID
    execution_id: UUID
    round: int = Field(description="how often something had gone back to the agent before")
    kind: str = Field(examples=["check"])
    condition: dict[str, Any] = Field(examples=[{"check": "test"}])
    status: EvidenceStatus
    known_by: str | None = Field(
        description="exit, timeout, git, host, person; machine: it could not be looked at, as `detail.error` says"
    )
    detail: dict[str, Any] = Field(description="what was found", examples=[{"status": 2, "tail": "1 failed"}])
    asked_at: datetime | None = Field(description="when a person was asked")
    answered_by: str | None
    known_at: datetime | None


class Question(Evidence):
    job: str
    plan_id: UUID


class EvidenceList(BaseModel):
    evidence: list[Evidence]


class QuestionList(BaseModel):
    questions: list[Question]


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"yes": False, "comment": "Too long."}]})

    yes: bool
    comment: Annotated[str, StringConstraints(max_length=10_000)] | None = Field(
        default=None, description="after a no it goes to the agent"
    )


@router.get("/jobs/{job_id}/evidence")
async def job_evidence(access: Viewer, services: ServicesDep, job_id: UUID) -> EvidenceList:
    """Round by round."""
    found = await services.backend.gitwork.evidence(access.office.id, job_id)
    return EvidenceList(evidence=[Evidence.model_validate(one) for one in found])


@router.get("/evidence")
async def open_evidence(access: Viewer, services: ServicesDep) -> QuestionList:
    """What people are asked now."""
    found = await services.backend.gitwork.evidence(access.office.id, None)
    return QuestionList(questions=[Question.model_validate(one) for one in found])


@router.post("/evidence/{evidence_id}/answer")
async def answer_evidence(access: Operator, services: ServicesDep, evidence_id: UUID, body: Answer) -> Evidence:
    """A person's yes or no. The same answer again changes nothing; another one is a conflict."""
    check_storable(body.comment, "comment")
    found = await services.backend.gitwork.answer(
        access.office.id, evidence_id, access.author, yes=body.yes, comment=body.comment
    )
    return Evidence.model_validate(found)
