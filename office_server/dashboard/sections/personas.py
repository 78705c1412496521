"""Personas: looked at with every version they had and the file as agents read it, and changed into the office's own."""

from functools import partial
from textwrap import shorten

from nicegui import ui
from pydantic import ValidationError

from office_server.dashboard.bits import attributed, button, element, text
from office_server.dashboard.dialogs import close_button
from office_server.dashboard.visit import Visit
from office_server.dashboard.wrong import wrong
from office_server.routes import personas
from office_server.rows import Persona, PersonaVersion


class Personas:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._box = element("div", "personas")

    async def build(self) -> None:
        found: personas.PersonaList = await self._visit.do(personas.list_personas)
        words = self._visit.words
        self._box.clear()
        with self._box:
            for one in found.personas:
                with element("article", "sheet persona", aria_label=one.role):
                    with element("div", "top"):
                        text("h3", f"{one.role} · {one.name}")
                        said = "settings.own" if one.office_id else "settings.default"
                        text("span", f"{words(said)} · {words('settings.version', version=one.version)}", "quiet")
                    text("p", shorten(one.persona_prompt, 200, placeholder=" …"), "quiet")
                    with element("div", "does"):
                        button(words("settings.open"), partial(self._open, one))

    async def _open(self, one: Persona) -> None:
        visit, words = self._visit, self._visit.words
        may = visit.may(personas.put_persona)
        versions: personas.PersonaVersions | None = await visit.attempt(personas.list_persona_versions, role=one.role)
        found = versions.versions if versions is not None else []
        how = "outlined dense" + ("" if may else " readonly")
        with attributed(ui.dialog(), aria_label=f"{one.role} · {one.name}") as dialog, element("div", "sheet opened"):
            with element("header", "head"):
                text("h2", f"{one.role} · {one.name}")
                text("span", words("settings.version", version=one.version), "quiet")
                element("span", "space")
                chosen = self._choice(found)
                close_button(words, dialog.close)
            with element("div", "tab persona-edit"):
                with element("div", "form plain"):
                    name = ui.input(words("settings.persona_name"), value=one.name).props(how)
                    prompt = ui.textarea(words("settings.persona_prompt"), value=one.persona_prompt)
                    prompt.props(f"outlined autogrow{'' if may else ' readonly'}").classes("wide")
                    scope = ui.input(words("settings.scope"), value=", ".join(one.scope_patterns)).props(how)
                    skills = ui.input(words("settings.skills"), value=", ".join(one.core_skills)).props(how)
                    told = text("p", "", "quiet small", role="status")
                with element("section", "preview", aria_label=words("settings.preview")):
                    text("h3", words("settings.preview"))
                    shown = text("pre", one.rendered or "", "json", tabindex="0", aria_label=words("settings.preview"))

            def draft() -> personas.PersonaDraft | None:
                try:
                    return personas.PersonaDraft(
                        name=name.value or "", persona_prompt=prompt.value or "", scope_patterns=_items(scope.value),
                        core_skills=_items(skills.value),
                    )  # fmt: skip
                except ValidationError as error:
                    visit.complain(wrong(error))
                    return None

            async def preview() -> None:
                body = draft()
                if body is not None:
                    found = await visit.attempt(personas.preview_persona, role=one.role, body=body)
                    if found is not None:
                        shown.show(found.text)

            async def look_at() -> None:
                """Puts what the persona was into the fields; nothing is kept before it is saved."""
                was = found[int(chosen.value)]
                name.value, prompt.value = was.name, was.persona_prompt
                scope.value, skills.value = ", ".join(was.scope_patterns), ", ".join(was.core_skills)
                said = {"version": was.version, "author": was.author or "–", "at": f"{was.at:%Y-%m-%d %H:%M} UTC"}
                told.show(words("settings.version_told", **said))
                await preview()

            chosen.on_value_change(look_at)

            async def save() -> None:
                body = draft()
                if body and await visit.attempt(personas.put_persona, "do.saved", role=one.role, body=body):
                    dialog.close()
                    await self.build()

            with element("div", "acts end"):
                button(words("settings.preview"), preview)
                if may:
                    button(words("do.save"), save, "button first")
        dialog.open()

    def _choice(self, found: list[PersonaVersion]) -> ui.select:
        words = self._visit.words
        options = {place: self._name_of(one) for place, one in enumerate(found)}
        made = ui.select(options, value=0 if found else None).props("outlined dense options-dense")
        made.set_visibility(len(found) > 1)
        return attributed(made, aria_label=words("settings.versions"))

    def _name_of(self, one: PersonaVersion) -> str:
        words = self._visit.words
        said = "settings.own" if one.office_id else "settings.default"
        return f"{words(said)} · {words('settings.version', version=one.version)}"


def _items(said: str | None) -> list[str]:
    return [part.strip() for part in (said or "").split(",") if part.strip()]
