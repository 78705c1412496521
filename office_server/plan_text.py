"""From the text of a plan, YAML or JSON, to its document. What is wrong is told with its path and, in YAML, line."""

import json
from collections.abc import Iterator
from typing import Any, cast

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from office_server.asking import check_storable
from office_server.plan_document import PlanDocument
from shared.errors import InvalidPayload

_MOST_NODES = 500_000
_TOLD = 20

Path = tuple[str | int, ...]

_IN_PLAIN_WORDS = {
    "extra_forbidden": "there is no such field",
    "missing": "is missing",
    "string_pattern_mismatch": "may not look like that; it must match {pattern}",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length} characters",
    "too_short": "needs at least {min_length}",
    "too_long": "takes at most {max_length}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than_equal": "must be {le:g} or less",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "string_type": "must be a text; put it in quotation marks",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}
"""What pydantic complains of, by its name for it."""


class BadPlan(InvalidPayload):
    """`problems`: [{"path","message","line"?}]."""

    code = "bad_plan"
    title = "The plan says something that it may not say."

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        told = [_in_words(problem) for problem in problems[:_TOLD]]
        more = f" … and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
        super().__init__("; ".join(told) + more, problems=problems[:100])


def problem(path: Path, message: str, lines: dict[Path, int] | None = None) -> dict[str, Any]:
    """One thing that is wrong. The line is that of the path, or of the nearest thing around it that is written down."""
    told: dict[str, Any] = {"path": as_text(path), "message": message}
    while lines and path not in lines and path:
        path = path[:-1]
    return told | ({"line": lines[path]} if lines and path in lines else {})


def as_text(path: Path) -> str:
    """`waves[0][1].prompt`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the plan"


class PlanText:
    """A plan as it was written: its document, and where in the text each part of it stands."""

    def __init__(self, document: PlanDocument, lines: dict[Path, int]) -> None:
        self.document = document
        self.lines = lines


def read_plan(body: bytes, media_type: str) -> PlanText:
    """
    Raises:
        BadPlan: with everything that is wrong.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadPlan([problem((), "is not text in UTF-8")]) from error
    lines: dict[Path, int] = {}
    data = _json(text) if "json" in media_type else _yaml(text, lines)
    check_storable(data, "the plan")
    return PlanText(check(data, lines), lines)


def check(data: object, lines: dict[Path, int]) -> PlanDocument:
    """
    Raises:
        BadPlan: with everything that is wrong.
    """
    if not isinstance(data, dict):
        raise BadPlan([problem((), "must be a mapping with a name and one of waves, epics, jobs and prompts", lines)])
    try:
        return PlanDocument.model_validate(data)
    except ValidationError as error:
        found = {
            (path := _written(item["loc"]), message): problem(path, message, lines)
            for item in error.errors(include_url=False, include_input=False)
            if (message := _plainly(item))
        }
        raise BadPlan(list(found.values())) from None


def _plainly(item: ErrorDetails) -> str:
    """One complaint of pydantic in words for people who do not know it."""
    said: dict[str, Any] = item.get("ctx", {})
    if said.get("pattern") == r"\S" or said.get("actual_length") == 0:
        return "is empty"
    words = _IN_PLAIN_WORDS.get(item["type"])
    return words.format(**said) if words is not None else item["msg"].removeprefix("Value error, ")


def _written(loc: tuple[str | int, ...]) -> Path:
    """The path in what was written, without the tags that tell the members of a union apart."""
    return tuple(part for part in loc if not str(part).startswith("~"))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadPlan([problem((), f"is not valid JSON{where}")]) from error


def _yaml(text: str, lines: dict[Path, int]) -> Any:
    try:
        node = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.CSafeLoader))  # pyright: ignore[reportUnknownMemberType]
        if node is None:
            raise BadPlan([problem((), "is empty")])
        twice: list[dict[str, Any]] = []
        for count, (path, mark, is_twice) in enumerate(_nodes(node, ())):
            if count > _MOST_NODES:
                raise BadPlan([problem((), "is too large; its aliases repeat too much")])
            if is_twice:
                twice.append(problem(path, "is there twice", {path: mark}))
            lines.setdefault(path, mark)
        if twice:
            raise BadPlan(twice)
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        told = problem((), f"is not valid YAML: {error.problem}")
        raise BadPlan([told | ({"line": mark.line + 1} if mark else {})]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadPlan([problem((), "is not valid YAML")]) from error


def _nodes(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int, bool]]:
    """Every node with its path and line; whether its key was there before."""
    yield path, node.start_mark.line + 1, False
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                yield (*path, name), key.start_mark.line + 1, True
            seen.add(name)
            yield (*path, name), key.start_mark.line + 1, False
            yield from _nodes(value, (*path, name))
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            yield from _nodes(item, (*path, place))


def _in_words(one: dict[str, Any]) -> str:
    line = f" (line {one['line']})" if "line" in one else ""
    return f"{one['path']}{line}: {one['message']}"
