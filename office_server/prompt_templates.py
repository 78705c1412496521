"""Prompts with parameters: `{{name}}` in the text is replaced by what the job gives, or what the template has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from office_server.plan_document import Place
from shared.errors import InvalidPayload

_PARAMETER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}")

Value = str | int | float | bool


@dataclass(frozen=True)
class Template:
    """`parameters`: name → what stands for it when a job says nothing; None: a job must say it."""

    name: str
    version: int
    text: str
    parameters: Mapping[str, Value | None]
    place: Place


def parameters_in(text: str) -> list[str]:
    """The names that stand in it, each once, in their order."""
    return list(dict.fromkeys(match[1] for match in _PARAMETER.finditer(text)))


def check_template(text: str, parameters: Mapping[str, Value | None]) -> None:
    """
    Raises:
        InvalidPayload: its text and its parameters do not fit each other.
    """
    used = set(parameters_in(text))
    if unknown := sorted(used - set(parameters)):
        raise InvalidPayload(f"text: {{{{{unknown[0]}}}}} is not among the parameters.", field="text")
    if unused := sorted(set(parameters) - used):
        raise InvalidPayload(f'parameters: "{unused[0]}" does not stand in the text.', field="parameters")


def render(template: Template, given: Mapping[str, Value]) -> tuple[str, list[str]]:
    """The prompt, and what is wrong with the parameters that were given."""
    wrong = [f'the template "{template.name}" takes no "{name}"' for name in given if name not in template.parameters]
    values = {name: value for name, value in template.parameters.items() if value is not None} | dict(given)
    wrong += [f'"{name}" is missing' for name in template.parameters if name not in values]
    return _PARAMETER.sub(lambda match: _as_text(values.get(match[1], match[0])), template.text), wrong


def _as_text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
