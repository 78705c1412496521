"""What is set about the office: its limits, its tokens, its personas, and what else to look for in output."""

import json
from functools import partial

from nicegui import ui
from pydantic import ValidationError

from office_server.dashboard.bits import Ago, attributed, button, element, empty, icon, text
from office_server.dashboard.dialogs import show_once, sure
from office_server.dashboard.frame import page
from office_server.dashboard.visit import Visit
from office_server.routes import offices, personas, tokens
from office_server.rows import Office, Persona, Token
from shared.errors import InvalidPayload
from shared.states import MemberRole

_NUMBERS = ("session_limit", "idle_seconds", "output_keep_bytes", "output_keep_days")


@page("settings", icon="tune", key="e")
async def settings(visit: Visit) -> None:
    words = visit.words
    with element("div", "sections"):
        with element("section", aria_label=words("settings.limits")):
            text("h2", words("settings.limits"))
            _Limits(visit, await visit.do(offices.get_office))
        with element("section", aria_label=words("settings.personas")):
            text("h2", words("settings.personas"))
            await _Personas(visit).build()
        if visit.may(tokens.list_tokens):
            with element("section", aria_label=words("settings.tokens")):
                text("h2", words("settings.tokens"))
                await _Tokens(visit).build()


class _Limits:
    def __init__(self, visit: Visit, office: Office) -> None:
        self._visit = visit
        words = visit.words
        may = visit.may(offices.change_office)
        with element("div", "sheet form"):
            self._name = self._field("name", office.name, may)
            self._roles = self._field("warm_roles", ", ".join(office.warm_roles), may)
            self._numbers = {name: self._field(name, str(getattr(office, name)), may) for name in _NUMBERS}
            patterns = ui.textarea(words("settings.patterns"), value=json.dumps(office.patterns, indent=2))
            self._patterns = patterns.props("outlined autogrow" + ("" if may else " readonly")).classes("mono wide")
            text("p", words("settings.patterns_hint"), "quiet wide")
            if may:
                with element("div", "does wide"):
                    button(words("do.save"), self._save, "button first")

    def _field(self, name: str, value: str, may: bool) -> ui.input:
        return ui.input(self._visit.words(f"settings.{name}"), value=value).props(
            "outlined dense" + ("" if may else " readonly")
        )

    async def _save(self) -> None:
        try:
            body = offices.OfficeChange.model_validate(
                {
                    "name": self._name.value,
                    "warm_roles": [role.strip() for role in (self._roles.value or "").split(",") if role.strip()],
                    "patterns": json.loads(self._patterns.value or "[]"),
                    **{name: field.value for name, field in self._numbers.items()},
                }
            )
        except (ValidationError, json.JSONDecodeError) as error:
            self._visit.complain(InvalidPayload(_in_words(error)))
            return
        await self._visit.attempt(offices.change_office, "do.saved", body=body)


class _Personas:
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
                    text("p", one.persona_prompt.strip().split("\n")[0][:200], "quiet")
                    with element("div", "does"):
                        button(words("settings.open"), partial(self._open, one))

    async def _open(self, one: Persona) -> None:
        visit, words = self._visit, self._visit.words
        may = visit.may(personas.put_persona)
        how = "outlined dense" + ("" if may else " readonly")
        with attributed(ui.dialog(), aria_label=f"{one.role} · {one.name}") as dialog, element("div", "sheet opened"):
            with element("header", "head"):
                text("h2", f"{one.role} · {one.name}")
                text("span", words("settings.version", version=one.version), "quiet")
                element("span", "space")
                with button("", dialog.close, "button bare", aria_label=words("frame.close")):
                    icon("close")
            with element("div", "tab persona-edit"):
                with element("div", "form plain"):
                    name = ui.input(words("settings.persona_name"), value=one.name).props(how)
                    prompt = ui.textarea(words("settings.persona_prompt"), value=one.persona_prompt)
                    prompt.props(f"outlined autogrow{'' if may else ' readonly'}").classes("wide")
                    scope = ui.input(words("settings.scope"), value=", ".join(one.scope_patterns)).props(how)
                    skills = ui.input(words("settings.skills"), value=", ".join(one.core_skills)).props(how)
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
                    visit.complain(InvalidPayload(_in_words(error)))
                    return None

            async def preview() -> None:
                body = draft()
                if body is not None:
                    found = await visit.attempt(personas.preview_persona, role=one.role, body=body)
                    if found is not None:
                        shown.show(found.text)

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


class _Tokens:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        words = visit.words
        with element("div", "tools"):
            self._name = ui.input(words("settings.token_name")).props("outlined dense").classes("grow")
            roles = {str(role): words.of("role", role) for role in MemberRole}
            self._role = ui.select(roles, value=str(MemberRole.OPERATOR)).props("outlined dense options-dense")
            attributed(self._role, aria_label=words("settings.token_role"))
            button(words("settings.token_make"), self._make, "button first")
        self._box = element("div", "sheet scroll", tabindex="0")

    async def build(self) -> None:
        found: tokens.TokenList = await self._visit.do(tokens.list_tokens)
        words = self._visit.words
        self._box.clear()
        with self._box:
            if not found.tokens:
                empty(words("settings.tokens_none"), words("settings.tokens_hint"))
                return
            with element("table", "table"):
                with element("thead"), element("tr"):
                    for column in ("token_name", "token_role", "token_by", "token_used", "token_state"):
                        text("th", words(f"settings.{column}"), scope="col")
                with element("tbody"):
                    for token in found.tokens:
                        self._row(token)

    def _row(self, token: Token) -> None:
        words = self._visit.words
        with element("tr"):
            text("td", token.name)
            text("td", words.of("role", token.role))
            text("td", token.created_by, "quiet")
            with element("td"):
                Ago(token.last_used_at)
            with element("td"):
                if token.revoked_at is not None:
                    text("span", words("settings.token_revoked"), "quiet")
                else:
                    button(words("do.revoke"), partial(self._revoke, token), "button danger")

    async def _make(self) -> None:
        words = self._visit.words
        try:
            body = tokens.NewToken(name=self._name.value or "", role=MemberRole(str(self._role.value)))
        except ValidationError as error:
            self._visit.complain(InvalidPayload(_in_words(error)))
            return
        made: tokens.TokenOnce | None = await self._visit.attempt(tokens.create_token, body=body)
        if made is not None:
            self._name.value = ""
            await show_once(words, words("settings.token_made"), words("settings.token_once"), made.secret)
            await self.build()

    async def _revoke(self, token: Token) -> None:
        words = self._visit.words
        title = words("settings.token_sure", name=token.name)
        if await sure(words, title, words("settings.token_what"), words("do.revoke")):
            await self._visit.attempt(tokens.revoke_token, "do.revoked", token_id=token.id)
            await self.build()


def _items(said: str | None) -> list[str]:
    return [part.strip() for part in (said or "").split(",") if part.strip()]


def _in_words(error: ValidationError | json.JSONDecodeError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return str(error)
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
