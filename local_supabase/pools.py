"""Pools of connections to the database that are back as soon as it is.

A pool's own pauses between two tries double, up to minutes: after a crash it would stay away long after the database is
there. Here every try stands alone, and the next one follows soon.
"""

from typing import Any

from psycopg_pool import AsyncConnectionPool

AGAIN_SECONDS = 0.2
"""From a try that failed to the next one."""


def returning() -> dict[str, Any]:
    """What to give an `AsyncConnectionPool` so that it comes back soon."""
    return {"reconnect_timeout": AGAIN_SECONDS, "reconnect_failed": _try_again}


async def _try_again(pool: AsyncConnectionPool[Any]) -> None:
    await pool.check()  # an empty pool begins to grow anew
