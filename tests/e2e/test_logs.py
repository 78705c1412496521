"""What the client and the server show of themselves to a person who starts them at a terminal."""

from pathlib import Path

import pytest

from tests.support.git import new_repository
from tests.support.person import Person
from tests.support.running_office import RunningOffice, semo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def joined(office: RunningOffice, folder: Path) -> tuple[str, ...]:
    """The options of a client that has joined the office and may run the shell."""
    async with office.api() as api:
        code = (await api.post("enrollments", json={})).raise_for_status().json()["code"]
    state, policy = folder / "state", folder / "policy.toml"
    told = await semo(
        "client", "join", code, "--office-url", office.status["office_url"], "--name", "second", "--state", str(state)
    )
    assert told.exit_code == 0, told.err
    repository = new_repository(folder / "repository")
    policy.write_text(
        f'allowed_roots = ["{folder}"]\ndefault_agent = "shell"\n[agents.shell]\n'
        f'[[repositories]]\npath = "{repository}"\n'
    )
    return ("--state", str(state), "--policy", str(policy))


async def leave(office: RunningOffice) -> None:
    async with office.api() as api:
        clients = (await api.get("clients")).raise_for_status().json()["clients"]
        [second] = [client["id"] for client in clients if not client["revoked_at"] and client["name"] == "second"]
        (await api.delete(f"clients/{second}")).raise_for_status()


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_client_at_a_terminal_logs_lines_that_read_and_json_when_asked(
    office: RunningOffice, tmp_path: Path, as_json: bool
):
    options = await joined(office, tmp_path)
    password = (tmp_path / "state" / "credentials.json").read_text().partition('"password": "')[2].partition('"')[0]
    env = {"NO_COLOR": "1", "SEMO_CLIENT_SESSIONS_AT_STOP": "end"}
    try:
        async with Person.running("client", "start", *options, *(["--json"] if as_json else []), env=env) as person:
            await person.until_shown("] ready" if not as_json else '"event": "ready"')
            person.press("\x03")
            assert await person.exit_code() == 0
    finally:
        await leave(office)
    lines = person.shown.decode().splitlines()
    assert any(line.startswith("{") for line in lines) is as_json
    assert len(password) > 10
    assert password not in person.shown.decode()


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_server_at_a_terminal_logs_lines_that_read_and_json_when_asked(office: RunningOffice, as_json: bool):
    env = {
        "SUPABASE_URL": office.status["supabase_url"], "SUPABASE_SERVICE_ROLE_KEY": office.status["service_role_key"],
        "SUPABASE_PUBLISHABLE_KEY": office.status["publishable_key"], "SEMO_OFFICE_PORT": "0",
        "SEMO_OFFICE_LOG_LEVEL": "debug",
    }  # fmt: skip
    async with Person.running("server", "start", *(["--json"] if as_json else []), env=env, cols=200) as person:
        await person.until_shown("listens on http://127.0.0.1:")
        url = person.shown.decode().partition("listens on ")[2].split()[0]
        told = await semo("status", SEMO_OFFICE_URL=url, SEMO_OFFICE_ID=office.status["office_id"],
                          SEMO_API_TOKEN=office.status["api_token"])  # fmt: skip
        assert told.exit_code == 0, told.err
        await person.until_shown("/pool")
        person.press("\x03")
        assert await person.exit_code() == 0
    assert any(line.startswith("{") for line in person.shown.decode().splitlines()) is as_json
    assert office.status["service_role_key"] not in person.shown.decode()
