"""What the embedded Realtime does when PostgreSQL dies, a reader is slow, or somebody sends too much."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psycopg

from local_supabase.bootstrap import bootstrap
from local_supabase.database import Database
from local_supabase.postgres import PostgresServer
from local_supabase.realtime.config import Limits
from tests.integration.realtime.gateway import Gateway, running_gateway
from tests.integration.realtime.wire import Frame, open_wire
from tests.support.embedded import EmbeddedPostgres


@asynccontextmanager
async def removed_in_the_end(server: PostgresServer) -> AsyncGenerator[PostgresServer]:
    try:
        async with server:
            yield server
    finally:
        await server.remove()


async def test_channels_outlive_a_killed_postgres_and_hear_again(tmp_path: Path):
    async with removed_in_the_end(PostgresServer(tmp_path, durable=False)) as postgres:
        database = Database(postgres.port, postgres.keys.database_passwords)
        await bootstrap(database)
        async with running_gateway(database, postgres.keys) as gateway, open_wire(gateway) as wire:
            await gateway.execute(
                "create table t (id int primary key); alter publication supabase_realtime add table t"
            )
            await wire.join("realtime:room", postgres_changes=[{"event": "*", "schema": "public", "table": "t"}])
            assert (await wire.frame("realtime:room"))["event"] == "system"
            await gateway.execute("insert into t values (1)")
            assert (await wire.frame("realtime:room"))["payload"]["data"]["record"] == {"id": 1}

            os.kill(postgres.pid, signal.SIGKILL)
            async with asyncio.timeout(30):
                await _died(gateway)
                await gateway.realtime.replicating()
            await wire.heartbeat()
            assert wire.waiting() == [], "the real server says nothing of it either"

            async with await psycopg.AsyncConnection.connect(database.dsn_for("supabase_admin")) as connection:
                await connection.execute("insert into t values (2)")
                await connection.execute("select realtime.send('{}', 'evt', 'room', false)")
            frames = [await wire.frame("realtime:room", 10) for _ in range(2)]
            assert {frame["event"] for frame in frames} == {"broadcast", "postgres_changes"}
        await postgres.remove()


async def _died(gateway: Gateway) -> None:
    """Until the gateway has noticed."""
    try:
        await gateway.admin.execute("select pg_sleep(60)")
    except psycopg.OperationalError:
        while gateway.realtime.is_replicating:  # noqa: ASYNC110 - the same loop is about to see it
            await asyncio.sleep(0)


async def test_no_replication_slot_is_left_behind(database: Database, embedded_postgres: EmbeddedPostgres):
    async with running_gateway(database, embedded_postgres.keys) as gateway:
        assert await _slots(gateway.database) == 1
    assert await _slots(database) == 0


async def _slots(database: Database) -> int:
    async with await psycopg.AsyncConnection.connect(database.dsn_for("supabase_admin")) as connection:
        cursor = await connection.execute(
            "select count(*) from pg_replication_slots where database = current_database()"
        )
        row = await cursor.fetchone()
        return row[0] if row else 0


async def test_a_slow_reader_is_closed_and_holds_nobody_up(database: Database, embedded_postgres: EmbeddedPostgres):
    limits = Limits(outbox_bytes=1_000_000)
    async with running_gateway(database, embedded_postgres.keys, limits) as gateway, open_wire(gateway) as reader:
        with socket.create_connection(("127.0.0.1", gateway.port)) as sleeper:
            await _join_and_fall_asleep(gateway, sleeper)
            await reader.join("realtime:room")
            await gateway.execute(
                "select realtime.send(jsonb_build_object('text', repeat('x', 100000)), 'evt', 'room', false)"
                " from generate_series(1, 100)"
            )
            for _ in range(100):
                frame = await reader.frame("realtime:room")
                assert len(frame["payload"]["payload"]["text"]) == 100_000
            assert b"reads too slowly" in await _last_words(sleeper)


async def _join_and_fall_asleep(gateway: Gateway, sleeper: socket.socket) -> None:
    """A websocket by hand, so that nothing reads behind our back."""
    loop = asyncio.get_running_loop()
    sleeper.setblocking(False)
    path = f"/realtime/v1/websocket?apikey={gateway.keys.publishable_key}"
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    await loop.sock_sendall(sleeper, head.encode())
    assert b"101" in (await loop.sock_recv(sleeper, 1000))[:20]
    join: Frame = {"topic": "realtime:room", "event": "phx_join", "payload": {"config": {}}, "ref": "1"}
    text = json.dumps(join).encode()
    assert len(text) < 126
    await loop.sock_sendall(sleeper, bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
    assert b"phx_reply" in await loop.sock_recv(sleeper, 1000)


async def _last_words(sleeper: socket.socket) -> bytes:
    """What stands at the end of all that was sent to the sleeper, once that is a close frame with 1013."""
    loop, end = asyncio.get_running_loop(), b""
    async with asyncio.timeout(45):
        while (1013).to_bytes(2, "big") not in end:
            end = (end + await loop.sock_recv(sleeper, 1 << 20))[-100:]
    return end


async def test_a_channel_with_too_many_messages_a_second_is_closed(
    database: Database, embedded_postgres: EmbeddedPostgres
):
    limits = Limits(events_per_second=10, rate_window_seconds=2)
    async with running_gateway(database, embedded_postgres.keys, limits) as gateway, open_wire(gateway) as wire:
        await wire.join("realtime:flood", broadcast={"self": True})
        for number in range(30):
            await wire.send("realtime:flood", "broadcast", {"event": "e", "payload": {"n": number}}, str(number))
        events: list[str] = []
        while "phx_close" not in events:
            frame = await wire.frame("realtime:flood")
            events.append(frame["event"])
            if frame["event"] == "system":
                assert frame["payload"]["message"] == "Too many messages per second"
        assert events.count("broadcast") == 10, "one is counted as it is sent and as it is received"
        await wire.heartbeat()


async def test_a_socket_has_a_limit_of_channels(database: Database, embedded_postgres: EmbeddedPostgres):
    limits = Limits(channels_per_socket=2)
    async with running_gateway(database, embedded_postgres.keys, limits) as gateway, open_wire(gateway) as wire:
        replies = [await wire.join(f"realtime:{number}") for number in range(3)]
        assert [reply["payload"]["status"] for reply in replies] == ["ok", "ok", "error"]
        assert replies[2]["payload"]["response"]["reason"] == "ChannelRateLimitReached: Too many channels"


async def test_a_silent_socket_is_closed(database: Database, embedded_postgres: EmbeddedPostgres):
    limits = Limits(idle_after=timedelta(seconds=0.2))
    async with running_gateway(database, embedded_postgres.keys, limits) as gateway, open_wire(gateway) as wire:
        async with asyncio.timeout(30):
            assert await wire.closed == 1000


async def test_a_graceful_stop_closes_with_1012_and_no_channel_frames(
    database: Database, embedded_postgres: EmbeddedPostgres
):
    async with running_gateway(database, embedded_postgres.keys) as gateway:
        wires = open_wire(gateway)
        wire = await wires.__aenter__()
        await wire.join("realtime:room")
    async with asyncio.timeout(30):
        assert await wire.closed == 1012
    assert wire.waiting() == []
    await wires.__aexit__(None, None, None)


async def test_presence_is_refused_with_a_clear_error(gateway: Gateway):
    async with open_wire(gateway) as wire:
        reply = await wire.join("realtime:room", presence={"enabled": True, "key": "me"})
    assert "Presence is not part of the embedded Realtime" in reply["payload"]["response"]["reason"]


async def test_a_row_above_the_limit_comes_with_its_small_fields_and_an_error(
    database: Database, embedded_postgres: EmbeddedPostgres
):
    limits = Limits(record_bytes=1000)
    async with running_gateway(database, embedded_postgres.keys, limits) as gateway, open_wire(gateway) as wire:
        await gateway.execute(
            "create table t (id int primary key, small text, big text);alter publication supabase_realtime add table t"
        )
        await wire.join("realtime:room", postgres_changes=[{"event": "*", "schema": "public", "table": "t"}])
        assert (await wire.frame("realtime:room"))["payload"]["status"] == "ok"
        await gateway.execute("insert into t values (1, 'x', repeat('y', 2000))")
        data = (await wire.frame("realtime:room"))["payload"]["data"]
        assert data["record"] == {"id": 1, "small": "x"}
        assert data["errors"] == ["Error 413: Payload Too Large"]
