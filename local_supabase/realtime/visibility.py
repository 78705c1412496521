"""Decides which rows a subscriber may and wants to see: filters and row level security, by PostgreSQL itself."""

from collections.abc import Collection
from typing import LiteralString

import psycopg
from psycopg import sql

from local_supabase.realtime.bindings import OPERATORS, Filter
from local_supabase.realtime.pgoutput import Values
from local_supabase.realtime.sessions import Connection, become
from local_supabase.realtime.tables import Column, Table, literal, sql_type
from local_supabase.realtime.tokens import Token


class PolicyFailed(Exception):
    """A policy raised an error on this user's claims."""


async def passed(connection: Connection, table: Table, filters: Collection[Filter], values: Values) -> set[Filter]:
    """Those of `filters` that the row passes. One on a column that the row does not show never passes."""
    columns = {column.name: column for column in table.columns if column.name in values}
    answerable = [each for each in filters if each.column in columns]
    if not answerable:
        return set()
    parameters: list[str | None] = []
    conditions: list[sql.Composable] = []
    for each in answerable:
        conditions.append(_condition(columns[each.column], each))
        parameters.append(values[each.column])
        if each.operator != "is":
            parameters.append(each.value)
    cursor = await connection.execute(sql.SQL("select {}").format(sql.SQL(", ").join(conditions)), parameters)
    row = await cursor.fetchone() or ()
    return {each for each, passes in zip(answerable, row, strict=True) if passes}


async def may_see(connection: Connection, table: Table, token: Token, values: Values) -> bool:
    """Whether the row, found by its primary key, is there for the user.

    Raises:
        PolicyFailed: a policy could not be evaluated.
    """
    statement = sql.SQL("select 1 from {} where {}").format(
        sql.Identifier(table.schema, table.name),
        sql.SQL(" and ").join(sql.SQL("{} = {}").format(sql.Identifier(key.name), literal(key)) for key in table.keys),
    )
    try:
        async with connection.transaction(force_rollback=True):
            await become(connection, token.role, token.claims_json)
            cursor = await connection.execute(statement, [values[key.name] for key in table.keys])
            return await cursor.fetchone() is not None
    except psycopg.OperationalError:
        raise
    except psycopg.Error as failure:
        raise PolicyFailed from failure


def _condition(column: Column, wanted: Filter) -> sql.Composable:
    match wanted.operator:
        case "is":
            # check_binding has seen that the value is one of four keywords.
            condition = sql.SQL("{} is {}").format(literal(column), sql.SQL(_KEYWORDS[wanted.value]))
        case "in":
            condition = sql.SQL("{} = any (%s::text::{}[])").format(literal(column), sql_type(column))
        case operator:
            condition = sql.SQL("{} {} {}").format(literal(column), sql.SQL(OPERATORS[operator]), literal(column))
    negation = sql.SQL("not " if wanted.negated else "")
    return sql.SQL("coalesce({}({}), false)").format(negation, condition)


_KEYWORDS: dict[str, LiteralString] = {"null": "null", "true": "true", "false": "false", "unknown": "unknown"}
