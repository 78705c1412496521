"""Turns a parsed request into one SQL statement and its parameters.

Every statement answers one row: the JSON body, how many rows it stands for, and how many there are in all
(or null). Values always travel as parameters of unknown type, so that PostgreSQL itself says what they are;
names are quoted. The text depends on the shape of a request only: PostgreSQL prepares it once.
"""

# Writing SQL is what this module is for; nothing reaches its text but `quoted`, `literal` and numbers.
# ruff: noqa: S608

import re
from dataclasses import dataclass, field

from local_supabase.rest.catalog import Column, Function
from local_supabase.rest.errors import unknown_column, unparsable
from local_supabase.rest.preferences import Preferences
from local_supabase.rest.query import ColumnPath, Condition, Group, Ordering, Query, Selected, list_members

_BINARY = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "like", "ilike": "ilike",
    "match": "~", "imatch": "~*", "isdistinct": "is distinct from", "cs": "@>", "cd": "<@", "ov": "&&",
    "sl": "<<", "sr": ">>", "nxl": "&>", "nxr": "&<", "adj": "-|-",
}  # fmt: skip
_INDEX = re.compile(r"-?[0-9]{1,9}")
_IS = {"null": "null", "not_null": "not null", "true": "true", "false": "false", "unknown": "unknown"}


@dataclass(frozen=True)
class Statement:
    sql: str
    values: list[str | None]


NOTHING = Statement("select '[]'::text, 0, null::bigint", [])
"""Answers as a write of no rows does."""


