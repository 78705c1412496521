"""Keeps the pool while nobody asks: warm roles warm, what is idle for too long closed, open circuits tried again."""

import asyncio
import time
from dataclasses import dataclass

import structlog

from remote_client.pool import Pool
from remote_client.pool_circuits import Circuits
from remote_client.session_maker import SessionMaker
from remote_client.sessions import SessionRequest
from shared.errors import Fenced, OfficeError, Unauthenticated
from shared.ids import OfficeId
from shared.states import SessionPool

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class _Failing:
    """No warm session could be made: the next try is `pause` seconds after the last, at `until` (monotonic)."""

    pause: float
    until: float
    error_code: str


class PoolKeeper:
    def __init__(self, pool: Pool, circuits: Circuits, maker: SessionMaker) -> None:
        self._pool = pool
        self._circuits = circuits
        self._maker = maker
        self._failing: dict[tuple[OfficeId, str], _Failing] = {}

    async def run(self) -> None:
        """
        Raises:
            Fenced, Unauthenticated: this process is no longer this client.
        """
        while True:
            self._pool.changed.clear()
            await self._maker.tell_ends()
            await self._circuits.tell()
            await self._close_idle()
            await self._warm_up()
            await self._try_circuits()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._pool.changed.wait()
            except TimeoutError:
                pass

    def _is_warm_role(self, office_id: OfficeId, role: str) -> bool:
        terms = self._pool.terms.get(office_id)
        return terms is not None and role in terms.warm_roles

    async def _close_idle(self) -> None:
        """A warm one whose role is another client's now is as any other."""
        now = time.monotonic()
        for session in self._pool.sessions:
            terms = self._pool.terms.get(session.office_id)
            if terms is None and session.settled.is_set():
                await self._pool.end(session, "office_left")  # whoever held it there cannot give it back any more
                continue
            idle_seconds = terms.idle_seconds if terms is not None else 0
            wanted = session.pool is SessionPool.WARM and self._is_warm_role(session.office_id, session.role)
            if session.is_idle and not wanted and now - session.idle_since >= idle_seconds:
                await self._pool.end(session, "idle")

    async def _warm_up(self) -> None:
        for terms in list(self._pool.terms.values()):
            for role in terms.warm_roles:
                key = (terms.office_id, role)
                present = any(
                    session.pool is SessionPool.WARM and (session.office_id, session.role) == key
                    for session in self._pool.sessions
                )
                failing = self._failing.get(key)
                pausing = failing is not None and time.monotonic() < failing.until
                if not present and not pausing and not self._circuits.is_open(*key):
                    await self._open(SessionRequest(*key), SessionPool.WARM)

    async def _try_circuits(self) -> None:
        for request in self._circuits.due():
            warm = self._is_warm_role(request.office_id, request.role)
            await self._open(request, SessionPool.WARM if warm else SessionPool.COLD)

    async def _open(self, request: SessionRequest, pool: SessionPool) -> None:
        key = (request.office_id, request.role)
        try:
            if self._pool.obstacle_to(request) is None:
                await self._pool.open_idle(request, pool)
                self._failing.pop(key, None)
        except (Fenced, Unauthenticated):
            raise
        except OfficeError as error:
            before = self._failing.get(key)
            pause = min(before.pause * 2, LONGEST_PAUSE_SECONDS) if before is not None else FIRST_PAUSE_SECONDS
            self._failing[key] = _Failing(pause, time.monotonic() + pause, error.code)
            if before is None or before.error_code != error.code:
                log.warning("no idle session", role=request.role, error=error.detail)
                detail = {"role": request.role, "error": error.detail, "error_code": error.code}
                self._pool.tell(request.office_id, "warm_failed", detail)
