"""What several resources take and answer: receipts, waits, idempotency keys."""

from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from office_server.problems import CommandFailed
from office_server.results import Seen
from office_server.rows import Command
from office_server.services import Services
from shared.errors import WaitRanOut
from shared.ids import CommandId
from shared.states import CommandStatus

LONGEST_WAIT_SECONDS = 30.0


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("may hold only printable characters, on one line")
    return text


Label = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True), AfterValidator(_one_line)
]
"""A name for people."""

Wait = Annotated[
    float | None,
    Query(
        ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for the result; 0 answers at once", examples=[10]
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Asking again with the same key asks once, and answers as the first time",
    ),
]


MaxAttempts = Annotated[
    int,
    Field(
        ge=1,
        le=3,
        description="2 or 3: the prompt is typed again, in a fresh session, when its time ran out (once) or its agent"
        " died (twice). Part of the work may then be done twice",
        examples=[1],
    ),
]


class Accepted(BaseModel):
    """The command is stored and goes its way; ask for it at `/api/offices/{office_id}/commands/{command_id}`."""

    command_id: CommandId = Field(examples=["4f1c2f0e-5a0c-4b7e-9a53-0a4d2b8f7c11"])
    status: CommandStatus = Field(examples=["pending"])


class Finished(Accepted):
    """What came of a command."""

    success: bool
    result: dict[str, Any] | None = Field(examples=[{"outcome": "done", "marker": True}])
    error_code: str | None
    error: str | None


def accepted(command: Command) -> JSONResponse:
    body = Accepted(command_id=command.id, status=command.status)
    return JSONResponse(body.model_dump(mode="json"), 202)


async def final(services: Services, command: Command, seconds: float) -> Seen:
    """The command once it is final.

    Raises:
        WaitRanOut: it is not, after `seconds`.
    """
    seen = await services.results.wait(command.office_id, command.id, seconds)
    services.metrics.waits.labels("final" if seen.is_final else "ran_out").inc()
    if not seen.is_final:
        raise WaitRanOut(
            f"Command {command.id} is {seen.command.status} after {seconds:g} s; the work goes on.",
            advice=f"ask again: GET /api/offices/{command.office_id}/commands/{command.id}?wait=30",
            command_id=str(command.id),
            command_status=seen.command.status,
        )
    return seen


async def succeeded(services: Services, command: Command, seconds: float, field: str) -> str:
    """That field of the command's result.

    Raises:
        WaitRanOut: there is none yet.
        CommandFailed: it failed, was withdrawn, expired, or the machine's result lacks the field.
    """
    seen = await final(services, command, seconds)
    if seen.result is None:
        raise CommandFailed(seen.command.status, _without_result(seen), command_id=str(command.id))
    if not seen.result.success:
        raise CommandFailed(seen.result.error_code or "failed", seen.result.error, command_id=str(command.id))
    result = seen.result.result or {}
    if field not in result:
        raise CommandFailed("bad_result", f'The machine answered without "{field}".', command_id=str(command.id))
    return str(result[field])


def finished(seen: Seen) -> Finished:
    result = seen.result
    return Finished(
        command_id=seen.command.id,
        status=seen.command.status,
        success=result is not None and result.success,
        result=result.result if result else None,
        error_code=result.error_code if result else seen.command.status,
        error=result.error if result else _without_result(seen),
    )


def _without_result(seen: Seen) -> str:
    if seen.command.status is CommandStatus.CANCELLED:
        return "The command was withdrawn before anyone took it."
    return "The command's deadline passed before anyone took it."
