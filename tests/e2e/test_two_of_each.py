"""Two machines in one office, and two office servers on one database: together they behave as one."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from semo.process import Part
from tests.support.running_office import RunningOffice, semo

pytestmark = pytest.mark.asyncio(loop_scope="session")

DONE = "echo '[SEMO:DONE]'"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def second_server(office: RunningOffice, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    env = {
        "SUPABASE_URL": office.status["supabase_url"],
        "SUPABASE_SERVICE_ROLE_KEY": office.status["service_role_key"],
        "SUPABASE_PUBLISHABLE_KEY": office.status["publishable_key"],
        "SEMO_OFFICE_PORT": "0",
    }
    log = tmp_path_factory.mktemp("second-server") / "office.log"
    part = Part("second office server", ["-m", "office_server", "--ready-line"], env, log)
    yield (await part.start())["office_url"]
    await part.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def second_client(office: RunningOffice, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Another machine that joins by a code, as the README says; its id."""
    home = tmp_path_factory.mktemp("second-client")
    async with office.api() as api:
        code = (await api.post("enrollments")).raise_for_status().json()["code"]
    joined = await semo(
        "client", "join", code, "--office-url", office.status["office_url"], "--name", "twin", "--state", str(home)
    )
    assert joined.exit_code == 0, joined.err
    policy = home / "policy.toml"
    policy.write_text(
        (office.data / "client" / "policy.toml").read_text().replace("repository-worktrees", "second-worktrees")
    )
    env = {
        "SEMO_CLIENT_STATE_DIR": str(home),
        "SEMO_CLIENT_POLICY_FILE": str(policy),
        "SEMO_CLIENT_SESSIONS_AT_STOP": "end",  # nobody would take them up again
    }
    part = Part("second client", ["-m", "remote_client", "--ready-line"], env, home / "client.log")
    await part.start()
    [client] = await office.rows("remote_clients", name="twin")
    yield client["id"]
    await part.stop()


async def test_with_two_clients_each_command_runs_once(office: RunningOffice, second_client: str, tmp_path: Path):
    ledger = tmp_path / "ledger"
    commands = [
        await office.insert("send_prompt", {"role": "BE", "text": f"echo ran-{number} >> {ledger}\n{DONE}"})
        for number in range(12)
    ]
    finals = [await office.final(command) for command in commands]
    assert [command["status"] for command in finals] == ["completed"] * 12, office.logs()
    assert sorted(ledger.read_text().split()) == sorted(f"ran-{number}" for number in range(12))
    assert second_client in {command["claimed_by"] for command in finals}


async def test_what_one_server_stored_the_other_waits_for(office: RunningOffice, second_server: str):
    async with office.api() as first, httpx.AsyncClient(headers=first.headers, timeout=60) as second:
        stored = (await first.post("prompts", json={"role": "BE", "text": DONE})).json()
        base = f"{second_server}/api/offices/{office.status['office_id']}"
        command = (await second.get(f"{base}/commands/{stored['command_id']}", params={"wait": 30})).json()
        assert command["status"] == "completed"


async def test_a_retry_with_its_idempotency_key_at_the_other_server_asks_once(
    office: RunningOffice, second_server: str
):
    headers = {"Idempotency-Key": "the-same-wish"}
    async with office.api() as first, httpx.AsyncClient(headers=first.headers, timeout=60) as second:
        body = {"role": "QA", "text": DONE}
        here = (await first.post("prompts", json=body, headers=headers)).json()["command_id"]
        base = f"{second_server}/api/offices/{office.status['office_id']}"
        there = (await second.post(f"{base}/prompts", json=body, headers=headers)).json()["command_id"]
    assert here == there
    assert (await office.final(here))["status"] == "completed"
