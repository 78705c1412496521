"""Starts jobs: runs one round of the database's scheduler for each office in which something may have moved.

Hints wake it, and what may start is decided in SQL: any number of servers may do this. An office that is heard is
looked at when something moved there that a job could wait for, when a time has come that the database named, and else
seldom; one that is not heard, at every poll.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from math import inf
from typing import Any
from uuid import UUID

import structlog

from office_server.backend import Backend
from office_server.hints import Hints
from office_server.metrics import Metrics
from shared.channels import COMMAND_EVENT, JOBS_EVENT, SESSION_EVENT
from shared.errors import NotFound, OfficeError
from shared.ids import OfficeId
from shared.states import SessionStatus

_log = structlog.get_logger(__name__)
_LEAST_SECONDS = 0.01
_POLLS_WHILE_HEARD = 5
"""An office that is heard is looked at with every so many polls: a single hint may be lost."""


class Scheduler:
    def __init__(self, backend: Backend, hints: Hints, metrics: Metrics, poll_seconds: float) -> None:
        self._plans = backend.plans
        self._hints = hints
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._due: set[OfficeId] = set()
        self._listening: dict[OfficeId, ExitStack] = {}
        self._pauses: dict[OfficeId, float] = {}
        """When a pause between two tries is over, on the monotonic clock."""
        self._looked_at: dict[OfficeId, float] = {}
        """When its last round began, on the same clock."""
        self._failing: str | None = None

    def wake(self, office: OfficeId) -> None:
        """Something may have moved there. Returns at once."""
        self._due.add(office)
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. What fails is told once and tried again."""
        look_at = 0.0
        try:
            while True:
                self._woken.clear()
                due, self._due = self._due, set()
                now = time.monotonic()
                if now >= look_at or due - self._listening.keys():
                    look_at = now + self._poll_seconds
                    due |= {office for office in await self._offices() if self._is_long_ago(office, now)}
                due |= {office for office, at in self._pauses.items() if at <= now}
                await asyncio.gather(*(self._round(office) for office in due))
                until = min([look_at, *self._pauses.values()])
                try:
                    async with asyncio.timeout(max(until - time.monotonic(), 0.0)):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        finally:
            for listening in self._listening.values():
                listening.close()

    async def _offices(self) -> set[OfficeId]:
        """Those in which a plan has not ended; from now on it is heard when something moves there."""
        try:
            offices = {OfficeId(UUID(str(office))) for office in await self._plans.offices()}
        except OfficeError as error:
            self._tell(error)
            return set()
        for office in offices - self._listening.keys():
            self._listening[office] = ExitStack()
            self._listening[office].enter_context(self._hints.following(office, self._waker(office), _matters))
        for office in self._listening.keys() - offices:
            self._listening.pop(office).close()
            self._looked_at.pop(office, None)
        return offices

    def _is_long_ago(self, office: OfficeId, now: float) -> bool:
        if office not in self._hints.live:
            return True
        return now - self._looked_at.get(office, -inf) >= _POLLS_WHILE_HEARD * self._poll_seconds

    def _waker(self, office: OfficeId) -> Callable[[], None]:
        return lambda: self.wake(office)

    async def _round(self, office: OfficeId) -> None:
        self._pauses.pop(office, None)
        self._looked_at[office] = time.monotonic()
        began = time.perf_counter()
        try:
            answer = await self._plans.schedule(office)
        except NotFound:
            return  # the office was deleted meanwhile
        except OfficeError as error:
            self._tell(error)
            return
        self._failing = None
        self._metrics.schedule_seconds.observe(time.perf_counter() - began)
        self._metrics.jobs_started.inc(answer["started"])
        if answer["next_in_s"] is not None:
            self._pauses[office] = time.monotonic() + max(float(answer["next_in_s"]), _LEAST_SECONDS)

    def _tell(self, error: OfficeError) -> None:
        if error.code != self._failing:
            _log.warning("scheduling_failed", code=error.code, detail=error.detail)
        self._failing = error.code


def _matters(event: str, payload: Mapping[str, Any]) -> bool:
    """Of what moves in sessions, only their end sets something free."""
    if event == SESSION_EVENT:
        return payload.get("status") == SessionStatus.TERMINATED
    return event in (COMMAND_EVENT, JOBS_EVENT)
