"""What is to be done: a prompt or many, or a saved template with its parameters. Its fields, and the jobs in them."""

import re
from collections.abc import Callable
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import attributed, button, element, text
from office_server.dashboard.visit import Visit
from office_server.prompt_templates import Value
from office_server.spec_rows import PromptTemplate

_BLOCKS = re.compile(r"^\s*---\s*$", re.MULTILINE)
MANY = ("one", "lines", "blocks")


def prompts_in(written: str, many: str) -> list[str]:
    """The prompts that a text holds: `one`; one on each of its `lines`; `blocks` with --- between them."""
    parts = [written] if many == "one" else written.splitlines() if many == "lines" else _BLOCKS.split(written)
    return [part.strip() for part in parts if part.strip()]


class PromptFields:
    """`took` is told which template is looked at, to be asked for."""

    def __init__(self, visit: Visit, took: Callable[[PromptTemplate], None]) -> None:
        self._took = took
        self._visit = visit
        self._templates: dict[str, PromptTemplate] = {}
        self._given: dict[str, ui.input] = {}
        self.by_template = False
        words = visit.words
        with element("div", "segments", role="group", aria_label=words("execute.what")):
            self._sides = {
                name: button(words(f"execute.by_{name}"), lambda name=name: self.show(name == "template"), "segment")
                for name in ("prompt", "template")
            }
        with element("div", "plain-fields") as self._prompt_side:
            self._text = ui.textarea(words("execute.prompt")).props("outlined autogrow input-style='min-height: 118px'")
            attributed(self._text, aria_label=words("execute.prompt"), data_search="")
            with element("div", "pair"):
                self._many = ui.select(
                    {one: words(f"execute.many_{one}") for one in MANY}, value="one", on_change=self._count
                ).props("outlined dense options-dense")
                attributed(self._many, aria_label=words("execute.many"))
                self._counted = text("span", "", "quiet", role="status")
            self._text.on_value_change(self._count)
        with element("div", "plain-fields") as self._template_side:
            self._choice = ui.select({}, label=words("execute.template"), on_change=self._chose)
            attributed(self._choice.props("outlined dense options-dense"), aria_label=words("execute.template"))
            self._template_text = text("pre", "", "json", tabindex="0", aria_label=words("execute.template_text"))
            self._parameters = element("div", "plain-fields")
            self._none = text("p", words("execute.no_templates"), "quiet")
        self.show(False)
        self._count()

    # What is in it ----------------------------------------------------------------------------------------------------

    @property
    def written(self) -> str:
        return str(self._text.value or "")

    @property
    def template(self) -> PromptTemplate | None:
        return self._templates.get(str(self._choice.value))

    def jobs(self) -> list[dict[str, Any]]:
        """What a plan's document takes, one for each prompt."""
        if not self.by_template:
            return [{"prompt": prompt} for prompt in prompts_in(self.written, str(self._many.value))]
        chosen = self.template
        if chosen is None:
            return []
        given = {name: field.value for name, field in self._given.items() if field.value not in (None, "")}
        return [{"template": f"{chosen.name}@{chosen.version}", "parameters": given}]

    # What is shown ----------------------------------------------------------------------------------------------------

    def show(self, by_template: bool) -> None:
        self.by_template = by_template
        self._prompt_side.set_visibility(not by_template)
        self._template_side.set_visibility(by_template)
        for name, side in self._sides.items():
            attributed(side, aria_pressed=str((name == "template") == by_template).lower()).update()
        if by_template and self.template is not None:
            self._took(self.template)

    def put(self, prompt: str) -> None:
        """Puts a prompt in, to be changed and started."""
        self._many.value = "one"
        self._text.value = prompt
        self.show(False)

    def offer(self, templates: list[PromptTemplate], chosen: str | None = None) -> None:
        """The newest version of each."""
        self._templates = {}
        for one in templates:
            self._templates.setdefault(one.name, one)
        options = {name: f"{name} · v{one.version}" for name, one in self._templates.items()}
        value = chosen or (str(self._choice.value) if self._choice.value in options else next(iter(options), None))
        self._choice.set_options(options, value=value)  # pyright: ignore[reportUnknownMemberType]
        self._none.set_visibility(not options)
        self._choice.set_visibility(bool(options))
        self._chose()

    def _chose(self) -> None:
        chosen = self.template
        self._template_text.show(chosen.text if chosen else "")
        self._template_text.set_visibility(chosen is not None)
        self._parameters.clear()
        self._given = {}
        if chosen is None:
            return
        with self._parameters:
            for name, otherwise in chosen.parameters.items():
                field = ui.input(name, placeholder=_as_text(otherwise)).props("outlined dense")
                if otherwise is not None:
                    field.props("stack-label")
                self._given[name] = attributed(field, aria_label=name)
        if self.by_template:
            self._took(chosen)

    def _count(self) -> None:
        many = str(self._many.value)
        words = self._visit.words
        count = len(prompts_in(self.written, many))
        hint = words(f"execute.hint_{many}")
        self._counted.show(hint if many == "one" or not count else f"{words('execute.counted', count=count)} · {hint}")


def _as_text(value: Value | None) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
