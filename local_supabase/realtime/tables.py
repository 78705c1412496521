"""What the catalogue says of a changed table, and its values as JSON. PostgreSQL itself does each conversion."""

from collections.abc import Collection
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from local_supabase.realtime.pgoutput import Values
from local_supabase.realtime.sessions import Connection

_NOT_IN_JSON = frozenset({"NaN", "Infinity", "-Infinity"})
_NUMBERS = frozenset({"float4", "float8", "numeric"})


@dataclass(frozen=True)
class Column:
    name: str
    type_name: str
    """As clients are told: `int4`, `_text`."""
    sql_type: str
    """As it is written in a cast: `integer`, `text[]`, `numeric(20,6)`."""
    is_key: bool
    readers: list[str]
    """Of the roles that were asked about, those that may SELECT it."""


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    row_security: bool
    columns: tuple[Column, ...]

    @property
    def keys(self) -> list[Column]:
        return [column for column in self.columns if column.is_key]


class KnownTables:
    """What was described already, for as long as a few changes are worked off."""

    def __init__(self) -> None:
        self._tables: dict[tuple[int, frozenset[str]], Table | None] = {}

    async def get(self, connection: Connection, oid: int, roles: frozenset[str]) -> Table | None:
        """As `describe`."""
        if (oid, roles) not in self._tables:
            self._tables[oid, roles] = await describe(connection, oid, roles)
        return self._tables[oid, roles]


async def describe(connection: Connection, oid: int, roles: Collection[str]) -> Table | None:
    """The table as it is now; None when it is gone."""
    table = await (
        await connection.execute(
            "select n.nspname, c.relname, c.relrowsecurity from pg_class c"
            " join pg_namespace n on n.oid = c.relnamespace where c.oid = %s",
            (oid,),
        )
    ).fetchone()
    if table is None:
        return None
    async with connection.cursor(row_factory=class_row(Column)) as cursor:
        await cursor.execute(
            "select a.attname::text as name, t.typname::text as type_name,"
            " format_type(a.atttypid, a.atttypmod) as sql_type,"
            " coalesce(a.attnum = any (i.indkey), false) as is_key,"
            " array(select r from unnest(%s::text[]) as r"
            "   where has_column_privilege(r::name, a.attrelid, a.attnum, 'SELECT')) as readers"
            " from pg_attribute a join pg_type t on t.oid = a.atttypid"
            " left join pg_index i on i.indrelid = a.attrelid and i.indisprimary"
            " where a.attrelid = %s and a.attnum > 0 and not a.attisdropped order by a.attnum",
            (list(roles), oid),
        )
        columns = tuple(await cursor.fetchall())
    schema, name, row_security = table
    return Table(str(schema), str(name), bool(row_security), columns)


async def to_json(connection: Connection, table: Table, values: Values) -> dict[str, str]:
    """Each value as JSON text, the way `jsonb` writes it; but `bytea` without `\\x` and NaN as null."""
    columns = [column for column in table.columns if column.name in values]
    if not columns:
        return {}
    cursor = await connection.execute(
        sql.SQL("select {}").format(sql.SQL(", ").join(_conversion(column) for column in columns)),
        [_plain(column, values[column.name]) for column in columns],
    )
    row = await cursor.fetchone() or ()
    return {column.name: "null" if text is None else str(text) for column, text in zip(columns, row, strict=True)}


def literal(column: Column) -> sql.Composable:
    """A placeholder for a value of `column` in PostgreSQL's text form."""
    return sql.Composed([sql.SQL("%s::text::"), sql_type(column)])


def sql_type(column: Column) -> sql.Composable:
    """`format_type` has quoted it."""
    return sql.Composed([sql.SQL(column.sql_type)])  # pyright: ignore[reportArgumentType]


def _conversion(column: Column) -> sql.Composable:
    value = sql.SQL("%s::text") if column.type_name == "bytea" else literal(column)
    return sql.SQL("to_jsonb({})::text").format(value)


def _plain(column: Column, value: str | None) -> str | None:
    if value is None or (column.type_name in _NUMBERS and value in _NOT_IN_JSON):
        return None
    return value.removeprefix("\\x") if column.type_name == "bytea" else value
