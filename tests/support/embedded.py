"""A real PostgreSQL for all tests of a worker, and fresh databases on it for each test.

    async def test_…(embedded_postgres):
        async with embedded_postgres.fresh_database() as database:          # bootstrap + our migrations
            await psycopg.AsyncConnection.connect(database.dsn_for("postgres"))

`embedded_postgres` is every test's, by tests/conftest.py. Imported anywhere else it would be another fixture, and start
another server.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from local_supabase.bootstrap import bootstrap
from local_supabase.database import Database
from local_supabase.keys import Keys, load
from local_supabase.migrate import migrate

REPOSITORY = Path(__file__).parents[2]
SUPABASE = REPOSITORY / "supabase"


class EmbeddedPostgres:
    """A running server. `keys` are those of its data folder."""

    def __init__(self, keys: Keys, port: int) -> None:
        self.keys = keys
        self.port = port
        self._templates: set[str] = set()
        self._standing: Database | None = None

    def database(self, name: str) -> Database:
        return Database(self.port, self.keys.database_passwords, name)

    @asynccontextmanager
    async def fresh_database(self, *, migrated: bool = True) -> AsyncGenerator[Database]:
        """A database of its own, dropped afterwards: a new Supabase project, with our tables if `migrated`."""
        template = await self._template(migrated)
        name = f"test_{uuid.uuid4().hex[:12]}"
        await self._make(name, template)
        try:
            yield self.database(name)
        finally:
            await self._administer(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    async def standing_database(self) -> Database:
        """One with our tables that is there as long as the server, for those who roll back all that they do."""
        if self._standing is None:
            self._standing = self.database("standing")
            await self._make("standing", await self._template(migrated=True))
        return self._standing

    async def _make(self, name: str, template: str) -> None:
        await self._administer(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)),
            # Settings of a database do not come along with its template.
            sql.SQL('alter database {} set search_path = "$user", public, extensions').format(sql.Identifier(name)),
            sql.SQL("alter database {} owner to postgres").format(sql.Identifier(name)),
        )

    async def _template(self, migrated: bool) -> str:
        name = "template_migrated" if migrated else "template_bare"
        if name not in self._templates:
            await self._administer(
                sql.SQL("drop database if exists {}").format(sql.Identifier(name)),
                sql.SQL("create database {}").format(sql.Identifier(name)),
            )
            await bootstrap(self.database(name))
            if migrated:
                await migrate(self.database(name).dsn_for("postgres"), SUPABASE)
            self._templates.add(name)
        return name

    async def _administer(self, *statements: sql.Composed) -> None:
        dsn = self.database("postgres").dsn_for("supabase_admin")
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            for statement in statements:
                await connection.execute(statement)


@pytest.fixture(scope="session")
def embedded_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The server of this worker. `SEMO_TEST_POSTGRES_BIN` names another PostgreSQL than the wheel's."""
    with running_postgres(tmp_path_factory.mktemp("postgres"), os.environ.get("SEMO_TEST_POSTGRES_BIN")) as postgres:
        yield postgres


@contextmanager
def running_postgres(folder: Path, programs: str | None = None) -> Generator[EmbeddedPostgres]:
    """A server that lives in `folder`; `programs` names the `bin` of another PostgreSQL than the wheel's."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.postgres_process", str(folder), *([programs] if programs else [])],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline()
        assert port, "the embedded PostgreSQL did not start; see its words above"
        yield EmbeddedPostgres(load(folder), int(port))
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()
