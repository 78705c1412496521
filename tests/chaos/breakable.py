"""A whole office whose every part can be broken: killed, stopped, cut off, slowed, or left without a disk.

The office is the one of `semo up`; a second machine, "laptop", reaches it over a network that can fail. What dies is
started again, as `semo up` does it.
"""

import asyncio
import os
import resource
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from local_supabase.cluster import read_record
from local_supabase.database import Database
from local_supabase.keys import load
from semo.folder import DataFolder
from semo.process import Part
from semo.stack import Stack, Wishes
from shared.ids import OfficeId
from tests.integration.remote_client.office import Machine, Office
from tests.support.gateway import Project
from tests.support.network import Network, network_to
from tests.support.processes import command_lines, descendants_of

LEASE_SECONDS = 5
ASLEEP_SECONDS = LEASE_SECONDS + 1.5
AWAY_SECONDS = 2.0
SLOW_SECONDS = 0.15
T = TypeVar("T")


async def insist(ask: Callable[[], Awaitable[T]], *errors: type[Exception]) -> T:
    """The answer of something that may be away for a while, which it says by one of these errors."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(errors), stop=stop_after_delay(60), wait=wait_fixed(0.05), reraise=True
    )

    async def once() -> T:
        return await ask()

    return await retrying(once)


@dataclass
class Breakable:
    stack: Stack
    office: Office
    laptop: Machine
    client: Part
    network: Network

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, repository: Path) -> "AsyncGenerator[Breakable]":
        (folder / "office").mkdir(mode=0o700)
        data = DataFolder(folder / "office")
        async with (
            Stack(Wishes(folder=data, port=0), lambda _: None) as stack,
            network_to(urlsplit(stack.status.supabase_url).port or 0) as network,
            httpx.AsyncClient(timeout=30) as http,
        ):
            keys = load(data.supabase)
            database = Database(read_record(data.supabase)["port"], keys.database_passwords)
            project = Project(f"http://127.0.0.1:{network.port}", keys, database, http)
            office = Office(project, OfficeId(UUID(stack.status.office_id)), "local")
            await office.sql("update offices set warm_roles = '{}', session_limit = 12 where id = %s", office.office_id)
            laptop = await office.enrol("laptop", folder / "laptop", repository, max_sessions=8)
            client = _client_of(laptop)
            await client.start()
            running = asyncio.gather(stack.keep_running(), client.keep_running(lambda _: None))
            try:
                yield cls(stack, office, laptop, client, network)
            finally:
                network.restore()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await client.stop()
                await project.close()
        await stack.remove()

    # Faults: each returns when it is over, with the moment at which it was ------------------------------------------

    async def kill_client(self) -> float:
        return await _kill(lambda: self.client.pid)

    async def kill_office_server(self) -> float:
        return await _kill(lambda: self.stack.part("office server").pid)

    async def kill_gateway(self) -> float:
        """Its PostgreSQL is told by the kernel, and goes along."""
        return await _kill(lambda: self.stack.part("embedded Supabase").pid)

    async def kill_postgres(self) -> float:
        gateway = self.stack.part("embedded Supabase").pid
        assert gateway is not None
        below = descendants_of(gateway)
        postgres = next((pid for pid, line in command_lines() if pid in below and "/postgres -D" in line), None)
        return await _kill(lambda: postgres)

    async def client_sleeps(self) -> float:
        """For longer than a lease."""
        pid = self.client.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(ASLEEP_SECONDS)
        os.kill(pid, signal.SIGCONT)
        return time.monotonic()

    async def disk_is_full(self) -> float:
        """The client can write no byte into any file, its log included."""
        pid = self.client.pid
        assert pid is not None
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
        await asyncio.sleep(AWAY_SECONDS)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        return time.monotonic()

    async def connections_are_cut(self) -> float:
        return await self._network_for_a_while(self.network.reset)

    async def packets_vanish(self) -> float:
        return await self._network_for_a_while(self.network.swallow)

    async def realtime_is_off(self) -> float:
        return await self._network_for_a_while(lambda: self.network.swallow(realtime_alone=True))

    async def network_is_slow(self) -> float:
        return await self._network_for_a_while(lambda: self.network.slow(SLOW_SECONDS))

    async def _network_for_a_while(self, fault: Callable[[], None]) -> float:
        fault()
        await asyncio.sleep(AWAY_SECONDS)
        self.network.restore()
        return time.monotonic()


FAULTS: dict[str, Callable[[Breakable], Awaitable[float]]] = {
    "client killed": Breakable.kill_client,
    "PostgreSQL killed": Breakable.kill_postgres,
    "gateway killed": Breakable.kill_gateway,
    "office server killed": Breakable.kill_office_server,
    "client asleep": Breakable.client_sleeps,
    "connections cut": Breakable.connections_are_cut,
    "packets vanish": Breakable.packets_vanish,
    "network slow": Breakable.network_is_slow,
    "Realtime off": Breakable.realtime_is_off,
    "disk full": Breakable.disk_is_full,
}


def _client_of(laptop: Machine) -> Part:
    settings = laptop.settings(
        lease_seconds=LEASE_SECONDS, poll_seconds=1.0, heartbeat_seconds=2.0, quiet_seconds=2.0,
        request_timeout_seconds=5.0,
    )  # fmt: skip
    environment = {f"SEMO_CLIENT_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    return Part("laptop", ["-m", "remote_client", "--ready-line"], environment, laptop.folder / "client.log")


async def _kill(find: Callable[[], int | None]) -> float:
    """What was killed a moment ago is killed again once it is back: it has no new number before."""

    async def once() -> float:
        pid = find()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return time.monotonic()

    return await insist(once, ProcessLookupError)
