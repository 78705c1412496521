"""The fixtures of the embedded Realtime's tests: a new database for each, and a gateway with Realtime alone."""

from collections.abc import AsyncGenerator

import pytest

from local_supabase.database import Database
from tests.integration.realtime.gateway import Gateway, running_gateway
from tests.support.embedded import EmbeddedPostgres


@pytest.fixture
async def database(embedded_postgres: EmbeddedPostgres) -> AsyncGenerator[Database]:
    """A Supabase project without any migration."""
    async with embedded_postgres.fresh_database(migrated=False) as database:
        yield database


@pytest.fixture
async def gateway(database: Database, embedded_postgres: EmbeddedPostgres) -> AsyncGenerator[Gateway]:
    async with running_gateway(database, embedded_postgres.keys) as gateway:
        yield gateway
