"""Checks what a join asks of the tables against the database, in the real server's words. Delivers nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import psycopg

from local_supabase.realtime.bindings import Binding, BindingRefused
from local_supabase.realtime.replication import PUBLICATIONS
from local_supabase.realtime.sessions import Connection
from local_supabase.realtime.tokens import Token


class Subscriber(Protocol):
    """What the feed of row changes needs to know of a channel."""

    @property
    def token(self) -> Token: ...
    @property
    def bindings(self) -> Sequence[Binding]: ...

    def subscribed(self) -> None: ...
    def refused(self, message: str) -> None: ...
    def changed(self, binding_ids: list[int], action: str, data_json: str) -> None: ...


@dataclass(frozen=True)
class Subscription:
    """What one subscriber was granted: its bindings, each with the tables that it covers, under one token."""

    token: Token
    tables: tuple[tuple[Binding, frozenset[int]], ...]

    def of(self, table_oid: int, action: str) -> list[Binding]:
        return [binding for binding, oids in self.tables if table_oid in oids and binding.wants(action)]


async def check(connection: Connection, token: Token, bindings: Sequence[Binding]) -> Subscription:
    """All or nothing: one bad binding spoils its join.

    Raises:
        BindingRefused: with the text for the subscriber.
    """
    granted: list[tuple[Binding, frozenset[int]]] = []
    for binding in bindings:
        tables = await _published(connection, binding)
        if not tables:
            raise BindingRefused(
                "Unable to subscribe to changes with given parameters. Please check Realtime is enabled "
                f"for the given connect parameters: {binding.describe()}"
            )
        for table in tables:
            await _check_one(connection, token, binding, table)
        granted.append((binding, frozenset(tables)))
    return Subscription(token, tuple(granted))


async def _published(connection: Connection, binding: Binding) -> list[int]:
    cursor = await connection.execute(
        "select format('%%I.%%I', schemaname, tablename)::regclass::oid::int8 from pg_publication_tables"
        " where pubname = %s and %s::text in ('*', schemaname) and %s::text in ('*', tablename)",
        (PUBLICATIONS[0], binding.schema, binding.table),
    )
    return [int(str(oid)) for (oid,) in await cursor.fetchall()]


async def _check_one(connection: Connection, token: Token, binding: Binding, table: int) -> None:
    filters = binding.filters
    try:
        await connection.execute(
            "select realtime.check_binding(%s::oid, %s, %s, %s, %s, %s)",
            (
                table,
                token.role,
                [each.column for each in filters],
                [each.operator for each in filters],
                [each.value for each in filters],
                list(binding.select or ()),
            ),
        )
    except psycopg.OperationalError:
        raise
    except psycopg.Error as failure:
        raise BindingRefused(
            "Unable to subscribe to changes with given parameters. An exception happened so please check your "
            f"connect parameters: {binding.describe()}. Exception: {_as_elixir_says(failure)}"
        ) from failure


def _as_elixir_says(failure: psycopg.Error) -> str:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(failure).__name__).lower()
    return f"ERROR {failure.sqlstate} ({name}) {failure.diag.message_primary}"
