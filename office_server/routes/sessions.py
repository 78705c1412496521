"""Sessions: terminals in which agents work. Each change is one command, waited for unless told otherwise."""

import asyncio
from contextlib import nullcontext, suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from office_server.access import Access, Operator, Viewer
from office_server.asking import Wish
from office_server.output import Page, stitch
from office_server.routes.answers import (
    LONGEST_WAIT_SECONDS,
    Accepted,
    Finished,
    IdempotencyKey,
    Wait,
    accepted,
    final,
    finished,
    succeeded,
)
from office_server.rows import Command, OutputChunk, Session
from office_server.services import Services, ServicesDep
from shared.ids import ByteOffset, CommandId, SessionId
from shared.payloads import OUTPUT_MAX_BYTES, CreateSession
from shared.states import CommandType, SessionStatus

router = APIRouter(prefix="/api/offices/{office_id}/sessions", tags=["sessions"])
_ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": Accepted, "description": "Stored; not waited for"}}


class NewSession(CreateSession):
    """What a session is made of. `agent` and `mcp` are names that the machine's policy knows."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "BE", "agent": "shell"}]})


class NewPrompt(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "fix the failing test", "timeout_s": 600}]}
    )

    text: str
    timeout_s: float | None = None


class Moved(BaseModel):
    command_id: CommandId | None = Field(description="null: the session had ended before")
    status: str = Field(examples=["terminated"])


class Output(BaseModel):
    """Terminal output of bytes `start` to `next`. Ask on from `next`."""

    output: str = Field(examples=["$ make test\r\n"])
    start: ByteOffset = Field(description="behind what was asked for where older output is gone")
    next: ByteOffset
    status: SessionStatus


class SessionList(BaseModel):
    sessions: list[Session]


@router.post("", status_code=201, responses=_ACCEPTED, response_model=Session)
async def create_session(
    access: Operator, services: ServicesDep, body: NewSession, key: IdempotencyKey = None, wait: Wait = None
) -> Session | Response:
    """Has a session made and waits for it, 30 s unless told otherwise."""
    command = await _ask(services, access, CommandType.CREATE_SESSION, body.model_dump(exclude_none=True), None, key)
    if wait == 0:
        return accepted(command)
    made = await succeeded(services, command, LONGEST_WAIT_SECONDS if wait is None else wait, "session_id")
    return await services.backend.sessions.get(access.office.id, SessionId(UUID(made)))


@router.get("")
async def list_sessions(
    access: Viewer,
    services: ServicesDep,
    status: Annotated[list[SessionStatus] | None, Query()] = None,
    role: Annotated[str | None, Query(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")] = None,
    before: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> SessionList:
    """Newest first; `before`: only those created before."""
    found = await services.backend.sessions.page(
        access.office.id, statuses=status or [], role=role, before=before, limit=limit
    )
    return SessionList(sessions=found)


@router.get("/{session_id}")
async def get_session(access: Viewer, services: ServicesDep, session_id: SessionId) -> Session:
    return await services.backend.sessions.get(access.office.id, session_id)


@router.delete("/{session_id}", responses=_ACCEPTED, response_model=Moved)
async def terminate_session(
    access: Operator, services: ServicesDep, session_id: SessionId, wait: Wait = None
) -> Moved | Response:
    """Ends the session and all that runs in it. One that has ended stays ended."""
    session = await services.backend.sessions.get(access.office.id, session_id)
    if session.ended_at is not None:
        return Moved(command_id=None, status=session.status)
    command = await _ask(services, access, CommandType.TERMINATE, {}, session_id, None)
    return await _moved(services, command, wait)


@router.post("/{session_id}/prompt", status_code=202, response_model=Accepted, responses={200: {"model": Finished}})
async def send_prompt(
    access: Operator,
    services: ServicesDep,
    session_id: SessionId,
    body: NewPrompt,
    key: IdempotencyKey = None,
    wait: Wait = None,
) -> Response:
    """Has a prompt typed. Answers at once, or with `wait` once the turn has ended, however it ended."""
    payload = body.model_dump(exclude_none=True)
    command = await _ask(services, access, CommandType.SEND_PROMPT, payload, session_id, key)
    return await prompt_answer(services, command, wait)


@router.post("/{session_id}/cancel", responses=_ACCEPTED, response_model=Moved)
async def cancel_turn(
    access: Operator, services: ServicesDep, session_id: SessionId, key: IdempotencyKey = None, wait: Wait = None
) -> Moved | Response:
    """Interrupts what runs in the session."""
    return await _moved(services, await _ask(services, access, CommandType.CANCEL, {}, session_id, key), wait)


@router.get("/{session_id}/output")
async def get_output(
    access: Viewer,
    services: ServicesDep,
    session_id: SessionId,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=OUTPUT_MAX_BYTES)] = 262_144,
    wait: Wait = None,
) -> Output:
    """What the terminal printed after byte `after`. With `wait`, waits for more when there is none yet."""
    clock = asyncio.get_running_loop().time
    until = clock() + (wait or 0)
    shown: asyncio.Queue[OutputChunk | None] = asyncio.Queue()
    with services.hints.showing(access.office.id, session_id, shown.put_nowait) if wait else nullcontext():
        while True:
            session = await services.backend.sessions.get(access.office.id, session_id)
            chunks = await services.backend.sessions.output(session_id, ByteOffset(after))
            page = stitch(chunks, ByteOffset(after), limit)
            left = until - clock()
            if page.text or session.ended_at is not None or left <= 0 or services.results.closing:
                return _output(page, session)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, services.settings.output_poll_seconds)):
                    chunk = await shown.get()
                if chunk is not None and chunk.start_offset <= after < chunk.end_offset:
                    return _output(stitch([chunk], ByteOffset(after), limit), session)


def _output(page: Page, session: Session) -> Output:
    return Output(output=page.text, start=page.start, next=page.next, status=session.status)


async def prompt_answer(services: Services, command: Command, wait: float | None) -> Response:
    if not wait:
        return accepted(command)
    body = finished(await final(services, command, wait))
    return Response(body.model_dump_json(), 200, media_type="application/json")


async def _ask(
    services: Services,
    access: Access,
    command_type: CommandType,
    payload: dict[str, Any],
    session: SessionId | None,
    key: str | None,
) -> Command:
    return await services.desk.ask(
        Wish(
            office=access.office.id,
            author=access.author,
            command_type=command_type,
            payload=payload,
            session=session,
            idempotency_key=key,
        )
    )


async def _moved(services: Services, command: Command, wait: float | None) -> Moved | Response:
    if wait == 0:
        return accepted(command)
    status = await succeeded(services, command, LONGEST_WAIT_SECONDS if wait is None else wait, "status")
    return Moved(command_id=command.id, status=status)
