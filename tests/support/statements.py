"""SQL by one who sees and may do everything, over connections that are kept: making one costs more than a statement."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
_Connection = psycopg.AsyncConnection[Row]


class Statements:
    """Each on a connection that nobody else uses meanwhile, and committed at its end."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._idle: list[_Connection] = []

    async def run(self, statement: str, *values: Any) -> list[Row]:
        """The rows of it, if it has any. Raises psycopg.OperationalError while the database is away."""
        connection = await self._one_that_works()
        try:
            cursor = await connection.execute(statement.encode(), values)
            rows = await cursor.fetchall() if cursor.description else []
        except BaseException:
            await connection.close()
            raise
        self._idle.append(connection)
        return rows

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _one_that_works(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.execute("")
            except psycopg.OperationalError:
                await connection.close()
            else:
                return connection
        return await _Connection.connect(self._dsn, autocommit=True, row_factory=dict_row, prepare_threshold=None)
