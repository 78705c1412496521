"""Where in a TOML file something stands, for complaints about it. tomllib itself tells only of what is no TOML."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, cast

Place = tuple[str | int, ...]

_TABLE = re.compile(r"\s*(\[\[?)")


def line_of(text: str, place: Sequence[str | int]) -> int | None:
    """The line, from 1, on which the innermost part of `place` stands that stands somewhere; None: none does.

    `text` is TOML. `place`: keys, and numbers of the elements of lists.
    """
    lines = dict(reversed(list(_places(text))))
    wanted = tuple(place)
    while wanted and wanted not in lines:
        wanted = wanted[:-1]
    return lines.get(wanted)


def _places(text: str) -> Iterator[tuple[Place, int]]:
    table: Place = ()
    elements: Counter[Place] = Counter()
    for line, statement in _statements(text):
        found = tomllib.loads(statement)
        if not found:
            continue
        header = _TABLE.match(statement)
        if header is None:
            for key in _keys(found):
                for length in range(1, len(key) + 1):
                    yield (*table, *key[:length]), line
            continue
        (path,) = _keys(found, tables=True)
        table = ()
        for number, part in enumerate(path):
            table = (*table, part)
            if header[1] == "[[" and number == len(path) - 1:
                elements[table] += 1
            if elements[table]:
                table = (*table, elements[table] - 1)
        yield table, line


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each key with its value, each head of a table: what is TOML by itself, with the line on which it begins."""
    begin, gathered = 1, ""
    for number, line in enumerate(text.splitlines(), start=1):
        gathered = f"{gathered}{line}\n"
        try:
            tomllib.loads(gathered)
        except tomllib.TOMLDecodeError:
            continue
        yield begin, gathered
        begin, gathered = number + 1, ""


def _keys(found: dict[str, Any], tables: bool = False) -> list[tuple[str, ...]]:
    """The dotted key of one statement; of an inline table, each of its keys. `tables`: the head of a table."""
    keys: list[tuple[str, ...]] = []
    for key, value in found.items():
        inner: Any = cast("list[Any]", value)[0] if tables and isinstance(value, list) else value
        deeper = _keys(cast("dict[str, Any]", inner), tables) if isinstance(inner, dict) and inner else []
        keys += [(key, *rest) for rest in deeper] or [(key,)]
    return keys
