"""A whole office, started as a person would: `semo up` in a process of its own, spoken to as a stranger would."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
from supabase import AsyncClientOptions, acreate_client

from local_supabase.cluster import remove_cluster
from shared.tls import tls_for
from tests.support.processes import command_lines, descendants_of

READY_SECONDS = 90.0
STOP_SECONDS = 60.0
SEMO = (sys.executable, "-m", "semo")
NO_TLS = tls_for("http://127.0.0.1")


@dataclass(frozen=True)
class Ran:
    """How a `semo` command ended."""

    exit_code: int
    out: str
    err: str

    @property
    def last_line(self) -> dict[str, Any]:
        """The JSON on the last line of its stdout."""
        found: dict[str, Any] = json.loads(self.out.strip().splitlines()[-1])
        return found


async def semo(*arguments: str, **env: str) -> Ran:
    """Runs one `semo` command to its end."""
    process = await asyncio.create_subprocess_exec(
        *SEMO, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**os.environ, **env},
    )  # fmt: skip
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ran(process.returncode or 0, out.decode(), err.decode())


@dataclass
class RunningOffice:
    """An office that runs; `status` is what `semo status --json` said."""

    data: Path
    process: asyncio.subprocess.Process
    status: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    async def open(
        cls, data: Path, *arguments: str, dashboard: bool = False, env: Mapping[str, str] | None = None
    ) -> "RunningOffice":
        log = data.parent / f"{data.name}.up.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *SEMO, "up", "--data", str(data), "--port", "0",
                "--dashboard" if dashboard else "--no-dashboard", *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file,
                env={**os.environ, **(env or {})},
            )  # fmt: skip
        office = cls(data, process)
        try:
            async with asyncio.timeout(READY_SECONDS):
                office.status = await office._until_ready(log)
        except BaseException as error:
            await office.close()
            raise AssertionError(f"semo up did not get ready:\n{log.read_text()}\n{office.logs()}") from error
        return office

    async def close(self) -> None:
        """Ctrl-C, and insists when that is not enough: a test must not leave an office or its database behind."""
        if self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        await asyncio.to_thread(remove_cluster, self.data / "supabase")

    def logs(self, lines: int = 30) -> str:
        """The ends of what its parts wrote, for the message of a failed test."""
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
            for log in sorted(self.data.glob("*.log"))
        )

    def api(self) -> httpx.AsyncClient:
        """Below /api/offices/{id}/ with the office's token."""
        return httpx.AsyncClient(
            base_url=f"{self.status['office_url']}/api/offices/{self.status['office_id']}/",
            headers={"Authorization": f"Bearer {self.status['api_token']}"},
            timeout=60,
            verify=NO_TLS,
        )

    @asynccontextmanager
    async def service(self) -> AsyncGenerator[Any]:
        """The official client (Any: its types have no end) with the service key, as the Supabase dashboard has it."""
        async with httpx.AsyncClient(timeout=30, verify=NO_TLS) as http:
            options = AsyncClientOptions(httpx_client=http)
            yield await acreate_client(self.status["supabase_url"], self.status["service_role_key"], options)

    async def rows(self, table: str, **equal: Any) -> list[dict[str, Any]]:
        """Rows of a table as the Supabase dashboard shows them, with the service key."""
        async with self.service() as service:
            query = service.table(table).select("*")
            for column, value in equal.items():
                query = query.eq(column, value)
            return cast("list[dict[str, Any]]", (await query.execute()).data)

    async def insert(self, command_type: str, payload: dict[str, Any], **columns: Any) -> str:
        """Inserts a row by hand as `service_role`, and returns its id."""
        row = {"office_id": self.status["office_id"], "command_type": command_type, "payload": payload, **columns}
        async with self.service() as service:
            answer = await service.table("agent_commands").insert(row).execute()
        [inserted] = cast("list[dict[str, Any]]", answer.data)
        return str(inserted["id"])

    async def output(self, session_id: str, turn: dict[str, Any]) -> str:
        """What the terminal showed in a turn that has ended."""
        text, offset = "", turn["output_start"]
        async with self.api() as api:
            while offset < turn["output_end"]:
                page = await api.get(f"sessions/{session_id}/output", params={"after": offset, "wait": 10})
                offset, text = page.raise_for_status().json()["next"], text + page.json()["output"]
        return text

    async def run(self, text: str, role: str = "BE") -> dict[str, Any]:
        """A prompt, to its end."""
        return await self.final(await self.insert("send_prompt", {"role": role, "text": text}))

    async def final(self, command_id: str) -> dict[str, Any]:
        """The command once it is final, with its result, as the API tells it."""
        async with self.api() as api:
            while True:
                command = (await api.get(f"commands/{command_id}", params={"wait": 20})).raise_for_status().json()
                if command["status"] not in ("pending", "processing"):
                    return command

    def command_lines(self) -> list[str]:
        """Of every process that this office runs."""
        mine = descendants_of(self.process.pid) | {self.process.pid}
        return [line for pid, line in command_lines() if pid in mine]

    def pid_of(self, module: str) -> int:
        """The process that runs `python -m module` for this office."""
        mine = descendants_of(self.process.pid)
        return next(pid for pid, line in command_lines() if pid in mine and f"-m {module} " in f"{line} ")

    async def _until_ready(self, log: Path) -> dict[str, Any]:
        while b"the office is open" not in log.read_bytes():
            if self.process.returncode is not None:
                raise RuntimeError(f"it ended with exit code {self.process.returncode}")
            await asyncio.sleep(0.05)
        said = await semo("status", "--data", str(self.data), "--json")
        assert said.exit_code == 0, said.err
        return said.last_line
