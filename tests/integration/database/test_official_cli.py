"""The official CLI makes the same database of our migrations as our own migrator, and takes our config.toml whole."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from local_supabase.database import Database
from local_supabase.migrate import migrate
from tests.integration.database.world import connect
from tests.support.embedded import SUPABASE, EmbeddedPostgres
from tests.support.supabase_cli import supabase

WHAT_THERE_IS = {
    "functions": """
        select n.nspname, p.proname, pg_get_functiondef(p.oid) as text, p.proowner::regrole::text,
          (select array_agg(a::text order by a::text) from unnest(p.proacl) a) as rights
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'semo')""",
    "tables": """
        select n.nspname, c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity,
          c.relowner::regrole::text,
          (select array_agg(a::text order by a::text) from unnest(c.relacl) a) as rights
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'semo') and c.relkind in ('r', 'p', 'v', 'm', 'S', 'i')""",
    "columns": """
        select a.attrelid::regclass::text as of, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
          a.attidentity::text,
          pg_get_expr(d.adbin, d.adrelid) as standard,
          (select array_agg(x::text order by x::text) from unnest(a.attacl) x) as rights
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where n.nspname in ('public', 'semo') and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped""",
    "policies": """
        select schemaname, tablename, policyname, permissive, roles::text[], cmd, qual, with_check from pg_policies
        where schemaname in ('public', 'semo', 'realtime')""",
    "constraints": """
        select conrelid::regclass::text as of, conname, pg_get_constraintdef(c.oid) as text
        from pg_constraint c join pg_namespace n on n.oid = c.connamespace where n.nspname in ('public', 'semo')""",
    "indexes": "select schemaname, indexname, indexdef from pg_indexes where schemaname in ('public', 'semo')",
    "triggers": """
        select tgrelid::regclass::text as of, tgname, pg_get_triggerdef(oid) as text
        from pg_trigger where not tgisinternal""",
    "enums": "select enumtypid::regtype::text as of, enumlabel, enumsortorder from pg_enum",
    "schemas": """
        select nspname, (select array_agg(a::text order by a::text) from unnest(nspacl) a) as rights
        from pg_namespace where nspname in ('public', 'semo')""",
    "published": "select pubname, schemaname, tablename from pg_publication_tables",
    "versions": "select version, name from supabase_migrations.schema_migrations",
}


def of_ours(folder: Path) -> Path:
    """A copy of our project: the CLI leaves notes of its own beside what it reads."""
    shutil.copytree(SUPABASE, folder / "supabase")
    return folder


async def what_there_is(database: Database) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    async with connect(database) as connection:
        for kind, question in WHAT_THERE_IS.items():
            rows = await (await connection.execute(question.encode())).fetchall()
            found[kind] = sorted(rows, key=lambda row: [str(value) for value in row.values()])
    return found


async def test_it_makes_the_same_database_as_our_own_migrator(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async with (
        postgres.fresh_database(migrated=False) as pushed,
        postgres.fresh_database(migrated=False) as migrated,
    ):
        address = f"{pushed.dsn_for('postgres')}?sslmode=disable"
        ran = supabase(tmp_path / "home", "db", "push", "--remote", address, "--yes", folder=of_ours(tmp_path))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        await migrate(migrated.dsn_for("postgres"), SUPABASE)
        theirs, ours = await what_there_is(pushed), await what_there_is(migrated)
        assert len(ours["functions"]) > 50
        assert len(ours["policies"]) > 15
        for kind in WHAT_THERE_IS:
            assert theirs[kind] == ours[kind], kind
        assert await migrate(pushed.dsn_for("postgres"), SUPABASE) == [], "either goes on where the other was"


async def test_it_understands_all_of_our_config_and_would_say_what_it_does_not(tmp_path: Path) -> None:
    """It reads and checks the file before it looks for Docker, which it does not find here."""
    wrong = tmp_path / "wrong"
    (wrong / "supabase").mkdir(parents=True)
    (wrong / "supabase" / "config.toml").write_text('project_id = "x"\n[auth]\nsign_ups = false\n')
    ours, theirs = await asyncio.gather(
        asyncio.to_thread(supabase, tmp_path / "home", "start", folder=of_ours(tmp_path)),
        asyncio.to_thread(supabase, tmp_path / "another home", "start", folder=wrong),
    )
    said = ours.stdout + ours.stderr
    assert "docker" in said.lower(), said
    assert "does not recognize" not in said, said
    assert "config.toml" not in said, said
    assert "does not recognize" in theirs.stdout + theirs.stderr
