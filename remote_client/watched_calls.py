"""Calls that tell the connection what becomes of them, and that wait while the database is known to be silent.

When it answers again, what waited goes at once, and what hangs on a connection from before is given up: nobody sits
out a long time limit in a network that is back.
"""

import asyncio
from typing import Any

from remote_client.connection import Connection, Database
from remote_client.office_link import Calls
from shared.errors import BackendDown, OfficeError, Unavailable

FIND_OUT_BY = frozenset({"register_client", "report_connection"})
"""These never wait: by them it is found out whether the database answers."""
GRACE_SECONDS = 1.0


class WatchedCalls:
    def __init__(self, calls: Calls, connection: Connection, wait_seconds: float) -> None:
        self._calls = calls
        self._connection = connection
        self._wait_seconds = wait_seconds
        self._running: set[asyncio.Timeout] = set()
        connection.listen_to_turns(self._give_up_what_hangs)

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        """
        Raises:
            OfficeError: as of the calls that are watched.
        """
        if function not in FIND_OUT_BY:
            await self._until_it_answers(function)
        try:
            answer = await self._call(function, arguments)
        except Unavailable:
            self._connection.doubt()
            raise
        except OfficeError:
            self._connection.answered()
            raise
        self._connection.answered()
        return answer

    async def _until_it_answers(self, function: str) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._connection.until_it_answers()
        except TimeoutError:
            raise BackendDown(f"{function}: {self._connection.standing}") from None

    async def _call(self, function: str, arguments: dict[str, Any]) -> Any:
        try:
            async with asyncio.timeout(None) as limit:
                self._running.add(limit)
                try:
                    return await self._calls(function, arguments)
                finally:
                    self._running.discard(limit)
        except TimeoutError:
            raise BackendDown(f"{function}: given up, the network was away meanwhile") from None

    def _give_up_what_hangs(self) -> None:
        if self._connection.database is Database.ANSWERS:
            soon = asyncio.get_running_loop().time() + GRACE_SECONDS
            for limit in self._running:
                if not limit.expired():
                    limit.reschedule(soon)
