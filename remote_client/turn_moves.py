"""Tells the office while a turn runs that it stands still or goes on: as the session's status and as events.

What a turn came to is told by its result, not here.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog

from remote_client.agents.adapter import Evidence
from remote_client.commands import Command
from remote_client.office_link import OfficeLink
from remote_client.office_records import Happening
from remote_client.sessions import Session
from remote_client.uplink import Uplink
from shared.errors import Refused, Unavailable
from shared.states import SessionStatus

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0


class TurnMoves:
    """Of one turn. Only the latest status travels; each event does."""

    def __init__(self, link: OfficeLink, uplink: Uplink, session: Session, command: Command) -> None:
        self._link = link
        self._uplink = uplink
        self._session = session
        self._command = command
        self._told: SessionStatus = SessionStatus.EXECUTING
        self._moved = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def of(
        cls, link: OfficeLink, uplink: Uplink, session: Session, command: Command
    ) -> "AsyncGenerator[TurnMoves]":
        """Tells the office until the block ends."""
        moves = cls(link, uplink, session, command)
        task = asyncio.create_task(moves._run(), name=f"moves of {command.command_id}")
        try:
            yield moves
        finally:
            task.cancel()
            await asyncio.wait({task})

    def tell(self, status: SessionStatus, evidence: Evidence) -> None:
        command = self._command
        kind = "turn_goes_on" if status is SessionStatus.EXECUTING else status.value
        self._uplink.event(
            Happening(
                command.office_id, kind, evidence, datetime.now(UTC), self._session.session_id, command.command_id
            )
        )
        self._session.status = status
        self._moved.set()

    async def _run(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            status = self._session.status
            if status is self._told:
                continue
            try:
                await self._uplink.flush_step(self._command.command_id)  # it is executing before it stands still
                await self._link.update_session(self._session.session_id, status)
                self._told = status
            except Unavailable:
                await asyncio.sleep(PAUSE_SECONDS)
                self._moved.set()
            except Refused as error:
                log.warning("a session's status was not taken", status=status, error=error.detail)
