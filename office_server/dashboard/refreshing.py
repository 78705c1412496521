"""Asks again whenever the office's picture is new, one question at a time. What cannot be answered, the frame says."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from office_server.dashboard.feed import News
from office_server.dashboard.visit import Visit
from shared.errors import OfficeError

_log = structlog.get_logger(__name__)


class Refreshing:
    """`ask` fetches and shows; it is not called again before it has ended."""

    def __init__(self, visit: Visit, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        visit.on_news(self._look)

    async def now(self) -> None:
        try:
            async with self._one_at_a_time:
                await self._ask()
        except OfficeError as error:
            _log.info("page_not_refreshed", code=error.code)  # the next picture tries again

    def _look(self, news: News) -> None:
        if news.new_picture and news.picture is not None and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self.now())
