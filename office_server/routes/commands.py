"""Commands: what was asked for, by whom, how far it is, why it waits, what came of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from office_server import waiting
from office_server.access import Operator, Viewer
from office_server.asking import Wish
from office_server.results import Seen
from office_server.routes.answers import Accepted, IdempotencyKey, MaxAttempts, Wait
from office_server.rows import Command, Receipt, Result
from office_server.services import Services, ServicesDep
from office_server.waiting import Waiting
from shared.ids import ByteOffset, ClientId, CommandId, SessionId
from shared.states import CommandStatus, CommandType

router = APIRouter(prefix="/api/offices/{office_id}/commands", tags=["commands"])


class NewCommand(BaseModel):
    """`payload` holds what the type takes; a prompt without `session_id` names a `role` in it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"command_type": "send_prompt", "payload": {"text": "make test", "role": "QA"}}]
        },
    )

    command_type: CommandType
    payload: dict[str, Any] = Field(default_factory=dict)
    session_id: SessionId | None = None
    client_id: ClientId | None = Field(default=None, description="the machine it is meant for; otherwise whichever can")
    priority: int = Field(default=0, ge=-100, le=100, description="higher goes first")
    deadline: AwareDatetime | None = Field(default=None, description="it expires when nobody took it by then")
    max_attempts: MaxAttempts = 1


class CommandDetail(Command):
    """A command with the times of its steps, why it waits, and what came of it."""

    success: bool | None = Field(description="null: not final")
    result: dict[str, Any] | None
    error_code: str | None
    error: str | None
    receipts: list[Receipt] = Field(description="one per attempt, in their order; the last one is that which counts")
    results: list[Result] = Field(description="one per finished attempt")
    output_start: ByteOffset | None = Field(description="where its turn begins in the output; null: not typed yet")
    waiting: Waiting | None = Field(description="null: nothing holds it back")


class CommandList(BaseModel):
    commands: list[Command]
    next: int | None = Field(description="give it as `before` for the next page; null: there is none")


@router.post("", status_code=202)
async def insert_command(
    access: Operator, services: ServicesDep, body: NewCommand, key: IdempotencyKey = None
) -> Accepted:
    """Asks for any command. What each type takes stands in the README."""
    command = await services.desk.ask(
        Wish(
            office=access.office.id,
            author=access.author,
            command_type=body.command_type,
            payload=body.payload,
            session=body.session_id,
            client=body.client_id,
            priority=body.priority,
            deadline=body.deadline,
            max_attempts=body.max_attempts,
            idempotency_key=key,
        )
    )
    return Accepted(command_id=command.id, status=command.status)


@router.get("")
async def list_commands(
    access: Viewer,
    services: ServicesDep,
    status: Annotated[list[CommandStatus] | None, Query()] = None,
    command_type: Annotated[list[CommandType] | None, Query(alias="type")] = None,
    session_id: SessionId | None = None,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CommandList:
    """Newest first."""
    found = await services.backend.commands.page(
        access.office.id,
        statuses=status or [],
        types=command_type or [],
        session=session_id,
        before=before,
        limit=limit,
    )
    return CommandList(commands=found, next=found[-1].seq if len(found) == limit else None)


@router.get("/{command_id}")
async def get_command(access: Viewer, services: ServicesDep, command_id: CommandId, wait: Wait = None) -> CommandDetail:
    """One command. With `wait`, answers once it is final, or as it is when the wait ran out."""
    seen = await services.results.wait(access.office.id, command_id, wait or 0)
    start = await services.backend.commands.output_start(command_id) if seen.command.claimed_at else None
    earlier = await services.backend.commands.earlier_attempts(command_id) if seen.command.attempt > 1 else []
    return _detail(seen, start, await _waiting(services, seen.command), earlier)


@router.post("/{command_id}/cancel")
async def withdraw_command(access: Operator, services: ServicesDep, command_id: CommandId) -> Accepted:
    """Withdraws a command that nobody has taken yet. To stop one that runs, cancel in its session."""
    await services.backend.commands.get(access.office.id, command_id)
    return Accepted(command_id=command_id, status=await services.backend.commands.withdraw(command_id))


async def _waiting(services: Services, command: Command) -> Waiting | None:
    if command.status is not CommandStatus.PENDING:
        return None
    return waiting.in_words(await services.backend.commands.waiting_reason(command.id), command.payload)


def _detail(seen: Seen, output_start: ByteOffset | None, why: Waiting | None, earlier: list[Receipt]) -> CommandDetail:
    result = seen.result
    return CommandDetail(
        **dict(seen.command),
        success=result.success if result else (False if seen.is_final else None),
        result=result.result if result else None,
        error_code=result.error_code if result else None,
        error=result.error if result else None,
        results=seen.results,
        receipts=[*earlier, _receipt(seen)],
        output_start=output_start,
        waiting=why,
    )


def _receipt(seen: Seen) -> Receipt:
    command, result = seen.command, seen.result
    return Receipt(
        attempt=command.attempt,
        client_id=command.claimed_by,
        offered_at=command.offered_at,
        claimed_at=command.claimed_at,
        typed_at=command.typed_at,
        confirmed_at=command.confirmed_at,
        finished_at=command.finished_at,
        reported_at=command.reported_at,
        ended=command.status if seen.is_final else None,
        error_code=result.error_code if result else None,
    )
