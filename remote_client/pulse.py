"""Asks the database whether it answers as soon as that is in doubt, and tells it how this client is connected."""

import asyncio
from collections.abc import Awaitable, Callable

from remote_client.connection import Connection, Database
from shared.errors import Unavailable
from shared.states import ConnectionState

ANSWER_SECONDS = 2.0
PAUSE_SECONDS = 1.0


async def keep_pulse(
    connection: Connection,
    report: Callable[[ConnectionState], Awaitable[None]],
    answer_seconds: float = ANSWER_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
) -> None:
    """Never ends by itself. While the database is silent it asks again and again: one small call, for all who wait.

    Raises:
        Fenced: a newer process of this client has taken over.
        Forbidden, Unauthenticated: this client was revoked.
    """
    reported: ConnectionState | None = None
    while True:
        connection.news.clear()
        state = connection.if_it_answers
        if connection.database is Database.ANSWERS and state is reported:
            await connection.news.wait()
            continue
        try:
            async with asyncio.timeout(answer_seconds):
                await report(state)
            reported = state
        except (Unavailable, TimeoutError):
            connection.doubt()
            connection.silent()
            await asyncio.sleep(pause_seconds)
