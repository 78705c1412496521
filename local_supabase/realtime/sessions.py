"""Database sessions in which the gateway becomes one of its users, and back. Knows what is asked of no one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg

MOST_SESSIONS = 4
CONNECT_SECONDS = 2

Connection = psycopg.AsyncConnection[tuple[object, ...]]


class DatabaseUnreachable(Exception):
    """PostgreSQL cannot be reached now, or went away in the middle."""


class Sessions:
    """A few connections, made when they are needed: `async with Sessions(dsn) as sessions`.

    A pool of its own because it must find a restarted PostgreSQL at once: others back off for seconds.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(MOST_SESSIONS)

    async def __aenter__(self) -> "Sessions":
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Raises DatabaseUnreachable."""
        async with self._places:
            try:
                connection = await self._checked_out()
                try:
                    yield connection
                finally:
                    await self._check_in(connection)
            except psycopg.OperationalError as unreachable:
                raise DatabaseUnreachable from unreachable

    async def _checked_out(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.execute("")
            except psycopg.OperationalError:
                await connection.close()
            else:
                return connection
        return await psycopg.AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            options="-c timezone=UTC -c client_min_messages=error",
        )

    async def _check_in(self, connection: Connection) -> None:
        """Keeps only a connection that is idle again; a task cancelled half-way leaves one that is not."""
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            await connection.close()


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
