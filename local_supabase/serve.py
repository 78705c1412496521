"""Serves one data folder as a Supabase project until told to stop: PostgreSQL, migrations, gateway, in that order."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from local_supabase.auth.hooks import hook_of
from local_supabase.bootstrap import bootstrap
from local_supabase.gateway import listen, running_gateway
from local_supabase.migrate import migrate
from local_supabase.postgres import PostgresServer


async def serve(
    data: Path,
    port: int,
    supabase_folder: Path,
    *,
    ready: Callable[[str], Awaitable[None]],
    stop: asyncio.Event,
    programs: Path | None = None,
) -> None:
    """Returns after `stop` was set and all of it has ended.

    Args:
        data: the data folder, kept between runs; its secrets are read with `keys.load(data)`.
        port: of the gateway on 127.0.0.1; 0 takes a free one.
        supabase_folder: holds `migrations/` and perhaps `seed.sql`.
        ready: called with the project's URL once everything answers.

    Raises:
        EmbeddedError: it could not start, or could not go on.
    """
    listener = listen(port)
    with contextlib.closing(listener):
        running = asyncio.create_task(_run(data, listener, supabase_folder, ready, programs))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            running.cancel()
            await asyncio.wait((running, stopping))
        if not running.cancelled():
            running.result()


async def _run(
    data: Path,
    listener: socket.socket,
    supabase_folder: Path,
    ready: Callable[[str], Awaitable[None]],
    programs: Path | None,
) -> None:
    """Runs until it is cancelled, or the database is lost for good."""
    async with PostgresServer(data, programs=programs) as postgres:
        database = postgres.database()
        await bootstrap(database)
        await migrate(database.dsn_for("postgres"), supabase_folder)
        hook = hook_of(supabase_folder)
        async with running_gateway(database, postgres.keys, listener, access_token_hook=hook) as gateway:
            await ready(gateway.url)
            await _first_failure(postgres.failed(), gateway.failed())


async def _first_failure(*failures: Awaitable[None]) -> None:
    """Waits until one of them raises, and raises the same."""
    waiting = [asyncio.ensure_future(failure) for failure in failures]
    try:
        await next(asyncio.as_completed(waiting))
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
