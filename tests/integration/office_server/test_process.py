"""The server as a process: how it says that it is ready, why it is not, and how it ends."""

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import httpx
import pytest

from tests.integration.office_server.conftest import Project, TokenMaker, caller

pytestmark = pytest.mark.asyncio(loop_scope="session")
REPOSITORY = Path(__file__).parents[3]


async def start(project: Project, **changes: str) -> Process:
    env = {
        "PATH": "/usr/bin:/bin",
        "SUPABASE_URL": project.url,
        "SUPABASE_SERVICE_ROLE_KEY": project.service_role_key,
        "SUPABASE_PUBLISHABLE_KEY": project.publishable_key,
        "SEMO_OFFICE_PORT": "0",
    } | changes
    arguments = ("-m", "office_server", "--ready-line")
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=REPOSITORY, env=env, stdout=PIPE, stderr=PIPE
    )


async def said(process: Process) -> dict[str, str]:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return json.loads(await process.stdout.readline())


async def ended(process: Process) -> tuple[int | None, str]:
    async with asyncio.timeout(30):
        _, stderr = await process.communicate()
    return process.returncode, stderr.decode()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_listens_and_stops_when_asked(project: Project, how: signal.Signals):
    process = await start(project)
    url = (await said(process))["office_url"]
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["missing"]) == (200, [])
    process.send_signal(how)
    code, log = await ended(process)
    assert code == 0, log
    assert "Traceback" not in log
    assert project.service_role_key not in log


async def test_whoever_waits_is_told_before_it_stops(project: Project, office_id: str, new_token: TokenMaker):
    process = await start(project)
    url = (await said(process))["office_url"]
    token = await new_token()
    async with caller(url, office_id, token) as api:
        asked = (await api.post("/prompts", {"text": "x", "role": "BE"})).json()["command_id"]
        waiting = asyncio.create_task(api.get(f"/commands/{asked}", wait=30))
        async with asyncio.timeout(30):
            while "semo_office_waiting 1.0" not in (await api.http.get("/metrics")).text:
                pass
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert (await waiting).json()["status"] == "pending"
    code, log = await ended(process)
    assert code == 0
    assert token not in log


async def test_a_busy_port_is_told_in_one_line(project: Project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await start(project, SEMO_OFFICE_PORT=str(port))
        line = await said(process)
        code, log = await ended(process)
    assert (line["error"], code) == ("port_busy", 3)
    assert log == f"127.0.0.1:{port} cannot be had: Address already in use · {line['do']}\n"


async def test_wrong_settings_are_told_by_their_names(project: Project):
    process = await start(project, SUPABASE_URL="nowhere", SEMO_OFFICE_POLL_SECONDS="0")
    line = await said(process)
    code, log = await ended(process)
    assert (line["error"], code) == ("wrong_settings", 2)
    assert "SUPABASE_URL" in line["message"]
    assert "poll_seconds" in line["message"].lower()
    assert len(log.splitlines()) == 1
