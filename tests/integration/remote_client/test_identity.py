"""Who a machine is: its tokens stay fresh, and when it is shut out it is out everywhere, says so, and stops asking."""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect

from office_server.backend import open_backend
from remote_client.credentials import Credentials, load
from remote_client.supabase_calls import SupabaseCalls
from remote_client.tokens import Tokens
from shared.channels import commands_topic
from shared.errors import BackendDown, ClientRevoked
from shared.ids import OfficeId
from tests.integration.remote_client.office import WAIT_SECONDS, Machine, MakeMachine, Office
from tests.support.embedded import EmbeddedPostgres
from tests.support.gateway import Project, running_project
from tests.support.network import network_to

LIFE = 3
"""Seconds that a token of a machine lives here; a minute at home."""
LONG_ENOUGH = 8
"""For what has to happen while one token lives."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def project(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Project]:
    """One with the hook of config.toml, whose minute is shorter."""
    async with running_project(embedded_postgres, hook=True) as project:
        await tokens_live(Office(project, OfficeId(uuid4()), ""), LIFE)
        yield project


async def tokens_live(office: Office, seconds: int) -> None:
    """From now on, those of machines."""
    [made] = await office.sql("select pg_get_functiondef('client_access_token(jsonb)'::regprocedure) as text")
    changed, count = re.subn(r"constant integer := \d+", f"constant integer := {seconds}", made["text"])
    assert count == 1
    await office.sql(changed.replace("%", "%%"))


async def shut_out(machine: Machine) -> None:
    """As the office server does it when an admin asks."""
    project = machine.office.project
    async with open_backend(project.url, project.keys.service_role_key) as backend:
        await backend.clients.remove(machine.client_id, machine.office.office_id)


def credentials_of(machine: Machine, **changes: Any) -> Credentials:
    return load(machine.folder / "state").model_copy(update=changes)


@asynccontextmanager
async def signed_in(credentials: Credentials) -> AsyncGenerator[SupabaseCalls]:
    calls = await SupabaseCalls.connect(credentials, 5.0)
    try:
        yield calls
    finally:
        await calls.close()


def heard(tokens: Tokens) -> list[str]:
    """All new tokens from now on."""
    found: list[str] = []
    tokens.on_token(found.append)
    return found


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


async def test_a_token_is_renewed_before_it_ends_for_as_long_as_it_takes(machine: MakeMachine) -> None:
    laptop: Machine = await machine()
    async with signed_in(credentials_of(laptop)) as calls:
        tokens = heard(calls.tokens)
        fresh = asyncio.create_task(calls.tokens.keep_fresh())
        first = await calls.tokens.access_token()
        assert calls.tokens.life_seconds == LIFE
        await until(lambda: len(tokens) >= 3)
        fresh.cancel()
        assert first not in tokens[1:]
        sessions = await laptop.office.sql(
            "select count(*) as n from auth.sessions s join remote_clients c on c.user_id = s.user_id where c.id = %s",
            laptop.client_id,
        )
        assert sessions[0]["n"] == 1, "renewed, not signed in again"


async def test_all_who_need_a_token_at_once_get_the_same_one(machine: MakeMachine) -> None:
    async with signed_in(credentials_of(await machine())) as calls:
        assert len(set(await asyncio.gather(*(calls.tokens.access_token() for _ in range(10))))) == 1


async def test_a_refresh_token_that_somebody_else_has_used_is_replaced_by_signing_in(machine: MakeMachine) -> None:
    laptop: Machine = await machine()
    async with signed_in(credentials_of(laptop)) as calls:
        await calls.tokens.access_token()
        # Used twice, long ago: the whole session is over.
        await laptop.office.sql("update auth.refresh_tokens set revoked = true, updated_at = now() - interval '1 hour'")
        assert await calls.tokens.access_token(renew=True)


async def test_an_auth_server_that_is_away_is_waited_for(machine: MakeMachine, project: Project) -> None:
    port = urlsplit(project.url).port
    assert port is not None
    async with network_to(port) as network:
        there = credentials_of(await machine(), supabase_url=f"http://127.0.0.1:{network.port}")
        async with signed_in(there) as calls:
            tokens = heard(calls.tokens)
            fresh = asyncio.create_task(calls.tokens.keep_fresh())
            await calls.tokens.access_token()
            network.reset()
            with pytest.raises(BackendDown, match="does not answer"):
                await calls.tokens.access_token(renew=True)
            await asyncio.sleep(LIFE)  # the token ends meanwhile
            assert not fresh.done()
            network.restore()
            await until(lambda: len(tokens) >= 2)
            fresh.cancel()


async def join(socket: ClientConnection, office: Office, token: str) -> dict[str, Any]:
    """Joins the private channel of the office's commands, as somebody who does not use our client might."""
    topic = f"realtime:{commands_topic(office.office_id)}"
    payload = {"config": {"private": True}, "access_token": token}
    frame = {"topic": topic, "event": "phx_join", "payload": payload, "ref": "1", "join_ref": "1"}
    await socket.send(json.dumps(frame))
    return json.loads(await asyncio.wait_for(socket.recv(), WAIT_SECONDS))["payload"]


