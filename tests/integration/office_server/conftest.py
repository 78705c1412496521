"""An office server before a real gateway and a real PostgreSQL, and a small stand-in for the machine that works.

All tests share one project and one server, on one event loop; each has an office of its own.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import uvicorn

from local_supabase.database import Database
from local_supabase.gateway import listen, running_gateway
from office_server.app import create_app
from office_server.backend import open_backend
from office_server.process import listen as serve_on
from office_server.settings import OfficeSettings
from office_server.tokens import mint
from semo.office_api import OfficeApi
from shared.ids import OfficeId
from shared.states import MemberRole
from shared.tls import tls_for
from tests.integration.office_server.machine import Machine
from tests.support.embedded import EmbeddedPostgres
from tests.support.statements import Statements


@dataclass
class Project:
    """A Supabase project of one test."""

    url: str
    service_role_key: str
    publishable_key: str
    database: Database
    statements: Statements

    def settings(self, **changes: Any) -> OfficeSettings:
        where = {"supabase_url": self.url, "service_role_key": self.service_role_key}
        how = {"publishable_key": self.publishable_key, "maintenance_seconds": 0.5, "enroll_per_minute": 1000}
        return OfficeSettings.model_validate(where | how | changes)

    async def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement that sees and may do everything."""
        return [tuple(row.values()) for row in await self.statements.run(statement, *values)]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def project(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Project]:
    keys = embedded_postgres.keys
    async with embedded_postgres.fresh_database() as database:
        with closing(listen(0)) as listener:
            async with running_gateway(database, keys, listener) as gateway:
                statements = Statements(database.dsn_for("supabase_admin"))
                yield Project(gateway.url, keys.service_role_key, keys.publishable_key, database, statements)
                await statements.close()


@asynccontextmanager
async def running_server(settings: OfficeSettings) -> AsyncGenerator[str]:
    """A real server on a port of its own; yields its URL."""
    with serve_on("127.0.0.1", 0) as listener:
        config = uvicorn.Config(create_app(settings), log_config=None, timeout_graceful_shutdown=2)
        server = _Server(config)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            await server.ready.wait()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def install_signal_handlers(self) -> None: ...


@dataclass
class Api:
    """The REST API of one office, as one caller sees it."""

    http: httpx.AsyncClient
    office: str

    def __post_init__(self) -> None:
        self.base = f"/api/offices/{self.office}"

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.get(self.base + path, params=params)

    async def post(self, path: str, body: Any = None, *, key: str | None = None, **params: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.http.post(self.base + path, json=body, params=params, headers=headers)

    async def put(self, path: str, body: Any) -> httpx.Response:
        return await self.http.put(self.base + path, json=body)

    async def patch(self, path: str, body: Any) -> httpx.Response:
        return await self.http.patch(self.base + path, json=body)

    async def delete(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.delete(self.base + path, params=params)


@pytest_asyncio.fixture(loop_scope="session")
async def office_id(project: Project) -> str:
    [(office,)] = await project.sql("insert into offices (name) values (%s) returning id", f"acme/{uuid4()}")
    return str(office)


TokenMaker = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture(loop_scope="session")
async def new_token(project: Project) -> AsyncIterator[TokenMaker]:
    """Makes a token: `await new_token(MemberRole.VIEWER)`, with `office=` for one office alone."""
    async with open_backend(project.url, project.service_role_key) as backend:

        async def make(
            role: MemberRole = MemberRole.ADMIN, office: str | None = None, expires_at: datetime | None = None
        ) -> str:
            only = OfficeId(UUID(office)) if office else None
            minted = await mint(
                backend, name=f"test-{role}", role=role, office=only, created_by="test", expires_at=expires_at
            )
            return minted.secret

        yield make


@asynccontextmanager
async def caller(url: str, office: str, token: str) -> AsyncGenerator[Api]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=40, verify=tls_for(url)) as http:
        yield Api(http, office)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def server(project: Project) -> AsyncIterator[str]:
    """The URL of an office server."""
    async with running_server(project.settings()) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def admin(server: str, office_id: str, new_token: TokenMaker) -> AsyncIterator[Api]:
    async with caller(server, office_id, await new_token()) as api:
        yield api


@pytest_asyncio.fixture(loop_scope="session")
async def machine(project: Project, office_id: str) -> AsyncIterator[Machine]:
    """A machine of the office that answers commands until the test ends."""
    async with Machine.working(project.database, office_id) as machine:
        yield machine


@pytest.fixture
def command_api(server: str, admin: Api) -> Callable[[], OfficeApi]:
    """The office as the command line of its admin speaks to it; each command closes its own."""
    token = admin.http.headers["Authorization"].removeprefix("Bearer ")
    return lambda: OfficeApi(server, token, admin.office)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What the command line has said since it was last asked, however its lines are broken."""
    return lambda: " ".join(capsys.readouterr().out.split())
