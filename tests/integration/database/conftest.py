"""Every test here runs on each PostgreSQL that we promise: the wheel's and the oldest that Supabase still runs.

`world` is a migrated database inside one transaction that is rolled back: milliseconds per test, and nobody else in it.
All of them go over one connection, which knows the tables and functions already. `database` is one of its own, for
tests that need several connections at once.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_asyncio import is_async_test

from local_supabase.database import Database
from tests.integration.database.crowd import Crowd
from tests.integration.database.world import Connection, World, connect
from tests.support.embedded import EmbeddedPostgres, running_postgres

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for the connection and all that use it."""
    for item in items:
        if item.path.parent == Path(__file__).parent and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def debians_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    if not (POSTGRES_15 / "postgres").exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"there is no PostgreSQL 15 in {POSTGRES_15}, and in CI the schema must be tested on it")
        pytest.skip(f"there is no PostgreSQL 15 in {POSTGRES_15} (Debian: apt install postgresql-15)")
    with running_postgres(tmp_path_factory.mktemp("postgres"), str(POSTGRES_15)) as server:
        yield server


@pytest.fixture(scope="session", params=["embedded_postgres", "debians_postgres"], ids=["postgres18", "postgres15"])
def postgres(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    """Names a server and does not own it: pytest ends what has parameters when they change, twice in every file."""
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    return server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_database(postgres: EmbeddedPostgres) -> Database:
    return await postgres.standing_database()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_connection(shared_database: Database) -> AsyncIterator[Connection]:
    async with connect(shared_database) as connection:
        yield connection


@pytest_asyncio.fixture(loop_scope="session")
async def world(shared_connection: Connection) -> AsyncIterator[World]:
    async with shared_connection.transaction(force_rollback=True):
        yield World(shared_connection)


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    async with postgres.fresh_database() as database:
        yield database


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(database: Database) -> AsyncIterator[Crowd]:
    async with AsyncExitStack() as connections:
        yield Crowd(database, connections, World(await connections.enter_async_context(connect(database))))
