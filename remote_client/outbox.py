"""Brings finished results to the office, for as long as it takes. They stay in the journal until then.

Several are on their way at once: those of one session never are, because the office hands out its work in order.
"""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import structlog

from remote_client.commands import Completion, Hold
from remote_client.journal import Journal
from remote_client.leases import Leases
from remote_client.office_link import OfficeLink
from remote_client.office_records import Happening, OutputChunk
from remote_client.uplink import Uplink
from shared.errors import Conflict, Fenced, Forbidden, Refused, Unauthenticated, Unavailable
from shared.ids import SessionId
from shared.states import TYPED, SessionStatus

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0  # short: while the database is silent, the call itself waits
AT_ONCE = 4


class Outbox:
    def __init__(
        self, link: OfficeLink, journal: Journal, leases: Leases, uplink: Uplink, on_delivered: Callable[[], None]
    ) -> None:
        self._link = link
        self._journal = journal
        self._leases = leases
        self._uplink = uplink
        self._on_delivered = on_delivered
        self._waiting: asyncio.Queue[tuple[Hold, Completion]] = asyncio.Queue()
        self._room = asyncio.Semaphore(AT_ONCE)

    def put(self, hold: Hold, completion: Completion) -> None:
        """The result is in the journal already."""
        self._waiting.put_nowait((hold, completion))

    async def run(self) -> None:
        """
        Raises:
            Unauthenticated, Forbidden: this client was revoked.
        """
        async with asyncio.TaskGroup() as group:
            while True:
                hold, completion = await self._waiting.get()
                await self._room.acquire()
                group.create_task(self._bring(hold, completion))

    async def _bring(self, hold: Hold, completion: Completion) -> None:
        try:
            await self._deliver(hold, completion)
        finally:
            self._room.release()
        self._journal.settled(hold.command.command_id, hold.command.attempt)
        self._leases.drop(hold)
        hold.delivered.set()
        self._waiting.task_done()
        self._on_delivered()

    async def emptied(self) -> None:
        """Returns when everything that was put has been delivered or refused."""
        await self._waiting.join()

    async def _deliver(self, hold: Hold, completion: Completion) -> None:
        command = hold.command
        if completion.session_status in (SessionStatus.WAITING_INPUT, SessionStatus.NEEDS_PERMISSION):
            # A session gets there only by way of `executing`.
            await self._uplink.flush_step(command.command_id)
        self._uplink.forget_step(command.command_id)
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._complete(hold, completion)
                return
            except Unavailable as error:
                log.warning("result not delivered yet", command_id=str(command.command_id), error=error.detail)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except Fenced as error:
                log.warning("result came too late", command_id=str(command.command_id), error=error.detail)
                hold.gone = True
                self._uplink.event(_too_late(hold, completion, error))
                return
            except (Unauthenticated, Forbidden):
                raise
            except Refused as error:
                weaker = _weaker(completion, error)
                log.error("result refused", command_id=str(command.command_id), error=error.detail)
                if weaker is None:
                    return
                completion = weaker

    async def _complete(self, hold: Hold, completion: Completion) -> None:
        command = hold.command
        session_id = (completion.result or {}).get("session_id")
        if session_id is not None:
            # Whoever sees the result is to find the output there too.
            taken_along = self._uplink.rest_of(SessionId(UUID(str(session_id))))
        elif command.session_id is not None and command.command_type in TYPED and completion.success:
            taken_along = self._uplink.echo_in(command.session_id)
        else:
            taken_along = nullcontext[list[OutputChunk]]([])
        async with taken_along as output:
            await self._link.complete_command(command.command_id, command.attempt, completion, output)


def _too_late(hold: Hold, completion: Completion, error: Fenced) -> Happening:
    """The command is somebody else's, or over; what came of our attempt is told all the same."""
    detail = {
        "attempt": hold.command.attempt,
        "success": completion.success,
        "error_code": completion.error_code,
        "result": completion.result,
        "reason": error.detail,
    }
    command = hold.command
    return Happening(
        command.office_id, "result_too_late", detail, datetime.now(UTC), command.session_id, command.command_id
    )


def _weaker(completion: Completion, error: Refused) -> Completion | None:
    """What may be taken when the whole is not: without moving the session, then as a bare failure."""
    if isinstance(error, Conflict) and completion.session_status is not None:
        return replace(completion, session_status=None)
    if completion.result is not None:
        return Completion(
            False, None, error.code, f"the result was refused: {error.detail}",
            typed_at=completion.typed_at, finished_at=completion.finished_at,
        )  # fmt: skip
    return None
