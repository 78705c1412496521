"""Holds one replication connection open and hands on each row change as it comes. Decides nothing about it.

The slot is temporary: it goes with the connection, so nothing ever holds the write-ahead log back. What was
committed while the connection was down is not seen by anyone, exactly as with the real server.
"""

import asyncio
import contextlib
import secrets
import struct
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import psycopg
import structlog
from psycopg import pq, sql

from local_supabase.realtime.pgoutput import Decoder, RowChange

PUBLICATIONS = ("supabase_realtime", "supabase_realtime_messages_publication")
FEEDBACK_SECONDS = (0.002, 0.01, 0.05, 0.25, 1.0)
"""Pauses between reports to the server, from the last change on; the last one goes on for ever.

A walsender of PostgreSQL 16 and later misses a commit that falls between its look at the log and its going to
sleep, and then sleeps until something else happens. A report is something: it wakes it up to look again.
"""
BACK_OFF_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
CLOSE_SECONDS = 2.0
_POSTGRES_EPOCH = 946_684_800
_BURST = 256

_log = structlog.get_logger(__name__)

Connection = psycopg.AsyncConnection[tuple[object, ...]]


class StreamEnded(Exception):
    """The server ended the stream."""


class ReplicationStream:
    """Streams for ever, through restarts of PostgreSQL.

    Args:
        dsn: as a role with REPLICATION.
        on_change: called for each row change, in commit order. It must not block.
        on_state: called with True whenever the stream is up, with False whenever it is down.
    """

    def __init__(
        self,
        dsn: str,
        on_change: Callable[[RowChange], None],
        on_state: Callable[[bool], None],
    ) -> None:
        self._dsn = dsn
        self._on_change = on_change
        self._on_state = on_state
        self._received = 0

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            try:
                async with self._connected() as connection:
                    failures = 0
                    self._on_state(True)
                    await self._stream(connection)
            except (psycopg.OperationalError, StreamEnded, OSError) as failure:
                _log.warning("replication_lost", error=str(failure).strip(), attempt=failures + 1)
            finally:
                self._on_state(False)
            await asyncio.sleep(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)])
            failures += 1

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Connection]:
        slot = f"semo_realtime_{secrets.token_hex(6)}"
        connection = await psycopg.AsyncConnection.connect(self._dsn, replication="database", autocommit=True)
        try:
            await connection.execute(
                sql.SQL("CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT").format(
                    sql.Identifier(slot)
                )
            )
            await _start(connection, slot)
            try:
                yield connection
            finally:
                await _stop(connection, slot)
        finally:
            await connection.close()

    async def _stream(self, connection: Connection) -> None:
        decoder, pgconn = Decoder(), connection.pgconn
        burst = reports = 0
        while True:
            size, data = pgconn.get_copy_data(1)
            if size < 0:
                raise StreamEnded
            if size > 0:
                if self._take(bytes(data), decoder):
                    reports = 0
                burst += 1
                if burst % _BURST == 0:
                    await self._report(connection)
                    await asyncio.sleep(0)
                continue
            pause = FEEDBACK_SECONDS[min(reports, len(FEEDBACK_SECONDS) - 1)]
            if not await _readable(connection, pause):
                await self._report(connection)
                reports += 1
            pgconn.consume_input()

    def _take(self, message: bytes, decoder: Decoder) -> bool:
        """Handles one message of the stream. True for one that is a change, or asks for a report at once."""
        if message[:1] == b"w":
            change = decoder.decode(message[25:])
            if change is not None:
                self._on_change(change)
        if message[:1] == b"w" or not decoder.in_transaction:
            self._received = max(self._received, struct.unpack_from(">Q", message, 1)[0])
        return message[:1] == b"w" or message[17] == 1

    async def _report(self, connection: Connection) -> None:
        """Tells the server what may be forgotten. Everything is handled as it arrives: written is flushed."""
        clock = int((time.time() - _POSTGRES_EPOCH) * 1_000_000)
        at = self._received
        connection.pgconn.put_copy_data(b"r" + struct.pack(">QQQqB", at, at, at, clock, 0))
        await _flush(connection)


async def _start(connection: Connection, slot: str) -> None:
    names = ",".join(f'"{name}"' for name in PUBLICATIONS)
    command = f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names '{names}')"
    connection.pgconn.send_query(command.encode())
    result = await _result(connection)
    if result is None or result.status != pq.ExecStatus.COPY_BOTH:
        raise psycopg.OperationalError(connection.pgconn.error_message.decode())


async def _stop(connection: Connection, slot: str) -> None:
    """Drops the slot before the connection goes, so that its database can be dropped at once. A dead server did."""
    with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            connection.pgconn.put_copy_end()
            await _flush(connection)
            while connection.pgconn.get_copy_data(1)[0] >= 0:
                await _readable(connection, CLOSE_SECONDS)
                connection.pgconn.consume_input()
            while await _result(connection) is not None:
                pass
            await connection.execute(sql.SQL("DROP_REPLICATION_SLOT {} WAIT").format(sql.Identifier(slot)))


async def _result(connection: Connection) -> "pq.abc.PGresult | None":
    await _flush(connection)
    while connection.pgconn.is_busy():
        await _readable(connection, CLOSE_SECONDS)
        connection.pgconn.consume_input()
    return connection.pgconn.get_result()


async def _flush(connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    while connection.pgconn.flush():
        writable: asyncio.Future[bool] = loop.create_future()
        loop.add_writer(connection.pgconn.socket, _resolve, writable, True)
        try:
            await writable
        finally:
            loop.remove_writer(connection.pgconn.socket)


async def _readable(connection: Connection, seconds: float) -> bool:
    """Waits until there is something to read: True; or for `seconds`: False."""
    loop = asyncio.get_running_loop()
    socket = connection.pgconn.socket
    readable: asyncio.Future[bool] = loop.create_future()
    loop.add_reader(socket, _resolve, readable, True)
    timer = loop.call_later(seconds, _resolve, readable, False)
    try:
        return await readable
    finally:
        timer.cancel()
        loop.remove_reader(socket)


def _resolve(future: "asyncio.Future[bool]", result: bool) -> None:
    if not future.done():
        future.set_result(result)
