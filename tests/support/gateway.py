"""A running gateway on a database of its own, and the official client to it.

async with running_project(embedded_postgres) as project:
    service = await project.service_role()
    await service.table("offices").select("*").execute()
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field

import httpx
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from local_supabase.auth.hooks import hook_of
from local_supabase.database import Database
from local_supabase.gateway import listen, running_gateway
from local_supabase.keys import Keys
from shared.tls import tls_for
from tests.support.embedded import SUPABASE, EmbeddedPostgres
from tests.support.statements import Statements


@dataclass
class Project:
    """One Supabase project. Every client made here is closed with it."""

    url: str
    keys: Keys
    database: Database
    http: httpx.AsyncClient
    """Shared by all: making one takes longer than a request."""
    statements: Statements = field(init=False)
    _clients: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self.statements = Statements(self.database.dsn_for("supabase_admin"))

    async def anon(self) -> AsyncClient:
        return await self.client(self.keys.publishable_key)

    async def service_role(self) -> AsyncClient:
        return await self.client(self.keys.service_role_key)

    async def signed_in(self, email: str, password: str) -> AsyncClient:
        """A client with the session of a user that exists."""
        client = await self.anon()
        await client.auth.sign_in_with_password({"email": email, "password": password})
        return client

    async def client(self, key: str, *, token: str | None = None) -> AsyncClient:
        """The official client with `key`, and the bearer `token` if it is another."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options = AsyncClientOptions(
            auto_refresh_token=False, persist_session=False, headers=headers, httpx_client=self.http
        )
        client = await acreate_client(self.url, key, options)
        self._clients.push_async_callback(_close, client)
        return client

    async def close(self) -> None:
        await self._clients.aclose()
        await self.statements.close()


@asynccontextmanager
async def running_project(
    server: EmbeddedPostgres, *, migrated: bool = True, token_seconds: int = 3600, port: int = 0, hook: bool = False
) -> AsyncGenerator[Project]:
    """A gateway in this event loop, on a fresh database of `server`. `hook`: tokens are made as config.toml says."""
    async with server.fresh_database(migrated=migrated) as database:
        with closing(listen(port)) as listener:
            async with (
                running_gateway(
                    database,
                    server.keys,
                    listener,
                    token_seconds=token_seconds,
                    access_token_hook=hook_of(SUPABASE) if hook else None,
                ) as gateway,
                httpx.AsyncClient(timeout=30, verify=tls_for(gateway.url)) as http,
            ):
                project = Project(gateway.url, server.keys, database, http)
                try:
                    yield project
                finally:
                    await project.close()


async def _close(client: AsyncClient) -> None:
    await client.remove_all_channels()
    await client.realtime.close()
