"""What a join asks to see of the tables: bindings, their filters and ids, and the words that refuse them. Pure."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString, cast

from local_supabase.realtime.protocol import Json, dump

OPERATORS: dict[str, LiteralString] = {
    "eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "in": "= any", "is": "is",
}  # fmt: skip
_ACTIONS = ("INSERT", "UPDATE", "DELETE")


class BindingRefused(Exception):
    """The argument is the text of the system message that says so."""


@dataclass(frozen=True)
class Filter:
    column: str
    operator: str
    value: str
    negated: bool

    def describe(self) -> str:
        parts = ", ".join(dump(part) for part in (self.column, self.operator, self.value, self.negated))
        return "{" + parts + "}"


@dataclass(frozen=True)
class Binding:
    """One subscription to row changes. `*` stands for all in `event`, `schema` and `table`."""

    id: int
    event: str
    schema: str
    table: str
    filters: tuple[Filter, ...]
    select: tuple[str, ...] | None

    def wants(self, action: str) -> bool:
        return self.event in ("*", action)

    def describe(self) -> str:
        """As the real server names it in its errors."""
        filters = ", ".join(each.describe() for each in self.filters)
        select = "nil" if self.select is None else inspect(list(self.select))
        return (
            f"[event: {self.event}, schema: {self.schema}, table: {self.table}, filters: [{filters}], select: {select}]"
        )


def binding_id(params: Json) -> int:
    """The same for the same parameters, for ever; never 0, which the Python client takes for "none"."""
    return (zlib.crc32(dump(_sorted(params)).encode()) & 0x7FF_FFFF) or 1


def parse_binding(params: dict[str, Json]) -> Binding:
    """Raises BindingRefused."""
    event = str(params.get("event")).upper()
    select = _select(params.get("select"))
    schema, table = _target(params)
    if select and "*" in (schema, table):
        raise BindingRefused(
            "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name."
        )
    filters = tuple(_filters(params.get("filter", "")))
    return Binding(binding_id(params), event if event in _ACTIONS else "*", schema, table, filters, select)


def binding_of_topic(subtopic: str) -> list[dict[str, Json]]:
    """The binding that a join without any config means: its topic is `schema`, `schema:table` or `…:filter`."""
    names = ("schema", "table", "filter")
    return [dict(zip(names, subtopic.split(":", 2), strict=False))]


def inspect(value: Json) -> str:
    """A JSON value in Elixir's notation, in which the real server quotes what it was sent."""
    match value:
        case None:
            return "nil"
        case dict():
            pairs = cast("dict[str, Json]", value)
            return "%{" + ", ".join(f"{dump(key)} => {inspect(pairs[key])}" for key in sorted(pairs)) + "}"
        case list():
            return "[" + ", ".join(inspect(item) for item in cast("list[Json]", value)) + "]"
        case _:
            return dump(value)


def _target(params: dict[str, Json]) -> tuple[str, str]:
    schema, table = params.get("schema"), params.get("table")
    known = params.keys() & {"schema", "table", "filter"}
    texts = all(isinstance(params[key], str) for key in known)
    if texts and {"schema", "table"} <= known:
        return str(schema), str(table)
    if texts and known == {"schema"}:
        return str(schema), "*"
    if texts and known == {"table"}:
        return "public", str(table)
    shown = "<redacted>" if params.keys() & {"user_token", "auth_token"} else inspect(params)
    raise BindingRefused(
        "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: " + shown
    )


def _select(select: Json) -> tuple[str, ...] | None:
    if isinstance(select, str):
        raise BindingRefused(
            'Error parsing `select` params: expected a list of column name strings, e.g. select: ["col1", "col2"]'
        )
    columns = cast("list[Any]", select) if isinstance(select, list) else []
    return tuple(column for column in columns if isinstance(column, str)) or None


def _filters(text: str) -> Iterator[Filter]:
    if not text.strip():
        return
    for segment in _split(text):
        try:
            yield _filter(segment.strip())
        except ValueError as malformed:
            raise BindingRefused(f"Error parsing `filter` params: {malformed}") from None


def _filter(segment: str) -> Filter:
    """One of `column=operator.value` or `column=not.operator.value`. ValueError says what is wrong."""
    if not segment:
        raise ValueError("filter must not contain empty segments (check for extra commas)")
    column, equals, condition = segment.partition("=")
    if not equals:
        raise ValueError(inspect([segment]))
    negated = condition.startswith("not.")
    condition = condition.removeprefix("not.")
    operator, dot, value = condition.partition(".")
    if not dot:
        raise ValueError(inspect([condition]))
    if operator not in OPERATORS:
        raise ValueError(inspect([operator, value]))
    if operator == "in":
        if not (value.startswith("(") and value.endswith(")") and len(value) > 1):
            raise ValueError("`in` filter value must be wrapped by parentheses")
        return Filter(column, operator, "{" + value[1:-1] + "}", negated)
    return Filter(column, operator, _unquoted(value), negated)


def _split(text: str) -> Iterator[str]:
    """At commas outside of parentheses and quotes."""
    depth, quoted, escaped, segment = 0, False, False, ""
    for character in text:
        if character == "," and depth == 0 and not quoted:
            yield segment
            segment = ""
            continue
        if escaped or (quoted and character == "\\"):
            escaped = not escaped
        elif character == '"':
            quoted = not quoted and segment[-1:] in (".", "(", ",")
        elif not quoted:
            depth = max(0, depth + {"(": 1, ")": -1}.get(character, 0))
        segment += character
    yield segment


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        pairs = cast("dict[str, Json]", value)
        return {key: _sorted(pairs[key]) for key in sorted(pairs)}
    return value
