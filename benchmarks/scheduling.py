"""What it costs to schedule a job as plans grow, and how soon a job begins after the one before it has ended.

The first is of the database alone, with a machine that answers at once; the second of a whole office.
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
from local_supabase.database import Database
from semo.folder import DataFolder
from semo.office_api import OfficeApi
from semo.stack import Stack, Wishes
from tests.integration.database.planning import Office, job, plan
from tests.integration.database.world import World, connect
from tests.support.embedded import running_postgres

SIZES = (10, 1_000, 10_000)
AT_ONCE = 50
CHAIN = 60
PROMPT = "echo '[SEMO:DONE]'"


async def scheduling() -> AsyncIterator[Figure]:
    """Yields `schedule_job_ms` for each size, and `dependency_to_start_ms`."""
    folder = Path(tempfile.mkdtemp(prefix="semo-bench-"))
    try:
        with running_postgres(folder / "postgres") as postgres:
            for size in SIZES:
                async with postgres.fresh_database() as database:
                    yield await _cost(database, size)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    yield await _on_an_office()


async def _cost(database: Database, size: int) -> Figure:
    """A plan in which every job but the first ten waits for the tenth before it, run to its end."""
    _progress(f"schedule_job_ms: {size} jobs")
    async with connect(database) as connection:
        office = await Office.open(World(connection), running=AT_ONCE)
        jobs = [job(f"j{n}", *([f"j{n - 10}"] if n >= 10 else [])) for n in range(size)]
        began = time.perf_counter()
        made = await office.make(plan(*jobs, max_running=AT_ONCE))
        making = time.perf_counter() - began
        rounds: list[float] = []
        while await office.plan_status(made) == "running":
            began = time.perf_counter()
            answer = await office.schedule()
            took = time.perf_counter() - began
            if answer["started"]:
                rounds += [took * 1000 / answer["started"]] * int(answer["started"])
            await _answer_all(office)
        facts: dict[str, Any] = {
            "unit": "ms per job", "jobs": size, "making_ms_per_job": round(making * 1000 / size, 3),
            "jobs_per_second": round(1000 * len(rounds) / sum(rounds)),
        }  # fmt: skip
        return Figure(f"schedule_job_ms_{size}", rounds, facts)


async def _answer_all(office: Office) -> None:
    """Every prompt that was sent is done, as if a machine had said so: what machines cost is measured elsewhere."""
    await office.world.owner.ask(
        """with done as (
             update agent_commands set status = 'completed', claimed_by = %s, claimed_at = now(), finished_at = now()
             where office_id = %s and status = 'pending' returning id, office_id, attempt)
           insert into agent_command_results (command_id, attempt, office_id, success, result)
           select id, attempt, office_id, true, '{"outcome": "done"}' from done""",
        office.client.id, office.id,
    )  # fmt: skip


async def _on_an_office() -> Figure:
    folder = Path(tempfile.mkdtemp(prefix="semo-bench-"))
    try:
        async with (
            Stack(Wishes(folder=DataFolder(folder), port=0), _progress) as stack,
            OfficeApi.of(stack.status) as api,
        ):
            _progress(f"dependency_to_start_ms: a chain of {CHAIN} jobs")
            prompts = [
                {"name": f"j{n}", "prompt": PROMPT, "depends_on": [f"j{n - 1}"] if n else []} for n in range(CHAIN)
            ]
            made = await api.post("/plans", {"name": "chain", "defaults": {"role": "BE"}, "prompts": prompts})
            async with asyncio.timeout(300):
                while (await api.get(f"/plans/{made['id']}"))["finished_at"] is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
            async with await psycopg.AsyncConnection.connect(stack.status.db_url, autocommit=True) as database:
                cursor = await database.execute(
                    """select c.finished_at, e.created_at, p.typed_at from executions e join jobs j on j.id = e.job_id
                       join job_dependencies d on d.job_id = j.id join jobs b on b.id = d.depends_on_id
                       join executions be on be.id = b.execution_id join agent_commands c on c.id = be.command_id
                       join agent_commands p on p.id = e.command_id
                       where e.plan_id = %s order by j.seq""",
                    (made["id"],),
                )
                rows: list[tuple[datetime, datetime, datetime]] = await cursor.fetchall()
        await stack.remove()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    samples = [(began - ended).total_seconds() * 1000 for ended, began, _ in rows]
    typed = Figure("typed", [(typed - ended).total_seconds() * 1000 for ended, _, typed in rows])
    facts = {
        "unit": "ms",
        "to_typed_p50": round(typed.percentile(50), 1),
        "to_typed_p95": round(typed.percentile(95), 1),
    }
    return Figure("dependency_to_start_ms", samples, facts)


def _progress(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
