"""How much sooner a warm session is ready than a cold one: in the client alone, and through a whole office.

In the client: from asking the pool to a shell that takes a prompt, before an office that answers at once. Through the
office: from the claim of a create_session to its result, by the database's clock; both kinds make the same calls.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.figures import Figure
from remote_client.adapters import available_adapters
from remote_client.commands import Command, Hold, lease_clock
from remote_client.journal import Journal
from remote_client.office_link import OfficeLink
from remote_client.office_records import OfficeTerms
from remote_client.policy import Policy, parse_policy
from remote_client.pool import Pool
from remote_client.pool_circuits import Circuits
from remote_client.pool_memory import Memory
from remote_client.pool_opening import Opening
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.recordings.recorder import Recorder
from remote_client.recordings.shelf import recordings_of
from remote_client.session_maker import SessionMaker
from remote_client.sessions import Session, SessionRequest
from remote_client.terminals import HookEvent
from remote_client.uplink import Uplink
from semo.folder import DataFolder
from semo.office_api import OfficeApi
from semo.stack import Stack, Wishes
from shared.ids import Attempt, ClientId, CommandId, Epoch, OfficeId
from shared.states import CommandType

ROUNDS = 30
OFFICE_ROUNDS = 15
READY_SECONDS = 10.0
OFFICE = OfficeId(uuid4())


async def pools() -> AsyncIterator[Figure]:
    """Yields `session_warm_ms`, and the same through an office."""
    yield await _in_the_client()
    yield await _through_an_office()


def _compared(name: str, warm: list[float], cold: list[float]) -> Figure:
    figure, peer = Figure(name, warm), Figure("cold", cold)
    figure.facts.update(
        unit="ms",
        cold_p50=round(peer.percentile(50), 2),
        cold_p95=round(peer.percentile(95), 2),
        ratio_cold_to_warm_p50=round(peer.percentile(50) / figure.percentile(50), 1),
    )
    return figure


# In the client alone -------------------------------------------------------------------------------------------------


class _ReadyOffice:
    """Answers every call at once."""

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        if function == "get_persona":
            shown = {"rendered": "You are BE.", "rendered_version": 1}
            return [{"role": "BE", "version": 1, "scope_patterns": [], **shown}]
        return None


async def _in_the_client() -> Figure:
    _progress(f"session_warm_ms: {ROUNDS} rounds")
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="semo-bench-"))
    warm, cold = list[float](), list[float]()
    try:
        async with _pool(folder) as pool:
            first = await pool.acquire(_request("idle"), _hold())  # starts the host of the terminals
            await _released(pool, first)
            for number in range(ROUNDS):
                took, session = await _ready(pool, SessionRequest(OFFICE, "BE"))
                warm.append(took)
                await _released(pool, session)
                took, session = await _ready(pool, _request(f"bench-{number}"))
                cold.append(took)
                await pool.end(session, "measured")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return _compared("session_warm_ms", warm, cold)


@asynccontextmanager
async def _pool(folder: Path) -> AsyncGenerator[Pool]:
    policy = await asyncio.to_thread(_policy, folder)
    terminals = HostTerminals(folder / "host")
    link = OfficeLink(_ReadyOffice(), ClientId(uuid4()))
    uplink = Uplink(link, 0.15, 262_144, 8_388_608)
    with Journal(folder / "journal.sqlite") as journal:
        recorder = Recorder(recordings_of(folder), policy, terminals)
        agents = available_adapters(policy)
        maker = SessionMaker(
            link, terminals, policy, folder / "agents", agents, uplink, journal, recorder, _died, _called
        )
        opening = Opening(maker, policy, Circuits(link))
        pool = Pool(maker, opening, Memory(policy), link, uplink, policy, lambda: None)
        pool.set_terms((OfficeTerms(OFFICE, "bench", 6, 600, (), ()),))
        try:
            yield pool
        finally:
            await pool.close("measured")
            await terminals.stop()


def _policy(folder: Path) -> Policy:
    repository = folder / "repository"
    author = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
    for arguments in (("init", "--quiet", str(repository)), (*author, "-C", str(repository), "commit", "--quiet",
                      "--allow-empty", "-m", "first")):  # fmt: skip
        subprocess.run(["git", *arguments], check=True)
    places = f'allowed_roots = ["{folder}"]\n[[repositories]]\npath = "{repository}"\n'
    return parse_policy(f'default_agent = "shell"\n{places}[agents.shell]\n', "the benchmark")


def _died(_session: Session, reason: str) -> None:
    _progress(f"a session died: {reason}")


def _called(session: Session, _event: HookEvent) -> None:
    _progress(f"session {session.session_id} calls its office")


def _request(task: str) -> SessionRequest:
    """One that an idle session cannot serve."""
    return SessionRequest(OFFICE, "BE", task=task)


def _hold() -> Hold:
    command = Command(CommandId(uuid4()), Attempt(1), OFFICE, None, CommandType.CREATE_SESSION, {})
    return Hold(command, Epoch(1), lease_clock() + 3600)


async def _ready(pool: Pool, request: SessionRequest) -> tuple[float, Session]:
    began = time.perf_counter()
    session = await pool.acquire(request, _hold())
    await session.driver.until_ready(READY_SECONDS)
    return (time.perf_counter() - began) * 1000, session


async def _released(pool: Pool, session: Session) -> None:
    pool.recycle(session)
    async with asyncio.timeout(READY_SECONDS):
        while not session.is_idle:
            pool.changed.clear()
            await pool.changed.wait()


# Through a whole office ----------------------------------------------------------------------------------------------


async def _through_an_office() -> Figure:
    _progress(f"session_warm_through_office_ms: {OFFICE_ROUNDS} rounds")
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="semo-bench-"))
    warm, cold = list[float](), list[float]()
    try:
        async with (
            Stack(Wishes(folder=DataFolder(folder), port=0), _progress) as stack,
            OfficeApi.of(stack.status) as api,
            await psycopg.AsyncConnection.connect(stack.status.db_url, autocommit=True) as database,
        ):
            for number in range(OFFICE_ROUNDS):
                await _until_idle(database)
                warm.append(await _made(api, database, {"role": "BE"}))
                cold.append(await _made(api, database, {"role": "BE", "task": f"bench-{number}"}))
        await stack.remove()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return _compared("session_warm_through_office_ms", warm, cold)


async def _made(api: OfficeApi, database: psycopg.AsyncConnection[Any], body: dict[str, Any]) -> float:
    """How long its making took from the claim to the result, in ms; the session goes again."""
    session = await api.post("/sessions", body)
    cursor = await database.execute(
        "select claimed_at, finished_at from agent_commands where id = %s", (session["acquired_by"],)
    )
    row: tuple[datetime, datetime] | None = await cursor.fetchone()
    assert row is not None  # noqa: S101 - it was just made
    await api.delete(f"/sessions/{session['session_id']}")
    return (row[1] - row[0]).total_seconds() * 1000


async def _until_idle(database: psycopg.AsyncConnection[Any]) -> None:
    """A warm session of the role waits in its pool."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            cursor = await database.execute(
                "select 1 from agent_sessions where role = 'BE' and status = 'ready' and acquired_by is null"
            )
            if await cursor.fetchone():
                return
            await asyncio.sleep(0.05)


def _progress(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
