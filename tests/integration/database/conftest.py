"""Every test here runs on each PostgreSQL that we promise: the wheel's and the oldest that Supabase still runs.

`world` is a migrated database inside one transaction that is rolled back: milliseconds per test, and nobody else in it.
`database` is one of its own, for tests that need several connections at once.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from local_supabase.database import Database
from tests.integration.database.crowd import Crowd
from tests.integration.database.world import World, connect
from tests.support.embedded import EmbeddedPostgres, running_postgres

DEBIANS_POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="session", params=[None, DEBIANS_POSTGRES_15], ids=["postgres18", "postgres15"])
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    programs: Path | None = request.param
    if programs is not None and not (programs / "postgres").exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"there is no PostgreSQL 15 in {programs}, and in CI the schema must be tested on it")
        pytest.skip(f"there is no PostgreSQL 15 in {programs} (Debian: apt install postgresql-15)")
    with running_postgres(tmp_path_factory.mktemp("postgres"), str(programs) if programs else None) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    async with postgres.fresh_database() as database:
        yield database


@pytest.fixture
async def world(shared_database: Database) -> AsyncIterator[World]:
    async with (
        connect(shared_database) as connection,
        connection.transaction(force_rollback=True),
    ):
        yield World(connection)


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    async with postgres.fresh_database() as database:
        yield database


@pytest.fixture
async def crowd(database: Database) -> AsyncIterator[Crowd]:
    async with AsyncExitStack() as connections:
        yield Crowd(database, connections, World(await connections.enter_async_context(connect(database))))
