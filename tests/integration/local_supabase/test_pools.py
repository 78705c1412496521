"""Connections to a database that was away: they are back as soon as it is."""

import asyncio

from psycopg_pool import AsyncConnectionPool

from local_supabase.database import Database
from local_supabase.pools import returning
from tests.support.embedded import EmbeddedPostgres
from tests.support.network import network_to

TRIES_IN_VAIN = 8
"""With pauses that double, the next one would come minutes later."""


async def test_a_pool_is_back_soon_however_long_the_database_was_away(embedded_postgres: EmbeddedPostgres) -> None:
    async with network_to(embedded_postgres.port) as network:
        away = Database(network.port, embedded_postgres.keys.database_passwords, "postgres")
        async with AsyncConnectionPool(
            away.dsn_for("supabase_admin"), min_size=2, max_size=4, open=False, timeout=60, **returning()
        ) as pool:
            await pool.wait()
            network.reset()
            await pool.check()
            asked = asyncio.create_task(pool.getconn())
            async with asyncio.timeout(60):
                while pool.get_stats().get("connections_errors", 0) < TRIES_IN_VAIN:  # noqa: ASYNC110  it tells nobody
                    await asyncio.sleep(0.02)
            network.restore()
            async with asyncio.timeout(60):
                connection = await asked
            assert await (await connection.execute("select 1")).fetchone() == (1,)
            await pool.putconn(connection)
