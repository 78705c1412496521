"""Takes commands from the table: at once when a hint comes, and every few seconds in any case. Never waits for work."""

import asyncio

import structlog

from remote_client.commands import lease_clock
from remote_client.executor import Executor
from remote_client.office_link import OfficeLink
from shared.errors import Unavailable

log = structlog.get_logger(__name__)

LONGEST_PAUSE_SECONDS = 10.0


class Claimer:
    def __init__(
        self, link: OfficeLink, executor: Executor, poll_seconds: float, limit: int, lease_seconds: int
    ) -> None:
        self._link = link
        self._executor = executor
        self._poll_seconds = poll_seconds
        self._limit = limit
        self._lease_seconds = lease_seconds
        self._look = asyncio.Event()
        self._first_claim = asyncio.Event()

    def wake(self) -> None:
        """There may be something to take."""
        self._look.set()

    async def has_claimed(self) -> None:
        """Returns when the table was asked for the first time."""
        await self._first_claim.wait()

    async def run(self) -> None:
        """
        Raises:
            Fenced: a newer process of this client has taken over.
        """
        pause = self._poll_seconds
        while True:
            # Clear before fetching: what is inserted meanwhile sets it again.
            self._look.clear()
            asked_at = lease_clock()
            try:
                commands = await self._link.claim_commands(self._limit, self._lease_seconds)
            except Unavailable as error:
                log.warning("nothing claimed", error=error.detail)
                pause = min(pause * 2, max(LONGEST_PAUSE_SECONDS, self._poll_seconds))
            else:
                pause = self._poll_seconds
                self._first_claim.set()
                if commands:
                    self._executor.submit(commands, asked_at)
                if len(commands) == self._limit:
                    continue
            try:
                async with asyncio.timeout(pause):
                    await self._look.wait()
            except TimeoutError:
                pass
