"""The office goes away and comes back: nothing is lost, nothing is done twice, and the state that is told is true."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx
import pytest_asyncio

from local_supabase.gateway import listen, running_gateway
from local_supabase.ports import held_port
from tests.integration.remote_client.office import Office, written
from tests.support.embedded import EmbeddedPostgres
from tests.support.gateway import Project, running_project

DONE = "echo '[SEMO:DONE]'"


class Gateway:
    """A gateway in front of an office's database that can be taken away."""

    def __init__(self, project: Project, port: int) -> None:
        self.project = project
        self.port = port
        self._stop: Callable[[], Awaitable[object]] | None = None

    async def up(self) -> None:
        stack = AsyncExitStack()
        listener = stack.enter_context(closing(listen(self.port)))
        running = await stack.enter_async_context(running_gateway(self.project.database, self.project.keys, listener))
        self.port, self.project.url = listener.getsockname()[1], running.url
        self._stop = stack.aclose

    async def down(self) -> None:
        if self._stop is not None:
            await self._stop()
            self._stop = None


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Gateway]:
    async with embedded_postgres.fresh_database() as database, httpx.AsyncClient() as http:
        with held_port(0) as port:  # nobody else's while the gateway is away
            gateway = Gateway(Project("", embedded_postgres.keys, database, http), port)
            await gateway.up()
            try:
                yield gateway
            finally:
                await gateway.project.close()
                await gateway.down()


async def test_a_result_waits_for_the_office_to_come_back(gateway: Gateway, repository: Path, tmp_path: Path) -> None:
    async with Office.founded(gateway.project) as office:
        laptop = await office.enrol("laptop", tmp_path / "laptop", repository)
        try:
            await laptop.start(lease_seconds=30)
            session_id = await office.session()
            go, ran = tmp_path / "go", tmp_path / "ran"
            script = f"until [ -e {go} ]; do sleep 0.05; done; echo ran >> {ran}\n{DONE}"
            asked = await office.ask("send_prompt", {"text": script}, session_id=session_id)
            await office.until_true("select 1 from agent_sessions where id = %s and status = 'executing'", session_id)

            await gateway.down()
            go.touch()
            await written(ran)
            while_away = await office.ask(
                "send_prompt", {"text": f"echo again >> {ran}\n{DONE}"}, session_id=session_id
            )
            assert (await office.command(asked)).status == "processing"
            await gateway.up()

            assert (await office.until(asked)).status == "completed"
            assert (await office.until(while_away)).status == "completed"
            assert ran.read_text() == "ran\nagain\n"
            output = await office.until_true(
                "select sum(end_offset - start_offset) as size, max(end_offset) as furthest "
                "from session_output where session_id = %s "
                "having max(end_offset) >= (select max(output_end) from session_turns where session_id = %s)",
                session_id, session_id,
            )  # fmt: skip
            assert output[0]["size"] == output[0]["furthest"], "no byte of output is missing"
        finally:
            await laptop.stop()


async def test_hints_come_again_after_the_gateway_was_away(gateway: Gateway, repository: Path, tmp_path: Path) -> None:
    async with Office.founded(gateway.project) as office:
        laptop = await office.enrol("laptop", tmp_path / "laptop", repository)
        try:
            await laptop.start(poll_seconds=3600)
            assert (await office.do("send_prompt", {"role": "BE", "text": DONE})).status == "completed"

            await gateway.down()
            await gateway.up()

            first = await office.do("send_prompt", {"role": "BE", "text": DONE})
            second = await office.do("send_prompt", {"role": "BE", "text": DONE})
            assert [first.status, second.status] == ["completed", "completed"]
        finally:
            await laptop.stop()


async def test_a_client_whose_tokens_expire_all_the_time_works_on(
    embedded_postgres: EmbeddedPostgres, repository: Path, tmp_path: Path
) -> None:
    async with running_project(embedded_postgres, token_seconds=1) as project, Office.founded(project) as office:
        laptop = await office.enrol("laptop", tmp_path / "laptop", repository)
        try:
            await laptop.start()
            session_id = await office.session()
            for _ in range(4):
                turn = await office.do("send_prompt", {"text": f"sleep 0.7\n{DONE}"}, session_id=session_id)
                assert turn.status == "completed", turn
        finally:
            await laptop.stop()
