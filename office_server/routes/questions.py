"""Questions that agents ask people, and the answers they wait for."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from office_server.access import Operator, Viewer
from office_server.asking import check_storable
from office_server.services import ServicesDep
from office_server.spec_rows import Question
from shared.states import QuestionStatus

router = APIRouter(prefix="/api/offices/{office_id}/questions", tags=["questions"])


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"answer": "the second one"}]})

    answer: Annotated[str, StringConstraints(min_length=1, max_length=16_384, pattern=r"\S")]


class QuestionList(BaseModel):
    questions: list[Question]


@router.get("")
async def list_questions(
    access: Viewer,
    services: ServicesDep,
    status: QuestionStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> QuestionList:
    """Newest first."""
    return QuestionList(questions=await services.backend.specs.questions(access.office.id, status, limit))


@router.post("/{question_id}/answer")
async def answer_question(access: Operator, services: ServicesDep, question_id: UUID, body: Answer) -> Question:
    """Answers once; the agent that waits goes on with it."""
    check_storable(body.answer, "answer")
    return await services.backend.specs.answer(access.office.id, question_id, body.answer, access.author)
