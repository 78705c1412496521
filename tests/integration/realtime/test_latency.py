"""How long a change takes from its commit to the websocket: measured and printed, not judged (`pytest -s`)."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from tests.integration.realtime.gateway import Gateway
from tests.integration.realtime.wire import Frame, open_wire

MESSAGES = 200

Frames = Callable[[str], Awaitable[Frame]]


async def test_how_long_a_broadcast_from_the_database_takes(gateway: Gateway):
    async with open_wire(gateway) as wire:
        await wire.join("realtime:room")
        await _measure(gateway, wire.frame, "select realtime.send('{}', 'evt', 'room', false)", "broadcast")


async def test_how_long_a_row_change_takes(gateway: Gateway):
    await gateway.execute(
        "create table t (id int generated always as identity primary key);"
        "alter publication supabase_realtime add table t"
    )
    async with open_wire(gateway) as wire:
        await wire.join("realtime:room", postgres_changes=[{"event": "*", "schema": "public", "table": "t"}])
        assert (await wire.frame("realtime:room"))["event"] == "system"
        await _measure(gateway, wire.frame, "insert into t default values", "postgres_changes")


async def _measure(gateway: Gateway, frame: Frames, statement: str, event: str) -> None:
    milliseconds: list[float] = []
    for _ in range(MESSAGES):
        received = asyncio.create_task(_arrival(frame, event))
        await gateway.execute(statement)
        committed = time.perf_counter()
        milliseconds.append((await received - committed) * 1000)
    cuts = statistics.quantiles(milliseconds, n=100)
    print(f"\n{event}: p50 {cuts[49]:.2f} ms, p95 {cuts[94]:.2f} ms, p99 {cuts[98]:.2f} ms")  # noqa: T201


async def _arrival(frame: Frames, event: str) -> float:
    assert (await frame("realtime:room"))["event"] == event
    return time.perf_counter()
