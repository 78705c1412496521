"""Results are heard of over Realtime, found by polling without it, and waited for on any server."""

import asyncio
from contextlib import AsyncExitStack, closing
from uuid import UUID

import pytest

from local_supabase.gateway import listen, running_gateway
from local_supabase.ports import held_port
from office_server.backend import open_backend
from office_server.hints import Hints
from office_server.results import Results
from realtime_line.socket import Endpoint
from shared.ids import CommandId, OfficeId
from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller, running_server
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem
from tests.support.embedded import EmbeddedPostgres

pytestmark = pytest.mark.asyncio(loop_scope="session")
PROMPT = {"text": "make test", "role": "BE"}
NEVER = 3600.0


async def until_realtime_is_live(api: Api) -> None:
    async with asyncio.timeout(60):
        while (await api.http.get("/readyz")).json()["realtime"] != "live":
            await api.post("/prompts", PROMPT, wait=0.05)


async def test_a_result_is_heard_of_over_realtime(
    project: Project, office_id: str, new_token: TokenMaker, machine: Machine
):
    settings = project.settings(poll_seconds=NEVER)
    async with running_server(settings) as url, caller(url, office_id, await new_token()) as api:
        await until_realtime_is_live(api)
        async with asyncio.timeout(28):  # without the hint the wait ends only when it runs out
            answer = await api.post("/prompts", PROMPT, wait=30)
        assert answer.json()["success"] is True


async def test_a_hint_that_makes_no_sense_silences_nothing(
    project: Project, office_id: str, new_token: TokenMaker, machine: Machine
):
    settings = project.settings(poll_seconds=NEVER)
    async with running_server(settings) as url, caller(url, office_id, await new_token()) as api:
        await until_realtime_is_live(api)
        for payload in ("{}", '{"command_id": null}', '{"command_id": "x"}', '{"command_id": [1]}'):
            topic = f"office:{office_id}:events"
            await project.sql("select realtime.send(%s::jsonb, 'command', %s, true)", payload, topic)
        async with asyncio.timeout(28):  # the wait itself would find the result too, but only when it runs out
            answer = await api.post("/prompts", PROMPT, wait=30)
        assert answer.json()["success"] is True


async def test_without_realtime_results_are_found_by_polling(
    project: Project, office_id: str, new_token: TokenMaker, machine: Machine
):
    settings = project.settings(realtime=False, poll_seconds=0.1)
    async with running_server(settings) as url, caller(url, office_id, await new_token()) as api:
        answer = await api.post("/prompts", PROMPT, wait=30)
        assert answer.json()["success"] is True
        assert (await api.http.get("/readyz")).json()["realtime"] == "off"


async def test_two_servers_are_one(project: Project, office_id: str, new_token: TokenMaker, machine: Machine):
    token = await new_token()
    machine.paused = True
    async with (
        running_server(project.settings(poll_seconds=NEVER)) as first,
        running_server(project.settings(poll_seconds=NEVER)) as second,
        caller(first, office_id, token) as here,
        caller(second, office_id, token) as there,
    ):
        await asyncio.gather(until_realtime_is_live(here), until_realtime_is_live(there))
        asked = (await here.post("/prompts", PROMPT, key="both")).json()
        assert (await there.post("/prompts", PROMPT, key="both")).json() == asked
        waits = [asyncio.create_task(api.get(f"/commands/{asked['command_id']}", wait=30)) for api in (there, here)]
        machine.paused = False
        async with asyncio.timeout(28):
            assert [(await wait).json()["status"] for wait in waits] == ["completed", "completed"]


async def test_servers_render_a_persona_to_one_text(project: Project, office_id: str, new_token: TokenMaker):
    token = await new_token()
    async with (
        running_server(project.settings()) as first,
        running_server(project.settings()) as second,
        caller(first, office_id, token) as here,
        caller(second, office_id, token) as there,
    ):
        draft = {"name": "Services", "persona_prompt": "You build."}
        await asyncio.gather(*(api.put("/personas/QA", draft) for api in (here, there)), return_exceptions=True)
        persona = (await here.get("/personas/QA")).json()
        assert persona == (await there.get("/personas/QA")).json()
        assert persona["rendered_version"] == persona["version"]


async def test_nothing_is_kept_of_a_caller_who_went_away(project: Project, office_id: str):
    key = project.service_role_key
    [(command,)] = await project.sql(
        "insert into agent_commands (office_id, command_type, payload)"
        """ values (%s, 'send_prompt', '{"text":"x","role":"BE"}') returning id""",
        office_id,
    )
    async with open_backend(project.url, key) as backend:
        results = Results(
            backend, Hints(Endpoint(f"{project.url}/realtime/v1", key), backend.upkeep.echo_hint), poll_seconds=0.05
        )
        waits = [
            asyncio.create_task(results.wait(OfficeId(command), CommandId(command), 30)),  # no such office
            asyncio.create_task(results.wait(_office(office_id), CommandId(command), 30)),
            asyncio.create_task(results.wait(_office(office_id), CommandId(command), 0.2)),
        ]
        await asyncio.wait([waits[2]])
        assert results.waiting == 1
        waits[1].cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert results.waiting == 0


async def test_a_server_that_stops_lets_nobody_wait(project: Project, office_id: str):
    key = project.service_role_key
    [(command,)] = await project.sql(
        "insert into agent_commands (office_id, command_type, payload)"
        """ values (%s, 'send_prompt', '{"text":"x","role":"BE"}') returning id""",
        office_id,
    )
    async with open_backend(project.url, key) as backend:
        results = Results(
            backend, Hints(Endpoint(f"{project.url}/realtime/v1", key), backend.upkeep.echo_hint), poll_seconds=NEVER
        )
        wait = asyncio.create_task(results.wait(_office(office_id), CommandId(command), 30))
        await asyncio.wait([wait], timeout=0.2)
        assert results.waiting == 1
        results.close()
        assert not (await wait).is_final


async def test_after_supabase_was_away_everything_goes_on(
    embedded_postgres: EmbeddedPostgres, project: Project, office_id: str, new_token: TokenMaker
):
    token = await new_token()

    async def gateway(port: int) -> AsyncExitStack:
        until = AsyncExitStack()
        listener = until.enter_context(closing(listen(port)))
        await until.enter_async_context(running_gateway(project.database, embedded_postgres.keys, listener))
        return until

    with held_port(0) as port:
        settings = project.settings(supabase_url=f"http://127.0.0.1:{port}", poll_seconds=NEVER)
        async with running_server(settings) as url, caller(url, office_id, token) as api:
            assert_problem(await api.get("/sessions"), 503, "backend_down")
            not_ready = await api.http.get("/readyz")
            assert not_ready.status_code == 503
            assert "does not answer" in not_ready.json()["missing"][0]
            for _ in range(2):
                async with await gateway(port):
                    assert (await api.get("/sessions")).status_code == 200
                    await until_realtime_is_live(api)
                assert_problem(await api.get("/sessions"), 503, "backend_down")


def _office(text: str) -> OfficeId:
    return OfficeId(UUID(text))
