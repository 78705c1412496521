"""Follows what moves in offices: from any place on, nothing missed, nothing twice, for as many as want to.

Hints wake the followers, polling stands behind them, and the database decides in which order things happened. Knows
nothing of HTTP: the stream of the API and the pages read the same.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager

from office_server.backend import Backend
from office_server.hints import Hints
from office_server.rows import Event, EventPage
from shared.errors import Unavailable
from shared.ids import OfficeId

_BEHIND_A_TRANSACTION_SECONDS = 0.03
_Wanted = tuple[OfficeId, str | None, frozenset[str]]


class Follower:
    """One who reads on. `place` is the id to go on from later."""

    def __init__(self, feed: "Feed", office: OfficeId, place: str, kinds: frozenset[str], wake: asyncio.Event) -> None:
        self._feed = feed
        self._office = office
        self._kinds = kinds
        self._wake = wake
        self.place = place

    async def more(self, seconds: float) -> list[Event]:
        """What happened next, as soon as there is something; [] when nothing did for so long, or the server stops.

        While the database does not answer, nothing happens.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while True:
            # Clear before fetching: what is told meanwhile sets it again.
            self._wake.clear()
            pause = self._feed.poll_seconds
            try:
                page = await self._feed.read(self._office, self.place, self._kinds)
            except Unavailable:
                pass
            else:
                self.place = page.next
                if page.events:
                    return page.events
                if page.held_back:
                    pause = _BEHIND_A_TRANSACTION_SECONDS
            left = until - clock()
            if left <= 0 or self._feed.closing:
                return []
            try:
                async with asyncio.timeout(min(left, pause)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def __aiter__(self) -> AsyncIterator[Event]:
        """One event after the other until the server stops."""
        while not self._feed.closing:
            for event in await self.more(self._feed.poll_seconds):
                yield event


class Feed:
    def __init__(self, backend: Backend, hints: Hints, poll_seconds: float) -> None:
        self._events = backend.events
        self._hints = hints
        self.poll_seconds = poll_seconds
        self._reading: dict[_Wanted, asyncio.Task[EventPage]] = {}
        self._wakes: dict[OfficeId, set[asyncio.Event]] = {}
        self.closing = False

    @asynccontextmanager
    async def following(
        self, office: OfficeId, after: str | None = None, kinds: Iterable[str] = ()
    ) -> AsyncGenerator[Follower]:
        """
        Args:
            after: the id of the last event that was had; None: only what happens from now on; "0-0": all that is kept.
            kinds: whole ones, or their first part ("command"); none: all.

        Raises:
            InvalidPayload: `after` is no id.
            BackendDown: Supabase does not answer.
        """
        wanted = frozenset(kinds)
        wake = asyncio.Event()
        self._wakes.setdefault(office, set()).add(wake)
        try:
            with self._hints.watching(office, wake):
                place = after or (await self._events.read(office, None, wanted)).next
                yield Follower(self, office, place, wanted, wake)
        finally:
            self._wakes[office].discard(wake)
            if not self._wakes[office]:
                del self._wakes[office]

    @property
    def followers(self) -> int:
        return sum(len(wakes) for wakes in self._wakes.values())

    def nudge(self, office: OfficeId) -> None:
        """This server itself did something there."""
        for wake in self._wakes.get(office, ()):
            wake.set()

    async def read(self, office: OfficeId, after: str, kinds: frozenset[str]) -> EventPage:
        """The next page. Those who are woken at the same place ask the database once."""
        wanted = (office, after, kinds)
        if (shared := self._reading.get(wanted)) is not None:
            page = await asyncio.shield(shared)
            if page.events:
                return page
            # It may have begun before that happened for which this one was woken.
        reading = asyncio.create_task(self._events.read(office, after, kinds))
        self._reading[wanted] = reading
        try:
            return await asyncio.shield(reading)
        finally:
            if self._reading.get(wanted) is reading:
                del self._reading[wanted]

    def close(self) -> None:
        """Ends all following."""
        self.closing = True
        for wakes in self._wakes.values():
            for wake in wakes:
                wake.set()
