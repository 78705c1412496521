"""How many commands an office hands out and takes back in a second: claimed, begun, and their results acknowledged.

Over HTTP through the gateway, by 1, 10 and 50 clients that do nothing else; meanwhile stale writes are forged.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from benchmarks.figures import Figure
from benchmarks.outages import new_repository
from local_supabase.cluster import read_record
from local_supabase.database import Database
from local_supabase.keys import load as load_keys
from remote_client.commands import Command, Completion
from remote_client.credentials import load
from remote_client.office_link import OfficeLink
from remote_client.supabase_calls import SupabaseCalls
from semo.folder import DataFolder
from semo.stack import Stack, Wishes
from shared.errors import Conflict
from shared.ids import Attempt, Epoch, StartId
from tests.integration.remote_client.office import Office
from tests.support.gateway import Project

CROWDS = (1, 10, 50)
COMMANDS = 1000
CLAIM_LIMIT = 10
FORGE_ONE_IN = 20
FULL_SECONDS = 0.02
SHELL: dict[str, Any] = {"agents": {"shell": "1"}, "default_agent": "shell"}


async def delivery() -> AsyncIterator[Figure]:
    """Yields `delivered_by_N_clients_ms` (claim to acknowledgement) for each crowd, with commands a second."""
    with tempfile.TemporaryDirectory(prefix="semo-bench-") as name:
        folder = Path(name)
        new_repository(folder / "repo")
        (folder / "office").mkdir(mode=0o700)
        data = DataFolder(folder / "office")
        async with Stack(Wishes(folder=data, port=0), lambda _: None) as stack, httpx.AsyncClient(timeout=30) as http:
            await stack.part("client").stop()  # it would take its part
            keys = load_keys(data.supabase)
            database = Database(read_record(data.supabase)["port"], keys.database_passwords)
            port = urlsplit(stack.status.supabase_url).port
            project = Project(f"http://127.0.0.1:{port}", keys, database, http)
            for size in CROWDS:
                async with Office.founded(project) as office:
                    yield await _delivered(size, office, folder / f"crowd-{size}", folder / "repo")
            await project.close()
        await stack.remove()


async def _delivered(size: int, office: Office, folder: Path, repository: Path) -> Figure:
    folder.mkdir()
    await office.sql("update offices set session_limit = 100 where id = %s", office.office_id)
    async with AsyncExitStack() as open_calls:
        crowd = [await _Member.joined(office, folder / str(n), repository, open_calls) for n in range(size)]
        await office.sql(
            "insert into agent_commands (office_id, command_type, payload) select %s, 'send_prompt', "
            """'{"role": "BE", "text": "x"}' from generate_series(1, %s)""",
            office.office_id, COMMANDS,
        )  # fmt: skip
        sys.stderr.write(f"  {COMMANDS} commands for {size} clients\n")
        began = time.monotonic()
        await asyncio.gather(*(member.work(crowd) for member in crowd))
        seconds = time.monotonic() - began
        begun = Counter[UUID]()
        for member in crowd:
            begun.update(member.begun)
        [done] = await office.sql(
            "select count(*) as n from agent_commands where office_id = %s and status = 'completed'", office.office_id
        )
        await office.sql("delete from agent_commands where office_id = %s", office.office_id)
    if done["n"] != COMMANDS:
        raise RuntimeError(f"{done['n']} of {COMMANDS} were done")
    return Figure(
        f"delivered_by_{size}_clients_ms",
        [sample for member in crowd for sample in member.samples_ms],
        {
            "unit": "ms",
            "clients": size,
            "per_second": round(COMMANDS / seconds, 1),
            "double_starts": sum(times - 1 for times in begun.values()),
            "stale_writes": sum(member.forged for member in crowd),
            "stale_writes_accepted": sum(member.accepted for member in crowd),
        },
    )


class _Member:
    """A client without terminals."""

    def __init__(self, link: OfficeLink, stale: OfficeLink) -> None:
        self._link = link
        self._stale = stale
        self.begun: Counter[UUID] = Counter()
        self.samples_ms: list[float] = []
        self.forged = self.accepted = 0

    @classmethod
    async def joined(cls, office: Office, folder: Path, repository: Path, open_calls: AsyncExitStack) -> "_Member":
        machine = await office.enrol(folder.name, folder, repository)
        calls = await SupabaseCalls.connect(load(machine.settings().state), 30)
        open_calls.push_async_callback(calls.close)
        link, stale = (OfficeLink(calls, machine.client_id) for _ in range(2))
        start = StartId(UUID(int=0))
        registration = await link.register(SHELL, 100, "bench", [], [], start, [], machine_restarted=False)
        stale.epoch = Epoch(registration.epoch - 1)
        return cls(link, stale)

    async def work(self, crowd: "list[_Member]") -> None:
        """Until all is done. A claim that brings nothing met an office whose places were all taken."""
        while sum(len(member.samples_ms) for member in crowd) < COMMANDS:
            commands = await self._link.claim_commands(CLAIM_LIMIT, 30)
            if not commands:
                await asyncio.sleep(FULL_SECONDS)
            claimed_at = time.monotonic()
            self.begun.update(command.command_id for command in commands)
            await asyncio.gather(*(self._complete(command, claimed_at) for command in commands))

    async def _complete(self, command: Command, claimed_at: float) -> None:
        if command.command_id.int % FORGE_ONE_IN == 0:
            await self._forge(self._stale, command, command.attempt)
            await self._forge(self._link, command, Attempt(command.attempt + 1))
        await self._link.complete_command(command.command_id, command.attempt, Completion(True, {}), [])
        self.samples_ms.append((time.monotonic() - claimed_at) * 1000)

    async def _forge(self, link: OfficeLink, command: Command, attempt: Attempt) -> None:
        self.forged += 1
        try:
            await link.complete_command(command.command_id, attempt, Completion(True, {"forged": True}), [])
        except Conflict:
            return
        self.accepted += 1
