"""From enqueue to start with the job queues that Python has for PostgreSQL, on the very server that ours runs on.

They talk to the database directly; ours goes through REST and Realtime, to a client that may be anywhere, and writes
into its journal before it types.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import psycopg
from pgqueuer import PgQueuer, PsycopgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from procrastinate import App, PsycopgConnector

from benchmarks.figures import Figure

SETTLE_SECONDS = 60


async def procrastinate(db_url: str, rate: int, seconds: int) -> Figure:
    started: dict[int, float] = {}
    app = App(connector=PsycopgConnector(conninfo=db_url))

    @app.task(name="start")
    async def start(number: int) -> None:
        started[number] = time.time()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        worker = asyncio.create_task(app.run_worker_async(concurrency=10, install_signal_handlers=False))

        async def enqueue(number: int) -> None:
            await start.defer_async(number=number)

        try:
            return await _measured("procrastinate_ms", enqueue, started, rate, seconds)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


async def pgqueuer(db_url: str, rate: int, seconds: int) -> Figure:
    started: dict[int, float] = {}
    async with (
        await psycopg.AsyncConnection.connect(db_url, autocommit=True) as ours,
        await psycopg.AsyncConnection.connect(db_url, autocommit=True) as workers,
        PsycopgDriver(ours) as driver,
        PsycopgDriver(workers) as worker_driver,
    ):
        queries = Queries(driver)
        await queries.install()
        queue = PgQueuer(worker_driver)

        @queue.entrypoint("start")
        async def start(job: Job) -> None:
            started[int(job.payload or b"")] = time.time()

        working = asyncio.create_task(queue.run())

        async def enqueue(number: int) -> None:
            await queries.enqueue("start", str(number).encode())

        try:
            return await _measured("pgqueuer_ms", enqueue, started, rate, seconds)
        finally:
            queue.shutdown.set()
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(working, SETTLE_SECONDS)


async def _measured(
    name: str, enqueue: Callable[[int], Awaitable[None]], started: dict[int, float], rate: int, seconds: int
) -> Figure:
    """One every 1/rate seconds; from the return of the call that enqueued it to its start."""
    committed: dict[int, float] = {}
    await enqueue(-1)  # all is warm when the clock starts
    async with asyncio.timeout(SETTLE_SECONDS):
        while -1 not in started:  # noqa: ASYNC110  a dictionary has no event
            await asyncio.sleep(0.01)
    began = time.monotonic()
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        await enqueue(number)
        committed[number] = time.time()
    async with asyncio.timeout(SETTLE_SECONDS):
        while len(started) <= len(committed):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    samples = [max(0.0, started[number] - moment) * 1000 for number, moment in committed.items()]
    return Figure(name, samples, {"unit": "ms", "per_second": rate})
