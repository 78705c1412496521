"""Which sessions there are: warm ones ready before they are asked for, cold ones on demand, idle ones closed again.

How a session is made, reset and ended is in `session_maker`.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from remote_client.commands import Hold
from remote_client.office_link import Happening, OfficeLink, OfficeTerms
from remote_client.session_maker import SessionMaker
from remote_client.sessions import Session, SessionRequest
from remote_client.uplink import Uplink
from shared.errors import Conflict, Fenced, NotFound, OfficeError, SessionFailed, Unauthenticated
from shared.ids import CommandId, OfficeId, SessionId
from shared.states import SessionPool, SessionStatus

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
ROOM_SECONDS = 30.0


@dataclass(frozen=True)
class _Failing:
    """No warm session could be made: the next try is `pause` seconds after the last, at `until` (monotonic)."""

    pause: float
    until: float
    error_code: str


class Pool:
    """All sessions of this client. `on_place_free`: the office knows that a place is free again."""

    def __init__(
        self,
        maker: SessionMaker,
        link: OfficeLink,
        uplink: Uplink,
        max_sessions: int,
        on_place_free: Callable[[], None],
    ) -> None:
        self._maker = maker
        self._link = link
        self._uplink = uplink
        self._max_sessions = max_sessions
        self._on_place_free = on_place_free
        self._sessions: dict[SessionId, Session] = {}
        self._opening = 0
        self._failing: dict[tuple[OfficeId, str], _Failing] = {}
        self._terms: dict[OfficeId, OfficeTerms] = {}
        self._changed = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._closed = False

    def set_terms(self, terms: tuple[OfficeTerms, ...]) -> None:
        self._maker.set_terms(terms)
        self._terms = {office.office_id: office for office in terms}
        self._changed.set()

    def session(self, session_id: SessionId | None) -> Session:
        """
        Raises:
            NotFound: it does not live on this machine, or no longer.
        """
        session = self._sessions.get(session_id) if session_id is not None else None
        if session is None or session.ending:
            raise NotFound(f"session {session_id} does not live on this machine")
        return session

    def held_by(self, command_id: CommandId, session_id: SessionId | None) -> list[Session]:
        """The session that a command works in: its own, or the one it acquired."""
        return [
            session
            for session in self._sessions.values()
            if session.held_by == command_id or session.session_id == session_id
        ]

    def options_of(self, agent: str) -> frozenset[str]:
        return self._maker.options_of(agent)

    async def tell_size(self, session: Session) -> None:
        await self._link.update_session(session.session_id, session.status, cols=session.cols, rows=session.rows)

    # Taking and giving back -----------------------------------------------------------------------------------------

    async def acquire(self, request: SessionRequest, hold: Hold) -> Session:
        """An idle session that fits, else a new one; in the hands of `hold`'s command.

        Raises:
            SessionFailed: every place is taken and none became free.
            OfficeError: a new one could not be made.
        """
        deadline = time.monotonic() + ROOM_SECONDS
        while True:
            for session in list(self._sessions.values()):
                if session.is_idle and session.fits(request) and await self._take(session, hold):
                    return session
            if len(self._sessions) + self._opening < self._max_sessions:
                return await self._open(request, hold)
            await self._make_room(request.role, deadline)

    async def _take(self, session: Session, hold: Hold) -> bool:
        """Whether the office put it into the hands of `hold`'s command."""
        command = hold.command
        session.held_by = command.command_id
        try:
            await self._link.acquire_session(session.session_id, command.command_id, command.attempt)
        except Fenced:
            session.held_by = None
            raise
        except Conflict as error:
            log.warning("not idle to the office", session_id=str(session.session_id), error=error.detail)
            self.recycle(session)  # both agree again when it comes back fresh
            return False
        except BaseException:
            session.held_by = None
            raise
        return True

    async def _open(self, request: SessionRequest, hold: Hold | None) -> Session:
        self._opening += 1
        try:
            session = await self._maker.open(request, hold)
        finally:
            self._opening -= 1
        self._sessions[session.session_id] = session
        self._changed.set()
        return session

    async def _make_room(self, role: str, deadline: float) -> None:
        """Ends an idle session, of another role first; without one, waits until something changes.

        Raises:
            SessionFailed: nothing did before `deadline`.
        """
        idle = [session for session in self._sessions.values() if session.is_idle]
        if idle:
            victim = min(idle, key=lambda one: (one.role == role, one.pool is SessionPool.WARM, one.idle_since))
            await self.end(victim, "evicted")
            return
        self._changed.clear()
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._changed.wait()
        except TimeoutError:
            raise SessionFailed(f"all {self._max_sessions} places of this machine are taken") from None

    async def end(self, session: Session, reason: str) -> None:
        session.ending = True
        self._sessions.pop(session.session_id, None)
        try:
            await self._maker.end(session, reason)
        finally:
            self._changed.set()

    def recycle(self, session: Session) -> None:
        """Gives a released session a fresh start, in the background, and puts it back."""
        session.held_by = None
        if self._closed or session.ending:
            return
        session.status = SessionStatus.CREATING  # not idle before it is fresh
        self._in_background(self._recycle(session))

    async def _recycle(self, session: Session) -> None:
        try:
            await self._link.release_session(session.session_id)
            self._on_place_free()
            await self._maker.reset(session)
        except OfficeError as error:
            log.warning("session not reset", session_id=str(session.session_id), error=error.detail)
            self._sessions.pop(session.session_id, None)
        self._changed.set()

    def bury(self, session: Session, reason: str) -> None:
        """Its agent has ended by itself."""
        if self._sessions.pop(session.session_id, None) is not None and not self._closed:
            self._tell(session.office_id, "session_died", {"reason": reason}, session.session_id)
            self._in_background(self._bury(session, reason))

    async def _bury(self, session: Session, reason: str) -> None:
        await self._maker.end(session, reason)
        self._on_place_free()
        self._changed.set()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # Keeping ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keeps the warm roles warm and closes what is idle for too long."""
        while True:
            self._changed.clear()
            await self._close_idle()
            await self._warm_up()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _close_idle(self) -> None:
        now = time.monotonic()
        for session in list(self._sessions.values()):
            terms = self._terms.get(session.office_id)
            wanted = terms is not None and session.pool is SessionPool.WARM and session.role in terms.warm_roles
            idle_after = terms.idle_seconds if terms is not None else 0
            if session.is_idle and not wanted and now - session.idle_since >= idle_after:
                await self.end(session, "idle")

    async def _warm_up(self) -> None:
        for terms in list(self._terms.values()):
            for role in terms.warm_roles:
                key = (terms.office_id, role)
                present = any(
                    session.pool is SessionPool.WARM and (session.office_id, session.role) == key
                    for session in self._sessions.values()
                )
                full = len(self._sessions) + self._opening >= self._max_sessions
                failing = self._failing.get(key)
                if present or full or (failing is not None and time.monotonic() < failing.until):
                    continue
                await self._open_warm(*key)

    async def _open_warm(self, office_id: OfficeId, role: str) -> None:
        key = (office_id, role)
        try:
            await self._open(SessionRequest(office_id, role, pool=SessionPool.WARM), None)
            self._failing.pop(key, None)
        except (Fenced, Unauthenticated):
            raise
        except OfficeError as error:
            before = self._failing.get(key)
            pause = min(before.pause * 2, LONGEST_PAUSE_SECONDS) if before is not None else FIRST_PAUSE_SECONDS
            self._failing[key] = _Failing(pause, time.monotonic() + pause, error.code)
            if before is None or before.error_code != error.code:
                log.warning("no warm session", role=role, error=error.detail)
                self._tell(office_id, "warm_failed", {"role": role, "error": error.detail, "error_code": error.code})

    def _tell(self, office_id: OfficeId, kind: str, detail: dict[str, Any], session: SessionId | None = None) -> None:
        self._uplink.event(Happening(office_id, kind, detail, datetime.now(UTC), session))

    async def close(self, reason: str) -> None:
        """Ends every session."""
        self._closed = True
        if self._background:
            await asyncio.wait(self._background)
        ending = [self.end(session, reason) for session in list(self._sessions.values())]
        await asyncio.gather(*ending, return_exceptions=True)
