"""Which sessions there are and whose they are: taken by commands, given back, made fresh, ended.

Which ones are kept while nobody asks is in `pool_keeper`; how one is made, reset and ended in `session_maker`.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from remote_client.commands import Command, Hold
from remote_client.office_link import OfficeLink
from remote_client.office_records import Happening, OfficeTerms
from remote_client.policy import Policy
from remote_client.pool_memory import Memory
from remote_client.pool_opening import Opening
from remote_client.session_maker import SessionMaker
from remote_client.sessions import Session, SessionRequest
from remote_client.uplink import Uplink
from shared.errors import Conflict, Fenced, NoRoom, NotFound, OfficeError, Unavailable
from shared.ids import OfficeId, SessionId
from shared.states import SessionPool, SessionStatus

log = structlog.get_logger(__name__)

ROOM_SECONDS = 30.0
TELL_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Obstacle:
    """Why no further session may be begun. With `office_id`, only the end of one of that office helps."""

    words: str
    office_id: OfficeId | None = None


class Pool:
    """All sessions of this client. `on_place_free`: the office knows that a place is free again."""

    def __init__(
        self,
        maker: SessionMaker,
        opening: Opening,
        memory: Memory,
        link: OfficeLink,
        uplink: Uplink,
        policy: Policy,
        on_place_free: Callable[[], None],
    ) -> None:
        self._maker = maker
        self._opening = opening
        self._memory = memory
        self._link = link
        self._uplink = uplink
        self._policy = policy
        self._on_place_free = on_place_free
        self._sessions: dict[SessionId, Session] = {}
        self.terms: dict[OfficeId, OfficeTerms] = {}
        self.changed = asyncio.Event()
        """Set when there may be room, or something to keep or to close."""
        self._background: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def set_terms(self, terms: tuple[OfficeTerms, ...]) -> None:
        self._maker.set_terms(terms)
        self.terms = {office.office_id: office for office in terms}
        self.changed.set()

    @property
    def sessions(self) -> list[Session]:
        return list(self._sessions.values())

    def session(self, session_id: SessionId | None) -> Session:
        """
        Raises:
            NotFound: it does not live on this machine, or no longer.
        """
        session = self._sessions.get(session_id) if session_id is not None else None
        if session is None or session.ending:
            raise NotFound(f"session {session_id} does not live on this machine")
        return session

    def taken_by(self, command: Command) -> list[Session]:
        """The session that an attempt at a command has taken for itself."""
        return [session for session in self._sessions.values() if session.held_by == command.holder]

    def of(self, command: Command) -> list[Session]:
        """The session that a command works in: its own, or the one it has taken."""
        named = [session for session in self._sessions.values() if session.session_id == command.session_id]
        return named or self.taken_by(command)

    def options_of(self, agent: str) -> frozenset[str]:
        return self._maker.options_of(agent)

    async def tell_size(self, session: Session) -> None:
        await self._link.update_session(session.session_id, session.status, cols=session.cols, rows=session.rows)

    # Taking ----------------------------------------------------------------------------------------------------------

    async def acquire(self, request: SessionRequest, hold: Hold) -> Session:
        """An idle session that fits, else a new one; in the hands of `hold`'s command.

        Raises:
            NoRoom: another one cannot be made here at present.
            OfficeError: it could not be made.
        """
        deadline = time.monotonic() + ROOM_SECONDS
        while True:
            for session in self.sessions:
                if session.is_idle and session.fits(request) and await self._take(session, hold):
                    return session
            obstacle = self.obstacle_to(request)
            if obstacle is None:
                session = await self._opening.for_command(request, hold)
                self._add(session)
                return session
            await self._make_room(request, obstacle, deadline)

    async def _take(self, session: Session, hold: Hold) -> bool:
        """Whether the office put it into the hands of `hold`'s command."""
        command = hold.command
        session.held_by = command.holder
        try:
            await self._link.acquire_session(session.session_id, command.command_id, command.attempt)
        except Fenced:
            session.held_by = None
            raise
        except Conflict as error:
            log.warning("not idle to the office", session_id=str(session.session_id), error=error.detail)
            self.recycle(session)  # both agree again when it comes back fresh
            return False
        except Unavailable:
            self.recycle(session)  # the office may have done it all the same
            raise
        except BaseException:
            session.held_by = None
            raise
        return True

    def take_in(self, session: Session) -> None:
        """One that an earlier process of this client made."""
        self._add(session)

    def _add(self, session: Session) -> None:
        self._sessions[session.session_id] = session
        self.changed.set()

    def obstacle_to(self, request: SessionRequest) -> Obstacle | None:
        """Why no further session of that kind may be begun now; None when one may.

        Raises:
            PolicyForbids: its agent is not allowed here.
        """
        agent, _ = self._policy.agent_named(request.agent)
        most = self._policy.limits.max_sessions
        offices = [one.office_id for one in (*self._sessions.values(), *self._opening.now)]
        if len(offices) >= most:
            return Obstacle(f"all {most} places of this machine are taken (limits.max_sessions)")
        terms = self.terms.get(request.office_id)
        if terms is not None and offices.count(request.office_id) >= terms.session_limit:
            words = f"all {terms.session_limit} sessions of the office {terms.name} are in use"
            return Obstacle(words, request.office_id)
        shortage = self._memory.shortage(agent, self._agents_beginning())
        return Obstacle(str(shortage)) if shortage is not None else None

    def _agents_beginning(self) -> list[str | None]:
        return [one.agent for one in self._opening.now]

    async def _make_room(self, request: SessionRequest, obstacle: Obstacle, deadline: float) -> None:
        """Ends an idle session, of another role first; without one, waits until something changes.

        Raises:
            NoRoom: nothing did before `deadline`.
        """
        idle = [session for session in self._sessions.values() if session.is_idle]
        helpful = [one for one in idle if obstacle.office_id in (None, one.office_id)]
        if helpful:
            victim = min(helpful, key=lambda one: _worth(one, request))
            await self.end(victim, "evicted")
            return
        self.changed.clear()
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self.changed.wait()
        except TimeoutError:
            raise NoRoom(obstacle.words) from None

    def holding_back(self) -> dict[str, Any] | None:
        """Why this client takes no command that needs a new session, for the office; None when it does."""
        if any(session.is_idle for session in self._sessions.values()):
            return None  # an idle one gives way
        return self._memory.holding_back(self._agents_beginning())

    async def open_idle(self, request: SessionRequest, pool: SessionPool) -> None:
        """Makes a session that waits in its pool.

        Raises:
            OfficeError: it could not be made.
        """
        self._add(await self._opening.idle(request, pool))

    # Giving back -----------------------------------------------------------------------------------------------------

    async def end(self, session: Session, reason: str) -> None:
        """Ends a session because somebody wants it to end. One that is gone already stays gone."""
        if self._sessions.pop(session.session_id, None) is None:
            return
        session.ending = session.end_wanted = True
        try:
            await self._maker.end(session, reason)
        finally:
            self.changed.set()

    def recycle(self, session: Session) -> None:
        """Gives a released session a fresh start, in the background, and puts it back."""
        session.held_by = None
        if self._closing.is_set() or session.ending:
            return
        session.status = SessionStatus.CREATING  # not idle before it is fresh
        self._in_background(self._recycle(session))

    async def _recycle(self, session: Session) -> None:
        try:
            await self._release(session)
            self._on_place_free()
            await self._maker.reset(session)
        except OfficeError as error:
            log.warning("session not reset", session_id=str(session.session_id), error=error.detail)
            self._sessions.pop(session.session_id, None)
        self.changed.set()

    async def _release(self, session: Session) -> None:
        """Tells the office until it listens: what it does not know of stays taken there for ever."""
        while not self._closing.is_set():
            try:
                await self._link.release_session(session.session_id)
                return
            except Unavailable as error:
                log.warning("release not told yet", session_id=str(session.session_id), error=error.detail)
            try:
                async with asyncio.timeout(TELL_AGAIN_SECONDS):
                    await self._closing.wait()
            except TimeoutError:
                pass

    def bury(self, session: Session, reason: str) -> None:
        """Its agent has ended by itself."""
        if self._sessions.pop(session.session_id, None) is not None and not self._closing.is_set():
            self.tell(session.office_id, "session_died", {"reason": reason}, session.session_id)
            self._in_background(self._bury(session, reason))

    async def _bury(self, session: Session, reason: str) -> None:
        await self._maker.end(session, reason)
        self._on_place_free()
        self.changed.set()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def tell(self, office_id: OfficeId, kind: str, detail: dict[str, Any], session: SessionId | None = None) -> None:
        self._uplink.event(Happening(office_id, kind, detail, datetime.now(UTC), session))

    async def leave(self) -> None:
        """Lets go of every session; all of them go on, for a later process of this client to take up."""
        await self._finish_background()
        for session in self.sessions:
            await self._maker.leave(session)
        self._sessions.clear()

    async def close(self, reason: str) -> None:
        """Ends every session."""
        await self._finish_background()
        ending = [self.end(session, reason) for session in self.sessions]
        await asyncio.gather(*ending, return_exceptions=True)

    async def _finish_background(self) -> None:
        self._closing.set()
        if self._background:
            await asyncio.wait(self._background)


def _worth(session: Session, request: SessionRequest) -> tuple[bool, bool, bool, float]:
    """How late an idle session gives way to a request: those of other offices, roles and the cold ones go first."""
    return (
        session.office_id == request.office_id, session.role == request.role, session.pool is SessionPool.WARM,
        session.idle_since,
    )  # fmt: skip
