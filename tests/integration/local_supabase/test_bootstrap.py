"""A fresh database looks like a Supabase project's before its first migration."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from local_supabase.bootstrap import bootstrap
from local_supabase.database import Database
from local_supabase.errors import MigrationError
from local_supabase.migrate import migrate
from tests.support.embedded import EmbeddedPostgres


@pytest.fixture
async def database(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    async with embedded_postgres.fresh_database(migrated=False) as database:
        yield database


async def ask(database: Database, role: str, question: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(database.dsn_for(role)) as connection:
        cursor = await connection.execute(question.encode())
        while cursor.nextset():
            pass
        return await cursor.fetchall()


async def test_postgres_is_powerful_but_no_superuser(database: Database) -> None:
    question = (
        "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
        " from pg_roles where rolname = 'postgres'"
    )
    assert await ask(database, "postgres", question) == [(False, True, True, True, True)]


async def test_bootstrapping_twice_changes_nothing(database: Database) -> None:
    await bootstrap(database)
    await bootstrap(database)
    assert await ask(database, "postgres", "select count(*) from auth.users") == [(0,)]


async def test_a_table_that_a_migration_forgets_to_close_is_open_to_anon(database: Database, tmp_path: Path) -> None:
    write_migration(tmp_path, "1_open.sql", "create table notes (id int); create function f() returns int return 1;")
    await migrate(database.dsn_for("postgres"), tmp_path)
    question = "select has_table_privilege('anon', 'notes', 'insert'), has_function_privilege('anon', 'f()', 'execute')"
    assert await ask(database, "postgres", question) == [(True, True)]


async def test_what_a_migration_closed_stays_closed_after_the_next_start(database: Database, tmp_path: Path) -> None:
    write_migration(
        tmp_path,
        "1_closed.sql",
        "create table notes (id int); revoke all on notes from anon;"
        "alter default privileges in schema public revoke all on tables from anon;",
    )
    dsn = database.dsn_for("postgres")
    await migrate(dsn, tmp_path)
    await bootstrap(database)
    write_migration(tmp_path, "2_later.sql", "create table later (id int);")
    await migrate(dsn, tmp_path)
    question = "select has_table_privilege('anon', 'notes', 'select'), has_table_privilege('anon', 'later', 'select')"
    assert await ask(database, "postgres", question) == [(False, False)]


async def test_the_publication_is_there_and_postgres_may_add_its_tables(database: Database, tmp_path: Path) -> None:
    write_migration(
        tmp_path, "1_feed.sql", "create table notes (id int); alter publication supabase_realtime add table notes;"
    )
    await migrate(database.dsn_for("postgres"), tmp_path)
    question = "select tablename from pg_publication_tables where pubname = 'supabase_realtime'"
    assert await ask(database, "postgres", question) == [("notes",)]


async def test_authenticator_may_become_the_three_api_roles_and_nothing_else(database: Database) -> None:
    for role in ("anon", "authenticated", "service_role"):
        assert await ask(database, "authenticator", f"set role {role}; select current_user::text") == [(role,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await ask(database, "authenticator", "set role postgres")


async def test_the_auth_functions_read_the_claims_of_the_request(database: Database) -> None:
    claims = '{"sub":"6b1ff8a5-7f3e-4e58-8d4a-0e3f3c8f4d11","role":"authenticated","email":"a@b.c"}'
    question = (
        f"set request.jwt.claims = '{claims}'; set role anon;"
        "select auth.uid()::text, auth.role(), auth.email(), auth.jwt() ->> 'sub'"
    )
    subject = "6b1ff8a5-7f3e-4e58-8d4a-0e3f3c8f4d11"
    assert await ask(database, "authenticator", question) == [(subject, "authenticated", "a@b.c", subject)]


async def test_migrations_are_applied_once_in_order_and_recorded(database: Database, tmp_path: Path) -> None:
    write_migration(tmp_path, "20260101000002_rows.sql", "insert into notes values (1);")
    write_migration(tmp_path, "20260101000001_table.sql", "create table notes (id int);")
    (tmp_path / "seed.sql").write_text("insert into notes values (2);")
    dsn = database.dsn_for("postgres")
    assert await migrate(dsn, tmp_path) == ["20260101000001_table.sql", "20260101000002_rows.sql"]
    assert await migrate(dsn, tmp_path) == []
    assert await ask(database, "postgres", "select id from notes order by id") == [(1,), (2,)]
    question = "select version, name from supabase_migrations.schema_migrations order by version"
    assert await ask(database, "postgres", question) == [("20260101000001", "table"), ("20260101000002", "rows")]


async def test_a_failing_migration_names_file_and_line_and_leaves_nothing_behind(
    database: Database, tmp_path: Path
) -> None:
    write_migration(tmp_path, "1_good.sql", "create table good (id int);")
    write_migration(tmp_path, "2_bad.sql", "create table half (id int);\n\ninsert into nowhere values (1);\n")
    with pytest.raises(MigrationError, match=r"2_bad\.sql, line 3.*nowhere"):
        await migrate(database.dsn_for("postgres"), tmp_path)
    question = "select to_regclass('good') is not null, to_regclass('half') is not null"
    assert await ask(database, "postgres", question) == [(True, False)]


async def test_a_migration_that_changed_or_vanished_after_it_was_applied_is_refused(
    database: Database, tmp_path: Path
) -> None:
    write_migration(tmp_path, "1_table.sql", "create table notes (id int);")
    await migrate(database.dsn_for("postgres"), tmp_path)
    write_migration(tmp_path, "1_table.sql", "create table notes (id bigint);")
    with pytest.raises(MigrationError, match="has changed since it was applied"):
        await migrate(database.dsn_for("postgres"), tmp_path)
    (tmp_path / "migrations" / "1_table.sql").unlink()
    with pytest.raises(MigrationError, match="not among the files"):
        await migrate(database.dsn_for("postgres"), tmp_path)


def write_migration(folder: Path, name: str, text: str) -> None:
    (folder / "migrations").mkdir(exist_ok=True)
    (folder / "migrations" / name).write_text(text)
