"""From the commit of an inserted prompt to the first byte typed, on a whole office; beside a bare LISTEN/NOTIFY, and
beside two job queues on the same server.

The inserter, the client and the database share one machine and so one clock. `typed_at` is when the client wrote the
first byte to the terminal.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.figures import Figure
from benchmarks.peers import pgqueuer, procrastinate
from semo.folder import DataFolder
from semo.office_api import OfficeApi
from semo.stack import Stack, Wishes

COMMANDS_PER_SECOND = 30
SECONDS = 20
SESSIONS = 6
POLL_SECONDS = 2.0
PROMPT = "echo '[SEMO:DONE]'"
SETTLE_SECONDS = 60


async def dispatch() -> AsyncIterator[Figure]:
    """Yields `dispatch_ms`, the same of the peers, and `dispatch_without_realtime_ms`."""
    with_peers = await _on_an_office("dispatch_ms", COMMANDS_PER_SECOND, SECONDS, {})
    for figure in with_peers:
        yield figure
    blocked = {"SEMO_CLIENT_REALTIME": "false", "SEMO_CLIENT_POLL_SECONDS": str(POLL_SECONDS)}
    for figure in await _on_an_office("dispatch_without_realtime_ms", COMMANDS_PER_SECOND, SECONDS, blocked):
        yield figure


async def _on_an_office(name: str, rate: int, seconds: int, client_env: dict[str, str]) -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="semo-bench-"))
    try:
        wishes = Wishes(folder=DataFolder(folder), port=0, client_env=client_env)
        async with Stack(wishes, _progress) as stack, OfficeApi.of(stack.status) as api:
            opened = [
                await api.post("/sessions", {"role": "BE", "task": f"bench-{place}"}) for place in range(SESSIONS)
            ]
            sessions = [str(session["session_id"]) for session in opened]
            _progress(f"{name}: {rate} commands a second for {seconds} s")
            async with await psycopg.AsyncConnection.connect(stack.status.db_url, autocommit=True) as database:
                committed = await _insert_steadily(database, stack.status.office_id, sessions, rate, seconds)
                typed = await _typed_times(database, committed)
                floor = await _notify_floor(stack.status.db_url) if not client_env else None
            peers = [await peer(stack.status.db_url, rate, seconds) for peer in (procrastinate, pgqueuer) if floor]
        await stack.remove()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    samples = [(typed[command] - committed[command]) * 1000 for command in committed]
    facts: dict[str, Any] = {"unit": "ms", "per_second": rate, "sessions": SESSIONS}
    figure = Figure(name, samples, facts)
    if floor is not None:
        facts["notify_floor_ms"] = round(floor.percentile(50), 2)
        facts["ratio_to_floor_p50"] = round(figure.percentile(50) / floor.percentile(50), 1)
    else:
        facts["poll_ms"] = POLL_SECONDS * 1000
        facts["p95_over_poll"] = round(figure.percentile(95) / (POLL_SECONDS * 1000), 2)
    for peer in peers:
        for percent in (50, 99):
            facts[f"ratio_to_{peer.name.removesuffix('_ms')}_p{percent}"] = round(
                figure.percentile(percent) / peer.percentile(percent), 2
            )
    return [figure, *peers]


async def _insert_steadily(
    database: psycopg.AsyncConnection[Any], office_id: str, sessions: list[str], rate: int, seconds: int
) -> dict[str, float]:
    """Inserts one prompt every 1/rate seconds, round the sessions; returns when each was committed (wall clock)."""
    committed: dict[str, float] = {}
    began = time.monotonic()
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        cursor = await database.execute(
            "insert into agent_commands (office_id, session_id, command_type, payload) "
            "values (%s, %s, 'send_prompt', jsonb_build_object('text', %s::text)) returning id",
            (office_id, sessions[number % len(sessions)], PROMPT),
        )
        moment = time.time()
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - `returning` returns
        committed[str(row[0])] = moment
    return committed


async def _typed_times(database: psycopg.AsyncConnection[Any], committed: dict[str, float]) -> dict[str, float]:
    """Waits until every command is final and returns when each was typed (wall clock)."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while True:
            cursor = await database.execute(
                "select id, status, typed_at from agent_commands where id = any(%s)", (list(committed),)
            )
            rows: list[tuple[Any, str, datetime | None]] = await cursor.fetchall()
            if all(status not in ("pending", "processing") for _, status, _ in rows):
                break
            await asyncio.sleep(0.2)
    wrong = [status for _, status, _ in rows if status != "completed"]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(rows)} prompts did not complete: {sorted(set(wrong))}")
    return {str(command): typed.timestamp() for command, _, typed in rows if typed is not None}


async def _notify_floor(db_url: str, count: int = 200) -> Figure:
    """What PostgreSQL itself needs to wake a listener: NOTIFY on one connection, seen on another of this process."""
    samples: list[float] = []
    async with (
        await psycopg.AsyncConnection.connect(db_url, autocommit=True) as listener,
        await psycopg.AsyncConnection.connect(db_url, autocommit=True) as sender,
    ):
        await listener.execute("listen semo_bench")
        for _ in range(count):
            await sender.execute("notify semo_bench")
            moment = time.monotonic()
            await anext(listener.notifies(timeout=5, stop_after=1))
            samples.append((time.monotonic() - moment) * 1000)
    return Figure("notify_floor_ms", samples)


def _progress(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
