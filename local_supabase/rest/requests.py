"""Decides which statement answers a request, and what must be true of its result."""

from collections.abc import Callable
from typing import Any, cast

import orjson

from local_supabase.rest import statements
from local_supabase.rest.catalog import Catalog, Function
from local_supabase.rest.errors import RestError, invalid_body, not_here, not_one_row, unknown_table
from local_supabase.rest.executor import Answer
from local_supabase.rest.preferences import Preferences
from local_supabase.rest.query import RESERVED, Query, has_operator
from local_supabase.rest.statements import Statement


def check_for(preferences: Preferences, *, writes: bool) -> Callable[[Answer], None] | None:
    """What undoes a request when its result is not as the client demanded; None when nothing can.

    A read is checked afterwards, by `verify`, and needs no undoing.
    """
    if not writes or (preferences.max_affected is None and not preferences.one_object):
        return None
    return lambda answer: verify(preferences, answer)


def verify(preferences: Preferences, answer: Answer) -> None:
    """
    Raises:
        RestError: PGRST116 when one object was wanted, PGRST124 when too many rows were changed.
    """
    if preferences.max_affected is not None and answer.rows > preferences.max_affected:
        raise RestError(
            400, "PGRST124", "Query result exceeds max-affected preference constraint",
            details=f"The query affects {answer.rows} rows",
        )  # fmt: skip
    if preferences.one_object and answer.rows != 1:
        raise not_one_row(answer.rows)


def insert(catalog: Catalog, table: str, body: bytes, query: Query, preferences: Preferences) -> Statement:
    """
    Raises:
        RestError: PGRST102 for a body that is no object or list of alike objects, PGRST204, PGRST205.
    """
    known = _table(catalog, preferences, table)
    content = _json(body)
    objects = _objects(content)
    if query.columns is not None:
        names = list(query.columns)
    else:
        names = list(objects[0]) if objects else []
        if any(one.keys() != objects[0].keys() for one in objects):
            raise invalid_body("All object keys must match")
    if not names and len(objects) > 1:
        raise not_here("inserting several rows without a column")
    columns = statements.columns_of(table, known, names)
    rows = body.decode() if isinstance(content, list) else f"[{body.decode()}]"
    if not objects:
        return statements.NOTHING
    conflict = list(query.on_conflict or [column.name for column in known.values() if column.in_primary_key])
    returned = _with_key(preferences, query, known)
    return statements.insert(preferences.schema, table, columns, rows, returned, preferences, conflict)


def update(catalog: Catalog, table: str, body: bytes, query: Query, preferences: Preferences) -> Statement:
    """
    Raises:
        RestError: as `insert`; 21000 when no row was singled out, as Supabase forbids that.
    """
    known = _table(catalog, preferences, table)
    _require_where("UPDATE", query)
    objects = _objects(_json(body))
    if len(objects) != 1 or not objects[0]:
        raise invalid_body("An update needs one object with at least one column")
    columns = statements.columns_of(table, known, list(query.columns or objects[0]))
    rows = body.decode() if body.lstrip().startswith(b"[") else f"[{body.decode()}]"
    return statements.update(preferences.schema, table, columns, rows, query, preferences)


def delete(catalog: Catalog, table: str, query: Query, preferences: Preferences) -> Statement:
    """
    Raises:
        RestError: PGRST205; 21000 when no row was singled out, as Supabase forbids that.
    """
    _table(catalog, preferences, table)
    _require_where("DELETE", query)
    return statements.delete(preferences.schema, table, query, preferences)


def read(catalog: Catalog, table: str, query: Query, preferences: Preferences) -> Statement:
    """
    Raises:
        RestError: PGRST205.
    """
    _table(catalog, preferences, table)
    return statements.read(preferences.schema, table, query, preferences)


def split_arguments(parameters: list[tuple[str, str]]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Arguments and conditions of a GET to a function."""
    arguments: dict[str, str] = {}
    conditions: list[tuple[str, str]] = []
    for key, value in parameters:
        if key in RESERVED or has_operator(value):
            conditions.append((key, value))
        else:
            arguments[key] = value
    return arguments, conditions


def argument_names(body: bytes) -> frozenset[str]:
    """
    Raises:
        RestError: PGRST102 for a body that is no JSON object.
    """
    objects: list[dict[str, Any]] = _objects(_json(body)) if body.strip() else [{}]
    if body.lstrip().startswith(b"[") or len(objects) != 1:
        raise invalid_body("The arguments of a function must be one JSON object")
    return frozenset(objects[0])


def find_function(catalog: Catalog, schema: str, name: str, given: frozenset[str]) -> Function:
    """
    Raises:
        RestError: PGRST202 when none takes these arguments, PGRST203 when several do.
    """
    fitting = [function for function in catalog.functions.get(name, []) if function.accepts(given)]
    if len(fitting) == 1:
        return fitting[0]
    signature = f"{schema}.{name}({', '.join(sorted(given))})" if given else f"{schema}.{name}"
    if fitting:
        raise RestError(
            300, "PGRST203", f"Could not choose the best candidate function between the {len(fitting)} that match",
            details=signature, hint="Rename one of them or its arguments",
        )  # fmt: skip
    described = (
        f"{schema}.{name} with parameter{'s' if len(given) > 1 else ''} {', '.join(sorted(given))}"
        if given
        else f"{schema}.{name} without parameters"
    )
    raise RestError(
        404, "PGRST202", f"Could not find the function {signature} in the schema cache",
        details=f"Searched for the function {described}, but no matches were found in the schema cache.",
    )  # fmt: skip


def location(table: str, answer: Answer) -> str | None:
    """Where the one new row is, for `return=headers-only`, whose answer is its key."""
    rows: list[dict[str, Any]] = orjson.loads(answer.body)
    if len(rows) != 1 or not rows[0]:
        return None
    return f"/{table}?" + "&".join(f"{name}=eq.{value}" for name, value in rows[0].items())


def _with_key(preferences: Preferences, query: Query, known: dict[str, statements.Column]) -> Query:
    if preferences.returning != "headers-only":
        return query
    key = [column.name for column in known.values() if column.in_primary_key]
    chosen = tuple(statements.Selected(statements.ColumnPath(name), None, None) for name in key)
    return Query(selected=chosen or None, columns=query.columns, on_conflict=query.on_conflict)


def _table(catalog: Catalog, preferences: Preferences, table: str) -> dict[str, statements.Column]:
    if table not in catalog.tables:
        raise unknown_table(preferences.schema, table)
    return catalog.tables[table]


def _require_where(verb: str, query: Query) -> None:
    if query.limit is not None or query.offset:
        raise not_here(f"{verb} with a limit")
    if not query.where:
        raise RestError(400, "21000", f"{verb} requires a WHERE clause")


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_body("Empty or invalid json") from error


def _objects(content: Any) -> list[dict[str, Any]]:
    rows = cast("list[Any]", content if isinstance(content, list) else [content])
    if not all(isinstance(row, dict) for row in rows):
        raise invalid_body("The rows must be JSON objects")
    return rows