@dataclass
class _Builder:
    """Collects the parameters of one statement while its text is written."""

    source: str
    """The quoted name by which a column's table is known."""
    values: list[str | None] = field(default_factory=list[str | None])

    def bind(self, value: str | None) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def path(self, path: ColumnPath) -> str:
        text = f"{self.source}.{quoted(path.column)}"
        if not path.steps:
            return text
        keys = (f"{arrow}{key if _INDEX.fullmatch(key) else literal(key)}" for arrow, key in path.steps)
        return f"to_jsonb({text}){''.join(keys)}"

    def fields(self, selected: tuple[Selected, ...] | None) -> str:
        if selected is None:
            return f"{self.source}.*"
        return ", ".join(self._field(one) for one in selected)

    def _field(self, one: Selected) -> str:
        text = self.path(one.path)
        if one.cast:
            text = f"({text})::{one.cast}"
        name = one.alias or (one.path.name if one.path.steps or one.cast else None)
        return f"{text} as {quoted(name)}" if name else text

    def where(self, query: Query) -> str:
        if not query.where:
            return ""
        return " where " + " and ".join(self._test(test) for test in query.where)

    def order(self, order: tuple[Ordering, ...]) -> str:
        return " order by " + ", ".join(self._ordering(one) for one in order) if order else ""

    def window(self, query: Query, preferences: Preferences) -> str:
        offset, limit = window_of(query, preferences)
        text = f" limit {self.bind(str(limit))}" if limit is not None else ""
        return text + (f" offset {self.bind(str(offset))}" if offset else "")

    def _ordering(self, one: Ordering) -> str:
        nulls = {None: "", True: " nulls first", False: " nulls last"}[one.nulls_first]
        return f"{self.path(one.path)} {'desc' if one.descending else 'asc'}{nulls}"

    def _test(self, test: Condition | Group) -> str:
        if isinstance(test, Group):
            text = "(" + f" {test.joiner} ".join(self._test(member) for member in test.members) + ")"
        else:
            text = self._comparison(test)
        return f"not {text}" if test.negated else text

    def _comparison(self, test: Condition) -> str:
        column = self.path(test.path)
        if test.operator == "is":
            if (known := _IS.get(test.value.lower())) is None:
                raise unparsable("is", test.value)
            return f"({column} is {known})"
        if test.operator == "in":
            return f"({column} = any ({self.bind(array_literal(list_members(test.value)))}))"
        value = test.value.replace("*", "%") if test.operator in ("like", "ilike") else test.value
        parameter = self.bind(value)
        if test.quantifier:
            parameter = f"{test.quantifier} ({parameter})"
        return f"({column} {_BINARY[test.operator]} {parameter})"


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string, read alike under any `standard_conforming_strings`."""
    escaped = text.replace("'", "''")
    return "'" + escaped + "'" if "\\" not in text else " E'" + escaped.replace("\\", "\\\\") + "'"


def array_literal(members: list[str]) -> str:
    """PostgreSQL's text form of an array."""
    return "{" + ",".join('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in members) + "}"


def window_of(query: Query, preferences: Preferences) -> tuple[int, int | None]:
    """(offset, limit): what the query says, within what the Range header says."""
    if preferences.rows is None:
        return query.offset, query.limit
    first, last = preferences.rows
    in_range = None if last is None else max(0, last - first + 1)
    limits = [limit for limit in (in_range, query.limit) if limit is not None]
    return first + query.offset, min(limits, default=None)


def read(schema: str, table: str, query: Query, preferences: Preferences) -> Statement:
    build = _Builder(quoted(table))
    origin = f"from {quoted(schema)}.{quoted(table)}"
    fields = build.fields(query.selected)
    where = build.where(query)
    total = f"(select count(*) {origin}{where})" if preferences.count else "null"
    rows = f"select {fields} {origin}{where}{build.order(query.order)}{build.window(query, preferences)}"
    return Statement(_answer(rows, total, preferences), build.values)


def insert(
    schema: str, table: str, columns: list[Column], body: str, query: Query, preferences: Preferences,
    conflict: list[str],
) -> Statement:  # fmt: skip
    """`body` is a JSON array of objects; `conflict` names the columns that decide what is a duplicate."""
    build = _Builder(quoted(table))
    into = f"insert into {quoted(schema)}.{quoted(table)}"
    names = ", ".join(quoted(column.name) for column in columns)
    if columns:
        write = f"{into} ({names}) select {names} from {_rows_of(build, columns, body, preferences)}"
    else:
        write = f"{into} default values"
    if preferences.resolution and conflict:
        write += f" on conflict ({', '.join(map(quoted, conflict))}) {_on_conflict(columns, preferences)}"
    return _written(write, build, query, preferences)


def update(
    schema: str, table: str, columns: list[Column], body: str, query: Query, preferences: Preferences
) -> Statement:
    """`body` is a JSON array of one object."""
    build = _Builder(quoted(table))
    rows = _rows_of(build, columns, body, preferences)
    changes = ", ".join(f"{quoted(column.name)} = pgrst_body.{quoted(column.name)}" for column in columns)
    where = build.where(query)
    write = f"update {quoted(schema)}.{quoted(table)} set {changes} from (select * from {rows}) as pgrst_body{where}"
    return _written(write, build, query, preferences)


def delete(schema: str, table: str, query: Query, preferences: Preferences) -> Statement:
    build = _Builder(quoted(table))
    write = f"delete from {quoted(schema)}.{quoted(table)}{build.where(query)}"
    return _written(write, build, query, preferences)


def call(
    schema: str, function: Function, given: dict[str, str] | None, body: str | None, names: frozenset[str],
    query: Query, preferences: Preferences,
) -> Statement:  # fmt: skip
    """The arguments `names` come from the JSON object `body`, or one by one as text in `given`."""
    build = _Builder('"pgrst_call"')
    types = dict(zip(function.argument_names, function.argument_types, strict=True))
    used = [name for name in function.argument_names if name in names]
    if given is not None:
        arguments = ", ".join(f"{quoted(name)} := {build.bind(given[name])}::{types[name]}" for name in used)
        origin = ""
    else:
        arguments = ", ".join(f'{quoted(name)} := "pgrst_args".{quoted(name)}' for name in used)
        columns = ", ".join(f"{quoted(name)} {types[name]}" for name in used)
        origin = f'json_to_record({build.bind(body)}::json) as "pgrst_args" ({columns})' if used else ""
    invocation = f"{quoted(schema)}.{quoted(function.name)}({arguments})"
    if not function.returns_set and not function.returns_rows:
        value = f"select to_json({invocation}) as value" + (f" from {origin}" if origin else "")
        return Statement(f"select coalesce(value, 'null')::text, 1, null::bigint from ({value}) as _t", build.values)
    source = f"{origin + ', lateral ' if origin else ''}{invocation}"
    if not function.returns_rows:
        rows = f"select _t.value from {source} as _t (value)"
        body = "coalesce(json_agg(value), '[]')::text"
        return Statement(f"select {body}, count(*), null::bigint from ({rows}) as _t", build.values)
    fields, where = build.fields(query.selected), build.where(query)
    # Called once, however often it is looked at.
    called = f"with {build.source} as (select _f.* from {source} as _f) "
    total = f"(select count(*) from {build.source}{where})" if preferences.count else "null"
    rows = f"select {fields} from {build.source}{where}{build.order(query.order)}{build.window(query, preferences)}"
    answer = _answer(rows, total, preferences, always_one=not function.returns_set)
    return Statement(called + answer, build.values)


def _answer(rows: str, total: str, preferences: Preferences, *, always_one: bool = False) -> str:
    body = "json_agg(_t)"
    if preferences.strip_nulls:
        body = f"json_strip_nulls({body})"
    one = preferences.one_object or always_one
    body = f"coalesce({body} -> 0, 'null')" if one else f"coalesce({body}, '[]')"
    return f"select {body}::text, count(*), {total}::bigint from ({rows}) as _t"


def _written(write: str, build: _Builder, query: Query, preferences: Preferences) -> Statement:
    """Only what the answer needs is returned: a role that may write but not read can still write."""
    if preferences.returning == "minimal":
        statement = f"with pgrst_source as ({write} returning 1) select '', count(*), null::bigint from pgrst_source"
        return Statement(statement, build.values)
    if query.selected is None:
        returned = f"{build.source}.*"
    else:
        used = dict.fromkeys([one.path.column for one in query.selected] + [one.path.column for one in query.order])
        returned = ", ".join(f"{build.source}.{quoted(name)}" for name in used)
    build.source = '"pgrst_source"'
    rows = f"select {build.fields(query.selected)} from pgrst_source{build.order(query.order)}"
    answer = _answer(rows, "null", preferences)
    return Statement(f"with pgrst_source as ({write} returning {returned}) {answer}", build.values)


def _rows_of(build: _Builder, columns: list[Column], body: str, preferences: Preferences) -> str:
    """The objects of a JSON array as rows; what an object does not have is null, or its column's default."""
    parameter = build.bind(body)
    rows = f"{parameter}::json"
    defaults = [column for column in columns if column.default] if preferences.missing_is_default else []
    if defaults:
        pairs = ", ".join(f"{literal(column.name)}, {column.default}" for column in defaults)
        one_by_one = f"jsonb_array_elements({parameter}::jsonb) as _one"
        rows = f"(select json_agg(jsonb_build_object({pairs}) || _one) from {one_by_one})"
    types = ", ".join(f"{quoted(column.name)} {column.type_name}" for column in columns)
    return f"json_to_recordset({rows}) as _rows ({types})"


def _on_conflict(columns: list[Column], preferences: Preferences) -> str:
    if preferences.resolution == "ignore-duplicates" or not columns:
        return "do nothing"
    changes = ", ".join(f"{quoted(column.name)} = excluded.{quoted(column.name)}" for column in columns)
    return f"do update set {changes}"


def columns_of(table: str, known: dict[str, Column], wanted: list[str]) -> list[Column]:
    """
    Raises:
        RestError: PGRST204 for a column that the table does not have.
    """
    for name in wanted:
        if name not in known:
            raise unknown_column(table, name)
    return [known[name] for name in wanted]
