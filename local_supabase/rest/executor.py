"""Runs one statement as one role, in a transaction of its own, over a pool of connections.

A request is one round trip to PostgreSQL: the settings and the statement travel together, and what travels
together is one transaction. It also keeps the catalog fresh.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg import AsyncRawCursor
from psycopg.pq import ExecStatus
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from local_supabase.database import Database
from local_supabase.pools import returning
from local_supabase.rest.catalog import Catalog, load_catalogs
from local_supabase.rest.errors import RestError, database_gone, from_postgres
from local_supabase.rest.statements import Statement
from local_supabase.tokens import Caller

CONNECTIONS = 10
WAIT_SECONDS = 10.0
RECONNECT_SECONDS = 0.2
PREPARED_STATEMENTS = 300
_SETTINGS = (
    "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true),"
    " set_config('request.method', $3, true), set_config('request.path', $4, true),"
    " set_config('search_path', $5, true), set_config('transaction_read_only', $6, true),"
    " set_config('request.headers', $7, true)"
)


@dataclass(frozen=True)
class Context:
    """In whose name, and for which request, a statement runs."""

    caller: Caller
    method: str
    path: str
    schema: str
    read_only: bool
    headers_json: str = "{}"


@dataclass(frozen=True)
class Answer:
    """`body` is JSON; `rows` is how many rows it stands for; `total` how many there are, if asked."""

    body: bytes
    rows: int
    total: int | None


class Executor:
    """`async with Executor.open(database) as executor: await executor.run(context, statement)`."""

    def __init__(self, pool: AsyncConnectionPool[psycopg.AsyncConnection], catalogs: dict[str, Catalog]) -> None:
        self._pool = pool
        self._catalogs = catalogs

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database) -> "AsyncGenerator[Executor]":
        pool: AsyncConnectionPool[psycopg.AsyncConnection] = AsyncConnectionPool(
            database.dsn_for("authenticator"), min_size=2, max_size=CONNECTIONS, timeout=WAIT_SECONDS, open=False,
            kwargs={"autocommit": True, "prepare_threshold": 0}, configure=_configure, reset=_keep,
            **returning(),
        )  # fmt: skip
        async with pool:
            async with pool.connection() as connection:
                catalogs = await load_catalogs(connection)
            executor = cls(pool, catalogs)
            watcher = asyncio.create_task(executor.watch(database), name="rest-schema-watch")
            try:
                yield executor
            finally:
                watcher.cancel()
                await asyncio.gather(watcher, return_exceptions=True)

    def catalog(self, schema: str) -> Catalog:
        return self._catalogs[schema]

    async def refresh(self) -> None:
        """Learns the schema again: the database's own word of a change may still be on its way."""
        try:
            await self._reload()
        except (psycopg.Error, PoolTimeout) as error:
            raise database_gone() from error

    async def run(
        self, context: Context, statement: Statement, check: Callable[[Answer], None] | None = None
    ) -> Answer:
        """
        Args:
            check: looks at the answer before it is committed, and undoes everything by raising.

        Raises:
            RestError: as PostgREST words it.
        """
        settings = [
            context.caller.role, context.caller.claims_json, context.method, context.path,
            f"{context.schema}, extensions", "on" if context.read_only else "off", context.headers_json,
        ]  # fmt: skip
        try:
            async with self._pool.connection() as connection:
                if check is None:
                    return await _together(connection, settings, statement)
                async with connection.transaction():
                    await AsyncRawCursor(connection).execute(_SETTINGS, settings)
                    answer = _answer(await AsyncRawCursor(connection).execute(statement.sql.encode(), statement.values))
                    check(answer)
                    return answer
        except PoolTimeout as error:
            raise database_gone() from error
        except psycopg.Error as error:
            gone = error.sqlstate is None and not isinstance(error, psycopg.DataError)
            if gone or (error.sqlstate or "").startswith("57P"):
                # The server went away: others in the pool are as dead as this one.
                await self._pool.check()
            raise from_postgres(error, context.caller.role) from error

    async def watch(self, database: Database) -> None:
        """Learns the schema again whenever the database says that it changed."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    database.dsn_for("authenticator"), autocommit=True
                ) as connection:
                    await connection.execute("listen pgrst")
                    await self._reload()
                    async for _ in connection.notifies():
                        await self._reload()
            except (psycopg.Error, PoolTimeout):
                # Away, or changing under our eyes: look again.
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _reload(self) -> None:
        async with self._pool.connection() as connection:
            self._catalogs = await load_catalogs(connection)


async def _together(connection: psycopg.AsyncConnection, settings: list[str], statement: Statement) -> Answer:
    async with connection.pipeline():
        await AsyncRawCursor(connection).execute(_SETTINGS, settings)
        cursor = await AsyncRawCursor(connection).execute(statement.sql.encode(), statement.values)
    return _answer(cursor)


def _answer(cursor: AsyncRawCursor[tuple[object, ...]]) -> Answer:
    result = cursor.pgresult
    if result is None or result.status != ExecStatus.TUPLES_OK:
        raise RestError(500, "PGRSTX00", "The database answered no rows")
    total = result.get_value(0, 2)
    return Answer(
        result.get_value(0, 0) or b"", int(result.get_value(0, 1) or 0), None if total is None else int(total)
    )


async def _configure(connection: psycopg.AsyncConnection) -> None:
    connection.prepared_max = PREPARED_STATEMENTS


async def _keep(connection: psycopg.AsyncConnection) -> None:
    """Nothing to clean: every setting ended with its transaction."""
