"""Prompts without a session: one of the role is taken, warm or cold, and given back afterwards."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from office_server.access import Operator
from office_server.asking import Wish
from office_server.routes.answers import Accepted, Finished, IdempotencyKey, MaxAttempts, Wait
from office_server.routes.sessions import prompt_answer
from office_server.services import ServicesDep
from shared.states import CommandType

router = APIRouter(prefix="/api/offices/{office_id}/prompts", tags=["prompts"])


class RolePrompt(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "fix the failing test", "role": "BE"}]}
    )

    text: str
    role: str
    agent: str | None = None
    timeout_s: float | None = None
    max_attempts: MaxAttempts = 1


@router.post("", status_code=202, response_model=Accepted, responses={200: {"model": Finished}})
async def prompt_role(
    access: Operator, services: ServicesDep, body: RolePrompt, key: IdempotencyKey = None, wait: Wait = None
) -> Response:
    """Hands a prompt to a role. Answers at once, or with `wait` once the turn has ended, however it ended."""
    wish = Wish(
        office=access.office.id,
        author=access.author,
        command_type=CommandType.SEND_PROMPT,
        payload=body.model_dump(exclude_none=True, exclude={"max_attempts"}),
        max_attempts=body.max_attempts,
        idempotency_key=key,
    )
    return await prompt_answer(services, await services.desk.ask(wish), wait)
