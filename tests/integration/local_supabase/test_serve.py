"""`python -m local_supabase`: one command serves a data folder, says when it is ready, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from supabase import AsyncClientOptions, acreate_client
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from local_supabase import keys
from local_supabase.bootstrap import bootstrap
from local_supabase.gateway import listen, running_gateway
from local_supabase.postgres import PostgresServer
from tests.support.embedded import REPOSITORY


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncGenerator[Path]:
    yield tmp_path / "data"
    await PostgresServer(tmp_path / "data").remove()


@pytest.fixture
def supabase(tmp_path: Path) -> Path:
    """A Supabase project with one small migration."""
    migrations = tmp_path / "supabase" / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "1_notes.sql").write_text("create table notes (id int primary key, body text);")
    return tmp_path / "supabase"


@asynccontextmanager
async def started(folder: Path, supabase: Path, *options: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local_supabase", "--data", str(folder), "--supabase", str(supabase), *options,
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Its one line."""
    assert process.stdout is not None
    return json.loads(await asyncio.wait_for(process.stdout.readline(), 60))


async def stopped(process: asyncio.subprocess.Process, *, by: signal.Signals = signal.SIGTERM) -> tuple[int, bytes]:
    """Its exit code, and everything that it wrote since."""
    process.send_signal(by)
    written, complaints = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, written + complaints


@asynccontextmanager
async def service_client(url: str, service_role_key: str) -> AsyncGenerator[Any]:  # its own types are incomplete
    async with httpx.AsyncClient() as http:
        yield await acreate_client(url, service_role_key, AsyncClientOptions(httpx_client=http))


async def test_a_folder_is_served_stopped_and_served_again_with_its_data(folder: Path, supabase: Path) -> None:
    async with started(folder, supabase) as process:
        url = (await said(process))["supabase_url"]
        secrets = keys.load(folder)
        async with service_client(url, secrets.service_role_key) as service:
            await service.table("notes").insert({"id": 1, "body": "kept"}).execute()
        code, output = await stopped(process)
    assert code == 0
    for secret in (secrets.jwt_secret, secrets.service_role_key, *secrets.database_passwords.values()):
        assert secret.encode() not in output
    async with started(folder, supabase, "--port", str(port_of(url))) as process:
        assert (await said(process)) == {"supabase_url": url}
        assert keys.load(folder).service_role_key == secrets.service_role_key
        async with service_client(url, secrets.service_role_key) as service:
            assert (await service.table("notes").select("body").execute()).data == [{"body": "kept"}]
        assert await stopped(process, by=signal.SIGINT) == (0, b"")


async def test_open_sockets_are_told_to_come_back_when_it_stops(folder: Path, supabase: Path) -> None:
    async with started(folder, supabase) as process:
        url = (await said(process))["supabase_url"]
        key = keys.load(folder).publishable_key
        async with connect(f"{url.replace('http', 'ws')}/realtime/v1/websocket?apikey={key}&vsn=1.0.0") as websocket:
            code, _ = await stopped(process)
            with pytest.raises(ConnectionClosed) as closed:
                await websocket.recv()
        assert code == 0
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


async def test_what_prevents_the_start_is_one_line_with_a_stable_code(folder: Path, supabase: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with started(folder, supabase, "--port", str(taken.getsockname()[1])) as process:
            line = await said(process)
            assert await process.wait() == 1
    assert line["error"] == "port_busy"
    assert line["do"] == "choose another, or 0 for a free one"
    (supabase / "migrations" / "2_bad.sql").write_text("select 1;\nselect nonsense;")
    async with started(folder, supabase) as process:
        line = await said(process)
        assert await process.wait() == 1
    assert line["error"] == "migration_failed"
    assert "2_bad.sql, line 2" in line["message"]


async def test_it_can_be_stopped_before_it_is_ready(folder: Path, supabase: Path) -> None:
    (supabase / "migrations" / "2_slow.sql").write_text("select pg_sleep(60);")
    async with started(folder, supabase) as process:
        async with asyncio.timeout(30):
            while not (folder / "postgres.log").exists():  # noqa: ASYNC110 - a file tells nobody when it comes
                await asyncio.sleep(0.02)
        code, _ = await stopped(process)
    assert code == 0


async def test_the_gateway_says_503_while_the_database_is_away_and_then_serves_again(folder: Path) -> None:
    async with PostgresServer(folder, durable=False) as postgres:
        await bootstrap(postgres.database())
        with closing(listen(0)) as listener:
            async with running_gateway(postgres.database(), postgres.keys, listener) as gateway:
                key = postgres.keys.service_role_key
                headers = {"apikey": key, "Authorization": f"Bearer {key}"}
                async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as client:
                    assert await missing_table(client) == 404
                    os.kill(postgres.pid, signal.SIGKILL)
                    async with asyncio.timeout(30):
                        while (status := await missing_table(client)) != 404:
                            assert status == 503


async def missing_table(client: httpx.AsyncClient) -> int:
    """Asks for what makes the gateway look into the database anew."""
    return (await client.get("/rest/v1/not_there")).status_code


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])
