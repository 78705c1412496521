"""The migrations make the same database from nothing, on every PostgreSQL, with no more than Supabase's `postgres`."""

import re
from enum import StrEnum

import psycopg
import pytest

from local_supabase.database import Database
from local_supabase.migrate import migrate
from shared import states
from tests.integration.database.world import World
from tests.support.embedded import SUPABASE, EmbeddedPostgres


async def test_they_apply_from_nothing_as_postgres_who_is_no_superuser(postgres: EmbeddedPostgres) -> None:
    async with postgres.fresh_database(migrated=False) as database:
        applied = await migrate(database.dsn_for("postgres"), SUPABASE)
        assert applied == sorted(path.name for path in (SUPABASE / "migrations").glob("*.sql"))
        async with await psycopg.AsyncConnection.connect(database.dsn_for("postgres")) as connection:
            cursor = await connection.execute("select rolsuper from pg_roles where rolname = current_user")
            assert await cursor.fetchone() == (False,)


async def test_a_second_run_changes_nothing(database: Database) -> None:
    assert await migrate(database.dsn_for("postgres"), SUPABASE) == []


async def test_the_publication_carries_the_two_tables_of_the_second_path(world: World) -> None:
    tables = await world.owner.ask("select tablename from pg_publication_tables where pubname = 'supabase_realtime'")
    assert {table["tablename"] for table in tables} == {"agent_commands", "agent_command_results"}


async def test_the_seven_personas_are_there_for_every_office(world: World) -> None:
    personas = await world.owner.ask("select role from agent_personas where office_id is null")
    assert {persona["role"] for persona in personas} == {"PO", "PM", "Architect", "FE", "BE", "QA", "DevOps"}


def in_sql(enum: type[StrEnum]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", enum.__name__).lower()


ENUMS = [
    found for found in vars(states).values()
    if isinstance(found, type) and issubclass(found, StrEnum) and found is not StrEnum
]  # fmt: skip


@pytest.mark.parametrize("enum", ENUMS, ids=in_sql)
async def test_python_names_the_same_states_in_the_same_order(world: World, enum: type[StrEnum]) -> None:
    labels = await world.owner.value(f"select enum_range(null::{in_sql(enum)})::text[]")
    assert labels == [str(state) for state in enum]


async def test_every_sql_enum_has_its_python_twin(world: World) -> None:
    names = await world.owner.ask(
        "select typname from pg_type where typtype = 'e' and typnamespace = 'public'::regnamespace"
    )
    assert {name["typname"] for name in names} == {in_sql(enum) for enum in ENUMS}
