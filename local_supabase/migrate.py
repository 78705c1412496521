"""Applies `supabase/migrations/*.sql` in the order of their names, and remembers them as the official CLI does.

Runs as `postgres`, each file in its own transaction. It never edits or removes what was applied.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local_supabase.errors import MigrationError

_NAME = re.compile(r"(?P<version>\d+)_(?P<name>.*)\.sql")
_HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text primary key, statements text[], name text
);
create table if not exists supabase_migrations.seed_files (path text primary key, hash text not null);
"""


@dataclass(frozen=True)
class Migration:
    path: Path
    version: str
    name: str
    text: str


@dataclass(frozen=True)
class Seed:
    path: Path
    text: str


async def migrate(dsn: str, folder: Path) -> list[str]:
    """Brings the database behind `dsn` (role `postgres`) up to date with the Supabase project in `folder`.

    Args:
        dsn: the database; the role owns what the migrations make.
        folder: holds `migrations/` and perhaps `seed.sql`, which is applied once, after the first migrations.

    Returns:
        The file names applied now.

    Raises:
        MigrationError: a file failed (the database is as before that file), or one that was applied has since
            changed or gone.
    """
    migrations, seed = _read(folder / "migrations"), _read_seed(folder / "seed.sql")
    applied_now: list[str] = []
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("set client_min_messages = warning")
        await connection.execute("select pg_advisory_lock(hashtext('supabase_migrations'))")
        await connection.execute(_HISTORY)
        applied = await _applied(connection)
        _compare(migrations, applied)
        for migration in migrations:
            if migration.version not in applied:
                await _apply(connection, migration)
                applied_now.append(migration.path.name)
        if seed is not None:
            await _sow(connection, seed)
    return applied_now


def _read(folder: Path) -> list[Migration]:
    migrations: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        if (match := _NAME.fullmatch(path.name)) is None:
            raise MigrationError(
                f"{path.name} is not named like a migration", do="name it <timestamp>_<what it does>.sql"
            )
        migrations.append(Migration(path, match["version"], match["name"], path.read_text()))
    return migrations


def _read_seed(path: Path) -> Seed | None:
    return Seed(path, path.read_text()) if path.exists() else None


async def _applied(connection: psycopg.AsyncConnection) -> dict[str, tuple[str, str]]:
    """Version → name and text. The official CLI splits the text into statements; then it is not compared."""
    cursor = await connection.execute(
        "select version, coalesce(name, ''), case when cardinality(statements) = 1 then statements[1] else '' end"
        " from supabase_migrations.schema_migrations"
    )
    return {version: (name, text) for version, name, text in await cursor.fetchall()}


def _compare(migrations: list[Migration], applied: dict[str, tuple[str, str]]) -> None:
    on_disk = {migration.version: migration for migration in migrations}
    for version, (name, text) in sorted(applied.items()):
        if version not in on_disk:
            raise MigrationError(
                f"the database has migration {version}_{name}, which is not among the files",
                kept="nothing was changed",
                do="use the version of SEMO that made this database, or another data folder",
            )
        if text and _bare(text) != _bare(on_disk[version].text):
            raise MigrationError(
                f"{on_disk[version].path.name} has changed since it was applied",
                kept="nothing was changed",
                do="put the file back and write the change as a new migration",
            )


def _bare(text: str) -> str:
    """Without the comments in front and the semicolon behind, which the official CLI does not keep."""
    lines = text.strip().splitlines()
    while lines and (lines[0].startswith("--") or not lines[0].strip()):
        del lines[0]
    return "\n".join(lines).rstrip(" ;\n")


async def _apply(connection: psycopg.AsyncConnection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.text.encode())
            # A file may leave settings behind; what follows must not depend on them.
            await connection.execute("reset all")
            await connection.execute(
                "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
                (migration.version, [migration.text], migration.name),
            )
    except psycopg.Error as error:
        raise _failed(migration.path, migration.text, error) from error


async def _sow(connection: psycopg.AsyncConnection, seed: Seed) -> None:
    question = "select 1 from supabase_migrations.seed_files where path = %s"
    if await (await connection.execute(question, (seed.path.name,))).fetchone():
        return
    try:
        async with connection.transaction():
            await connection.execute(seed.text.encode())
            await connection.execute(
                "insert into supabase_migrations.seed_files values (%s, encode(sha256(%s), 'hex'))",
                (seed.path.name, seed.text.encode()),
            )
    except psycopg.Error as error:
        raise _failed(seed.path, seed.text, error) from error


def _failed(path: Path, text: str, error: psycopg.Error) -> MigrationError:
    position = error.diag.statement_position
    line = text.count("\n", 0, int(position) - 1) + 1 if position else None
    where = f"{path.name}, line {line}" if line else f"{path.name} ({error.diag.context or 'no line known'})"
    return MigrationError(
        f"{where}: {error.diag.message_primary or error}",
        kept="the database is as it was before this file",
        do="mend the file and start again",
    )
