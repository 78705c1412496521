"""Reads PostgREST's query string into plain data: columns, conditions, order, limits. Knows no SQL."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from local_supabase.rest.errors import RestError, not_here, unparsable

QUANTIFIABLE = frozenset({"eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"})
OPERATORS = QUANTIFIABLE | {"neq", "is", "in", "isdistinct", "cs", "cd", "ov", "sl", "sr", "nxl", "nxr", "adj"}
RESERVED = frozenset(["select", "columns", "on_conflict", "order", "limit", "offset", "and", "or", "not.and", "not.or"])
_TEXT_SEARCH = frozenset(["fts", "plfts", "phfts", "wfts"])
_NAME = r'"(?:[^"\\]|\\.)*"|[\w $]+'
_PATH = re.compile(rf"(?P<column>{_NAME})(?P<steps>(?:->>?(?:{_NAME}|-?\d+))*)")
_STEP = re.compile(rf"(?P<arrow>->>?)(?P<key>{_NAME}|-?\d+)")
_SELECTED = re.compile(rf"(?:(?P<alias>{_NAME}):(?!:))?(?P<path>{_PATH.pattern})(?:::(?P<cast>\w+(?:\[\])?))?")
_OPERATION = re.compile(r"(?P<negated>not\.)?(?P<operator>\w+)(?:\((?P<modifier>\w+)\))?\.(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class ColumnPath:
    """A column, perhaps with a way into its JSON: (arrow, key) after (arrow, key)."""

    column: str
    steps: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What the value is called in the answer."""
        return self.steps[-1][1] if self.steps else self.column


@dataclass(frozen=True)
class Selected:
    path: ColumnPath
    alias: str | None
    cast: str | None


@dataclass(frozen=True)
class Condition:
    path: ColumnPath
    operator: str
    quantifier: str | None
    value: str
    negated: bool


@dataclass(frozen=True)
class Group:
    joiner: Literal["and", "or"]
    members: tuple["Condition | Group", ...]
    negated: bool


@dataclass(frozen=True)
class Ordering:
    path: ColumnPath
    descending: bool
    nulls_first: bool | None


@dataclass(frozen=True)
class Query:
    """`selected` None means every column; `columns` None means that the client did not say."""

    selected: tuple[Selected, ...] | None = None
    where: tuple[Condition | Group, ...] = ()
    order: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0
    columns: tuple[str, ...] | None = None
    on_conflict: tuple[str, ...] | None = None


def parse_query(parameters: Iterable[tuple[str, str]]) -> Query:
    """
    Raises:
        RestError: PGRST100 for what cannot be read, PGRST127 for what PostgREST knows and we do not.
    """
    where: list[Condition | Group] = []
    single: dict[str, str] = {}
    for key, value in parameters:
        if key in ("and", "or", "not.and", "not.or"):
            where.append(_group(key, value))
        elif key in RESERVED:
            single[key] = value
        else:
            where.append(_condition(key, value))
    return Query(
        selected=_selected(single["select"]) if "select" in single else None,
        where=tuple(where),
        order=tuple(_ordering(part) for part in _split(single.get("order", ""))),
        limit=_whole_number("limit", single["limit"]) if "limit" in single else None,
        offset=_whole_number("offset", single.get("offset", "0")),
        columns=tuple(map(_name, _split(single["columns"]))) if "columns" in single else None,
        on_conflict=tuple(map(_name, _split(single["on_conflict"]))) if "on_conflict" in single else None,
    )


def has_operator(value: str) -> bool:
    """Whether a parameter of a GET to a function is a condition on its result, not an argument."""
    match = _OPERATION.fullmatch(value)
    return match is not None and match["operator"] in OPERATORS


def list_members(value: str) -> list[str]:
    """The values of `(1,2,"a,b")`."""
    if not (value.startswith("(") and value.endswith(")")):
        raise unparsable("list", value)
    return [_unquote(part) for part in _split(value[1:-1])]


