"""What an office tells as it happens, heard by a test: whoever waits looks when there is news, not by a clock."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from tests.support.running_office import RunningOffice

FoundT = TypeVar("FoundT")
_UNTOLD_SECONDS = 2.0
"""A few things change without a word in the stream: one looks for them all the same."""


@dataclass
class OfficeEvents:
    """Hears the stream of events of one office while the block of `of` lasts."""

    heard: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @asynccontextmanager
    async def of(cls, office: RunningOffice) -> "AsyncGenerator[OfficeEvents]":
        events = cls()
        hearing = asyncio.create_task(events._hear(office))
        try:
            yield events
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing

    async def when(self, look: Callable[[], Awaitable[FoundT | None]], seconds: float = 90) -> FoundT:
        """What `look` finds, as soon as it finds something: it is asked now, and then with all news of the office."""
        async with asyncio.timeout(seconds):
            while True:
                known = len(self.heard)
                if found := await look():
                    return found
                try:
                    async with asyncio.timeout(_UNTOLD_SECONDS), self._changed:
                        await self._changed.wait_for(lambda known=known: len(self.heard) > known)
                except TimeoutError:
                    pass

    async def until(self, kind: str, session_id: str) -> dict[str, Any]:
        """The latest event of that kind in a session, once there is one."""

        async def told() -> dict[str, Any] | None:
            wanted = {"kind": kind, "session_id": session_id}
            return next((one for one in reversed(self.heard) if wanted.items() <= one.items()), None)

        return await self.when(told)

    async def _hear(self, office: RunningOffice) -> None:
        """From the first event that is kept; taken up again where it broke off."""
        last = "0-0"
        while True:
            try:
                async with (
                    office.api() as api,
                    api.stream("GET", "events", params={"after": last}, timeout=None) as stream,
                ):
                    async for line in stream.raise_for_status().aiter_lines():
                        name, _, value = line.partition(": ")
                        if name == "id":
                            last = value
                        elif name == "data" and "kind" in (event := json.loads(value)):
                            async with self._changed:
                                self.heard.append(event)
                                self._changed.notify_all()
            except httpx.HTTPError:  # the server was killed, and comes back
                await asyncio.sleep(0.1)
