"""Asks the policies on `realtime.messages` who may read from and write to a private channel. Caches nothing."""

import uuid

import psycopg

from local_supabase.realtime.sessions import Connection, Sessions, become
from local_supabase.realtime.tokens import Token

_OWNER = "supabase_realtime_admin"
NUL = "\x00"
"""No text of the database may hold it."""


async def may_read(sessions: Sessions, token: Token, subtopic: str) -> bool:
    """Whether the user would see a message of this topic. Raises DatabaseUnreachable."""
    if NUL in subtopic:
        return False
    message_id = uuid.uuid4()
    async with sessions.connection() as connection, connection.transaction(force_rollback=True):
        await become(connection, _OWNER, "{}", subtopic)
        await connection.execute(
            "insert into realtime.messages (id, topic, extension, private) values (%s, %s, 'broadcast', true)",
            (message_id, subtopic),
        )
        return await _allowed(
            connection, token, subtopic, "select 1 from realtime.messages where id = %s", (message_id,)
        )


async def may_write(sessions: Sessions, token: Token, subtopic: str) -> bool:
    """Whether the user could store a message of this topic. Raises DatabaseUnreachable."""
    if NUL in subtopic:
        return False
    async with sessions.connection() as connection, connection.transaction(force_rollback=True):
        return await _allowed(
            connection,
            token,
            subtopic,
            "insert into realtime.messages (topic, extension, private) values (%s, 'broadcast', true)",
            (subtopic,),
        )


async def _allowed(
    connection: Connection, token: Token, subtopic: str, statement: str, parameters: tuple[object, ...]
) -> bool:
    """A statement that is refused, for whatever reason of the user's, is a no."""
    try:
        await become(connection, token.role, token.claims_json, subtopic)
        cursor = await connection.execute(statement.encode(), parameters)
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False
    return cursor.rowcount == 1
