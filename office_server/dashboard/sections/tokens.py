"""The office's tokens: made, shown once, revoked."""

from functools import partial

from nicegui import ui
from pydantic import ValidationError

from office_server.dashboard.bits import Ago, attributed, button, element, empty, text
from office_server.dashboard.dialogs import show_once, sure
from office_server.dashboard.visit import Visit
from office_server.dashboard.wrong import wrong
from office_server.routes import tokens
from office_server.rows import Token
from shared.states import MemberRole


class Tokens:
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
            self._visit.complain(wrong(error))
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
