"""Database sessions in which the gateway becomes one of its users, and back. Knows what is asked of no one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

CHECKOUT_SECONDS = 2.0

Connection = psycopg.AsyncConnection[tuple[object, ...]]


class DatabaseUnreachable(Exception):
    """PostgreSQL cannot be reached now, or went away in the middle."""


class Sessions:
    """A few connections, replaced when they die: `async with Sessions(dsn) as sessions`."""

    def __init__(self, dsn: str) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=4,
            open=False,
            timeout=CHECKOUT_SECONDS,
            kwargs={"autocommit": True, "options": "-c timezone=UTC -c client_min_messages=error"},
            check=AsyncConnectionPool.check_connection,
        )

    async def __aenter__(self) -> "Sessions":
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close(CHECKOUT_SECONDS)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Raises DatabaseUnreachable."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, PoolTimeout) as unreachable:
            raise DatabaseUnreachable from unreachable


async def become(connection: Connection, role: str, claims_json: str, subtopic: str = "") -> None:
    """Makes the rest of this transaction run as the user of a token, as PostgREST and Realtime do.

    Raises:
        psycopg.Error: there is no such role, or it may not be taken.
    """
    await connection.execute(
        "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true),"
        " set_config('realtime.topic', %s, true)",
        (role, claims_json, subtopic),
    )
