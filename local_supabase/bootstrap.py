"""Makes a database what a Supabase project's database is before its first migration.

The roles and schemas stand in bootstrap.sql and realtime/schema.sql; here they are applied, with passwords.
"""

from pathlib import Path

import psycopg
from psycopg import sql

from local_supabase.database import Database
from local_supabase.postgres import SUPERUSER

_HERE = Path(__file__).parent
_SCRIPTS = (_HERE / "bootstrap.sql", _HERE / "realtime" / "schema.sql")


async def bootstrap(database: Database) -> None:
    """Applies roles, schemas and passwords to `database`, which exists. Doing it again changes nothing."""
    async with await psycopg.AsyncConnection.connect(database.dsn_for(SUPERUSER)) as connection:
        await connection.execute("set client_min_messages = warning")
        for script in _SCRIPTS:
            await connection.execute(script.read_bytes())
        for role, password in database.passwords.items():
            # Encrypted here, so that the server never sees (or logs) the password itself.
            verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
            await connection.execute(
                sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
            )