async def test_an_open_channel_of_a_machine_that_is_shut_out_is_closed_with_its_token(
    machine: MakeMachine, project: Project
) -> None:
    laptop: Machine = await machine()
    office = laptop.office
    await tokens_live(office, LONG_ENOUGH)
    http = httpx.AsyncClient()
    key = project.keys.publishable_key
    sign_in = f"{project.url}/auth/v1/token"
    known = credentials_of(laptop)
    said = await http.post(f"{sign_in}?grant_type=password", headers={"apikey": key},
                           json={"email": known.email, "password": known.password.get_secret_value()})  # fmt: skip
    token, refresh = said.json()["access_token"], said.json()["refresh_token"]
    address = f"{project.url.replace('http', 'ws', 1)}/realtime/v1/websocket?apikey={key}&vsn=1.0.0"
    async with connect(address) as held, connect(address) as later:
        assert (await join(held, office, token))["status"] == "ok"
        await shut_out(laptop)

        assert (await join(later, office, token))["status"] == "error", "no further channel, from this moment on"
        rows = await http.get(
            f"{project.url}/rest/v1/agent_commands", headers={"apikey": key, "Authorization": f"Bearer {token}"}
        )
        assert rows.json() == [], "no rows either"
        frames: list[dict[str, Any]] = []
        async with asyncio.timeout(LONG_ENOUGH + WAIT_SECONDS):
            while not frames or frames[-1]["event"] != "phx_close":
                frames.append(json.loads(await held.recv()))
        assert "Token has expired" in frames[-2]["payload"]["message"]

    renewed = await http.post(
        f"{sign_in}?grant_type=refresh_token", headers={"apikey": key}, json={"refresh_token": refresh}
    )
    assert renewed.status_code in (400, 403, 404), renewed.text
    await http.aclose()
    await tokens_live(office, LIFE)


async def test_a_revoked_machine_says_so_remembers_it_and_asks_no_more(machine: MakeMachine, tmp_path: Path) -> None:
    laptop: Machine = await machine()
    await laptop.start()
    await shut_out(laptop)
    with pytest.raises(ClientRevoked, match="revoked"):
        await laptop.ended()
    assert credentials_of(laptop).revoked_at is not None
    users = await laptop.office.sql("select user_id from remote_clients where id = %s", laptop.client_id)
    assert users == [{"user_id": None}], "its user is deleted"
    laptop.office.project.url = (
        laptop.office.project.url
    )  # nothing is asked of it: the next start does not get that far
    with pytest.raises(ClientRevoked, match="it learned so on"):
        await laptop.start()


@pytest.mark.parametrize(
    ("rule", "leaves"), [("interrupt", "interrupted"), ("terminate", None), ("finish", "finished")]
)
async def test_its_running_turn_ends_as_the_owner_s_policy_says(
    machine: MakeMachine, tmp_path: Path, rule: str, leaves: str | None
) -> None:
    laptop: Machine = await machine(on_revoked=rule)
    office, begun, left = laptop.office, tmp_path / "begun", tmp_path / "left"
    await laptop.start()
    script = f"trap 'echo interrupted > {left}; exit 1' INT; echo x > {begun}; sleep 4; echo finished > {left}"
    prompt = await office.ask("send_prompt", {"role": "BE", "text": f'bash -c "{script}"'})
    await until(begun.exists)
    await shut_out(laptop)
    assert (await office.command(prompt)).status == "lost", "at once, whatever goes on there"
    with pytest.raises(ClientRevoked):
        await laptop.ended()
    assert (left.read_text().strip() if left.exists() else None) == leaves


async def test_a_machine_serves_a_second_office_while_it_runs_and_goes_on_when_the_first_shuts_it_out(
    machine: MakeMachine, project: Project
) -> None:
    laptop: Machine = await machine()
    first = laptop.office
    await laptop.start()
    held = await first.session("BE")
    async with Office.founded(project) as second:
        await second.sql(
            "insert into client_offices (client_id, office_id) values (%s, %s)", laptop.client_id, second.office_id
        )
        done = {"role": "QA", "text": "echo '[SEMO:DONE]'"}
        assert (await second.do("send_prompt", done)).status == "completed"

        await shut_out(laptop)
        [session] = await first.sql("select status, end_reason from agent_sessions where id = %s", held)
        assert session == {"status": "terminated", "end_reason": "client_revoked"}
        assert (await second.do("send_prompt", done)).status == "completed", "it only left the first"
        assert credentials_of(laptop).revoked_at is None
        living = "select office_id from agent_sessions where client_id = %s and ended_at is null"
        assert {row["office_id"] for row in await second.sql(living, laptop.client_id)} == {second.office_id}
        await laptop.stop()
