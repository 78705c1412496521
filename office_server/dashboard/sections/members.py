"""The people of the office: who may do what, letting somebody in, another role, and the way out."""

from functools import partial
from typing import Any

from nicegui import ui
from pydantic import ValidationError

from office_server.access import User
from office_server.backend.members import Member
from office_server.dashboard.bits import Ago, attributed, button, element, empty, text
from office_server.dashboard.dialogs import show_once, sure
from office_server.dashboard.visit import Visit
from office_server.dashboard.wrong import wrong
from office_server.routes import members
from shared.states import MemberRole


class Members:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        words = visit.words
        self._may = visit.may(members.add_member)
        text("p", words("members.hint"), "quiet")
        if self._may:
            with element("div", "tools"):
                self._email = ui.input(words("members.email")).props("outlined dense type=email").classes("grow")
                attributed(self._email, aria_label=words("members.email"), autocomplete="off")
                self._role = self._roles(MemberRole.OPERATOR)
                button(words("members.add"), self._add, "button first")
        self._box = element("div", "sheet scroll", tabindex="0")

    def _roles(self, value: MemberRole) -> ui.select:
        words = self._visit.words
        roles = {str(role): words.of("role", role) for role in MemberRole}
        made = ui.select(roles, value=str(value)).props("outlined dense options-dense")
        return attributed(made, aria_label=words("members.role"))

    async def build(self) -> None:
        found: members.MemberList = await self._visit.do(members.list_members)
        words = self._visit.words
        self._box.clear()
        with self._box:
            if not found.members:
                empty(words("members.none"), words("members.none_hint"))
                return
            with element("table", "table"):
                with element("thead"), element("tr"):
                    for column in ("email", "role", "since", "seen", *(("does",) if self._may else ())):
                        text("th", words(f"members.{column}"), scope="col")
                with element("tbody"):
                    for member in found.members:
                        self._row(member)

    def _row(self, member: Member) -> None:
        words = self._visit.words
        caller = self._visit.who.caller
        is_me = isinstance(caller, User) and caller.id == member.user_id
        with element("tr"):
            with element("td"):
                text("span", member.email or str(member.user_id))
                if is_me:
                    text("span", f" · {words('members.you')}", "quiet")
            with element("td"):
                if self._may:
                    self._roles(member.role).on_value_change(partial(self._change, member))
                else:
                    text("span", words.of("role", member.role))
            with element("td"):
                Ago(member.created_at)
            with element("td"):
                Ago(member.last_sign_in_at)
                if member.last_sign_in_at is None:
                    text("span", words("members.never"), "quiet")
            if self._may:
                with element("td"):
                    button(words("members.remove"), partial(self._remove, member), "button danger")

    # What is done -----------------------------------------------------------------------------------------------------

    async def _add(self) -> None:
        words = self._visit.words
        try:
            body = members.NewMember(email=str(self._email.value or ""), role=MemberRole(str(self._role.value)))
        except ValidationError as error:
            self._visit.complain(wrong(error))
            return
        made: members.NewlyMember | None = await self._visit.attempt(members.add_member, body=body)
        if made is None:
            return
        self._email.value = ""
        if made.password is not None:
            hint = words("members.password_hint", email=made.email or "")
            await show_once(words, words("members.password"), hint, made.password)
        else:
            self._visit.say(words("do.saved"))
        await self.build()

    async def _change(self, member: Member, event: Any) -> None:
        body = members.MemberChange(role=MemberRole(str(event.value)))
        await self._visit.attempt(members.change_member, "do.saved", user_id=member.user_id, body=body)
        await self.build()

    async def _remove(self, member: Member) -> None:
        words = self._visit.words
        title = words("members.remove_sure", name=member.email or str(member.user_id))
        if await sure(words, title, words("members.remove_what"), words("members.remove")):
            await self._visit.attempt(members.remove_member, "members.removed", user_id=member.user_id)
            await self.build()
