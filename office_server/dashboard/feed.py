"""What the browsers of one office look at: fetched once for all of them, at most five times a second.

Hints wake it, the tables decide; without hints it looks every second. When nobody answers it says so and tries on.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from office_server.dashboard.tails import Stream
from office_server.picture_rows import Picture
from office_server.services import Services
from shared.errors import OfficeError
from shared.ids import ByteOffset, OfficeId, SessionId

ROUND_SECONDS = 0.2
_QUIET_ROUND_SECONDS = 0.5
_QUIET_AFTER_SECONDS = 5.0
_PICTURE_SECONDS = 1.0
_PICTURE_AT_LEAST_SECONDS = 0.4
_log = structlog.get_logger(__name__)


class Watcher(Protocol):
    """A browser tab."""

    wanted: set[SessionId]
    """The sessions whose output it shows."""

    def look(self, news: "News") -> None:
        """Shows what changed. Waits for nothing."""


class News:
    """What a round found: the office's picture, what was put out, and what went wrong, if anything did."""

    def __init__(self, picture: Picture | None, moved: set[SessionId], trouble: str | None, new_picture: bool) -> None:
        self.picture = picture
        self.moved = moved
        self.trouble = trouble
        self.new_picture = new_picture


class OfficeFeed:
    def __init__(self, services: Services, office: OfficeId) -> None:
        self.picture: Picture | None = None
        self.trouble: str | None = None
        self.streams: dict[SessionId, Stream] = {}
        self._pages = services.backend.pages
        self._hints = services.hints
        self._office = office
        self._watchers: set[Watcher] = set()
        self._wake = asyncio.Event()
        self._stale = True
        self._picture_at = float("-inf")
        self._output_at = float("-inf")

    def join(self, watcher: Watcher) -> None:
        self._watchers.add(watcher)
        self.poke()

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    def poke(self) -> None:
        """Has it look at once: somebody did something, or wants to see more."""
        self._stale = True
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        with self._hints.watching(self._office, self._wake):
            while True:
                started = _now()
                await self.round()
                await self._pause(started)

    async def round(self) -> None:
        new_picture, moved = False, set[SessionId]()
        try:
            age = _now() - self._picture_at
            if age > _PICTURE_SECONDS or (self._stale and age > _PICTURE_AT_LEAST_SECONDS):
                self._stale = False
                self.picture = await self._pages.picture(self._office)
                self._picture_at = _now()
                new_picture = True
            moved = await self._follow()
            self.trouble = None
        except OfficeError as error:
            if self.trouble != error.code:
                _log.warning("feed_failed", code=error.code, detail=error.detail)
            self.trouble = error.code
        except Exception:  # noqa: BLE001 - a picture that makes no sense ends neither the server nor other offices' pages
            if self.trouble != OfficeError.code:
                _log.exception("feed_broken", office_id=str(self._office))
            self.trouble = OfficeError.code
        if new_picture or moved or self.trouble:
            self._tell(News(self.picture, moved, self.trouble, new_picture))

    async def _follow(self) -> set[SessionId]:
        """Fetches what the sessions that somebody looks at have put out; returns those that did."""
        wanted = {session for watcher in self._watchers for session in watcher.wanted}
        for gone in self.streams.keys() - wanted:
            self.streams.pop(gone).close()
        if not wanted or self.picture is None:
            return set()
        sizes = {seen.id: (seen.cols, seen.rows) for seen in self.picture.sessions}
        for session in wanted - self.streams.keys():
            self.streams[session] = Stream(*sizes.get(session, (120, 40)))
        places = {session: stream.next for session, stream in self.streams.items()}
        moved: set[SessionId] = set()
        for chunk in await self._pages.output_after(self._office, places):
            stream = self.streams.get(chunk.session_id)
            if stream is not None and chunk.end_offset > stream.next:
                stream.add(chunk)
                moved.add(chunk.session_id)
        for session in moved:
            self.streams[session].rendered(*sizes.get(session, (120, 40)))
        for stream in self.streams.values():
            if stream.next == ByteOffset(-1):
                stream.next = ByteOffset(0)  # it has put out nothing yet
        if moved:
            self._output_at = _now()
        return moved

    def _tell(self, news: News) -> None:
        for watcher in list(self._watchers):
            try:
                watcher.look(news)
            except Exception:  # noqa: BLE001 - what one page cannot show must not keep it from the others
                _log.exception("page_failed")

    async def _pause(self, started: float) -> None:
        quiet = self.trouble or _now() - self._output_at > _QUIET_AFTER_SECONDS
        await asyncio.sleep(max(0.0, started + ROUND_SECONDS - _now()))
        if quiet:
            try:
                async with asyncio.timeout(_QUIET_ROUND_SECONDS - ROUND_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
        if self._wake.is_set():
            self._wake.clear()
            self._stale = True


class Feeds:
    """The feeds of the offices that somebody looks at, each started with the first and ended after the last."""

    _KEPT_SECONDS = 20.0

    def __init__(self, services: Services) -> None:
        self._services = services
        self._feeds: dict[OfficeId, tuple[OfficeFeed, asyncio.Task[None]]] = {}
        self._group: asyncio.TaskGroup | None = None

    def of(self, office: OfficeId) -> OfficeFeed:
        """Raises RuntimeError when the server does not run."""
        if self._group is None:
            raise RuntimeError("the feeds are not open")
        if office not in self._feeds or self._feeds[office][1].done():
            feed = OfficeFeed(self._services, office)
            self._feeds[office] = feed, self._group.create_task(feed.run(), name=f"feed of {office}")
        return self._feeds[office][0]

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as self._group:
            tidying = self._group.create_task(self._tidy(), name="feeds")
            try:
                yield
            finally:
                tidying.cancel()
                for _, running in self._feeds.values():
                    running.cancel()

    async def _tidy(self) -> None:
        unwatched: set[OfficeId] = set()
        while True:
            await asyncio.sleep(self._KEPT_SECONDS)
            now_unwatched = {office for office, (feed, _) in self._feeds.items() if not feed.is_watched}
            for office in unwatched & now_unwatched:
                self._feeds.pop(office)[1].cancel()
            unwatched = now_unwatched


def _now() -> float:
    return asyncio.get_running_loop().time()