def _selected(text: str) -> tuple[Selected, ...] | None:
    parts = [part.strip() for part in _split(text)]
    if parts == ["*"]:
        return None
    chosen: list[Selected] = []
    for part in parts:
        if "(" in part or part.startswith("..."):
            raise not_here(f"embedding or aggregating in select ({part})")
        if part == "*":
            raise not_here("select=* together with other columns")
        if (match := _SELECTED.fullmatch(part)) is None:
            raise unparsable("select parameter", text)
        alias = _name(match["alias"]) if match["alias"] else None
        chosen.append(Selected(_path(match["path"]), alias, match["cast"]))
    if not chosen:
        raise unparsable("select parameter", text)
    return tuple(chosen)


def _condition(key: str, text: str) -> Condition:
    if (operation := _OPERATION.fullmatch(text)) is None:
        raise unparsable("filter", text)
    operator, modifier = operation["operator"], operation["modifier"]
    if operator in _TEXT_SEARCH:
        raise not_here(f"full text search ({operator})")
    if operator not in OPERATORS:
        raise unparsable("filter", text)
    if modifier is not None and (modifier not in ("any", "all") or operator not in QUANTIFIABLE):
        raise unparsable("filter", text)
    if "." in key and _PATH.fullmatch(key) is None:
        raise not_here(f"a filter on an embedded table ({key})")
    return Condition(_path(key), operator, modifier, operation["value"], bool(operation["negated"]))


def _group(key: str, text: str) -> Group:
    negated, joiner = key.startswith("not."), key.removeprefix("not.")
    if not (text.startswith("(") and text.endswith(")")):
        raise unparsable("logic tree", f"{key}{text}")
    members = tuple(_member(part) for part in _split(text[1:-1]))
    if not members:
        raise unparsable("logic tree", f"{key}{text}")
    return Group("or" if joiner == "or" else "and", members, negated)


def _member(text: str) -> Condition | Group:
    if group := re.fullmatch(r"((?:not\.)?(?:and|or))(\(.*\))", text, re.DOTALL):
        return _group(group[1], group[2])
    column = _PATH.match(text)
    if column is None or not text[column.end() :].startswith("."):
        raise unparsable("logic tree", text)
    condition = _condition(text[: column.end()], text[column.end() + 1 :])
    if condition.operator == "in":
        return condition
    return Condition(
        condition.path, condition.operator, condition.quantifier, _unquote(condition.value), condition.negated
    )


def _ordering(text: str) -> Ordering:
    match = re.fullmatch(
        rf"(?P<path>{_PATH.pattern})(?:\.(?P<way>asc|desc))?(?:\.(?P<nulls>nullsfirst|nullslast))?", text
    )
    if match is None:
        if "(" in text:
            raise not_here(f"ordering by an embedded table ({text})")
        raise unparsable("order", text)
    nulls_first = None if match["nulls"] is None else match["nulls"] == "nullsfirst"
    return Ordering(_path(match["path"]), match["way"] == "desc", nulls_first)


def _path(text: str) -> ColumnPath:
    if (match := _PATH.fullmatch(text)) is None:
        raise unparsable("column", text)
    steps = tuple((step["arrow"], _name(step["key"])) for step in _STEP.finditer(match["steps"]))
    return ColumnPath(_name(match["column"]), steps)


def _name(text: str) -> str:
    return _unquote(text.strip())


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text


def _split(text: str) -> list[str]:
    """Splits at the commas that stand outside quotes, parentheses and braces."""
    parts: list[str] = []
    depth, begin, position, quoted = 0, 0, 0, False
    while position < len(text):
        character = text[position]
        if quoted and character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif not quoted and character in "({":
            depth += 1
        elif not quoted and character in ")}":
            depth -= 1
        elif not quoted and depth == 0 and character == ",":
            parts.append(text[begin:position])
            begin = position + 1
        position += 1
    if quoted or depth:
        raise unparsable("list", text)
    return [*parts, text[begin:]] if text else []


def _whole_number(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text):
        raise RestError(416, "PGRST103", "Requested range not satisfiable", details=f"{name}={text} is not a count")
    return int(text)
