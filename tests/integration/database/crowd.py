"""Words for tests with many connections at once: clients that commit what they do, and waiting until one is blocked."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from local_supabase.database import Database
from tests.integration.database.world import Caller, Client, World, connect


class Crowd:
    """A database of its own, in which each client speaks over its own connection and commits what it does."""

    def __init__(self, database: Database, connections: AsyncExitStack, world: World) -> None:
        self.database, self.connections, self.world = database, connections, world

    async def client(self, *offices: UUID, capacity: int = 100) -> Client:
        return await self.at_its_own_connection(await self.world.client(*offices, capacity=capacity))

    async def at_its_own_connection(self, client: Client) -> Client:
        connection = await self.connections.enter_async_context(connect(self.database))
        caller = Caller(connection, client.caller.role, client.caller.user)
        return Client(caller, client.id, client.agents, client.capacity, client.epoch, list(client.starts))

    async def service(self) -> Caller:
        return Caller(await self.connections.enter_async_context(connect(self.database)), "service_role")


async def statuses(world: World) -> Counter[str]:
    rows = await world.owner.ask("select status::text from agent_commands")
    return Counter(row["status"] for row in rows)


@asynccontextmanager
async def begun(client: Client) -> AsyncGenerator[None]:
    """What the client does inside is not committed before the end."""
    async with client.caller.connection.transaction():
        yield


async def blocked(world: World, client: Client) -> None:
    """Waits until the client's connection waits for a lock."""
    pid = client.caller.connection.info.backend_pid
    async with asyncio.timeout(30):
        # PostgreSQL tells nobody when somebody begins to wait.
        while not await world.owner.value("select cardinality(pg_blocking_pids(%s)) from pg_sleep(0.005)", pid):
            pass
