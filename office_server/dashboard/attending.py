"""The inbox: each thing that waits for a person, with what can be done about it, one key each."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import Ago, State, Text, attributed, button, element, text
from office_server.dashboard.feed import News
from office_server.dashboard.visit import Visit
from office_server.routes import approvals, attention, commands, sessions
from office_server.rows import Attention, Picture
from shared.ids import SessionId

_BAD = {"failed", "lost", "expired", "error"}
_TAIL_OF = {"question", "permission", "error"}
Open = Callable[[SessionId], Any]


class Inbox:
    """Keeps one item for each thing, so that what a person types into one stays when others come and go."""

    def __init__(self, visit: Visit, box: ui.element, open_session: Open) -> None:
        self._visit = visit
        self._box = box
        self._open = open_session
        self._items: dict[tuple[str, str], _Item] = {}
        self.wanted: set[SessionId] = set()

    def show(self, picture: Picture) -> None:
        machines = {machine.id: machine.name for machine in picture.machines}
        found = {(one.kind, str(one.subject)): one for one in picture.attention}
        for gone in self._items.keys() - found.keys():
            self._items.pop(gone).box.delete()
        for place, (key, one) in enumerate(found.items()):
            if key not in self._items:
                with self._box:
                    self._items[key] = _Item(
                        self._visit, one, machines.get(one.client_id) if one.client_id else None, self._open
                    )
                self._items[key].box.move(target_index=place)
        self.wanted = {one.session_id for one in picture.attention if one.session_id and one.kind in _TAIL_OF}
        self._box.set_visibility(bool(found))

    def follow(self, news: News) -> None:
        """Shows the last lines of the terminals that ask."""
        streams = self._visit.feed.streams
        for item in self._items.values():
            session = item.about.session_id
            if item.tail is not None and session is not None and session in streams:
                item.tail.show(streams[session].tail)


class _Item:
    def __init__(self, visit: Visit, about: Attention, machine: str | None, open_session: Open) -> None:
        self.about = about
        self.tail: Text | None = None
        self._visit = visit
        self._open = open_session
        words = visit.words
        bad = " bad" if about.kind in _BAD else ""
        title = words.of("attention.kind", about.kind)
        self.box = element("article", f"sheet item{bad}", data_item="", tabindex="0", aria_label=title)
        with self.box:
            with element("div"):
                with element("div", "head"):
                    State(about.kind, title)
                    who = " · ".join(part for part in (about.role, machine) if part)
                    if who:
                        text("span", who).classes("quiet")
                    Ago(about.at, "quiet")
                if about.title:
                    text("p", about.title, "said")
                text("p", about.detail or words.of("attention.why", about.kind), "why")
                if about.action is not None:
                    self._build_exactly(about.action)
            with element("div", "does"):
                self._build_actions()
            if about.kind in _TAIL_OF:
                self.tail = text("pre", "", "wide", tabindex="0", aria_label=words("session.tail"))
            if about.kind == "question" and visit.may(sessions.send_prompt):
                self._build_answer()

    def _build_exactly(self, action: dict[str, Any]) -> None:
        """What would be done, to the letter: nobody should approve what they have not seen."""
        words = self._visit.words
        exact = json.dumps(action["input"], ensure_ascii=False, indent=2)
        text("pre", exact, tabindex="0", aria_label=words("attention.exactly"))
        with element("p", "why"):
            if action["redacted"]:
                text("span", f"{words('attention.redacted')} ")
            text("span", f"{words('attention.until')} ")
            Ago(datetime.fromisoformat(action["expires_at"]))

    def _build_actions(self) -> None:
        about, visit = self.about, self._visit
        session = about.session_id
        if session is not None:
            self._action("o", "open", lambda: self._open(session), first=about.kind in _TAIL_OF)
        if about.kind == "approval" and visit.may(approvals.approve):
            self._action("a", "approve", self._approve, first=True)
            self._action("d", "deny", self._deny)
            return
        if about.kind in ("failed", "lost", "expired") and visit.may(commands.insert_command):
            self._action("r", "again", self._again)
        if about.kind == "permission" and visit.may(sessions.cancel_turn):
            self._action("i", "interrupt", self._interrupt)
        if about.kind == "error" and visit.may(sessions.terminate_session):
            self._action("t", "terminate", self._terminate)
        if visit.may(attention.put_away):
            self._action("x", "put_away", self._put_away)

    def _action(self, key: str, name: str, does: Callable[[], Any], *, first: bool = False) -> None:
        made = button("", does, "button first" if first else "button", data_press=key)
        with made:
            text("span", self._visit.words(f"do.{name}"))
            text("kbd", key, aria_hidden="true")

    def _build_answer(self) -> None:
        words = self._visit.words
        with element("div", "wide answer"):
            field = ui.input(placeholder=words("attention.answer")).props("outlined dense")
            attributed(field, aria_label=words("attention.answer"))

            async def send() -> None:
                said = (field.value or "").strip()
                if said and await self._visit.attempt(
                    sessions.send_prompt,
                    "do.sent",
                    session_id=self.about.session_id,
                    body=sessions.NewPrompt(text=said),
                ):
                    field.value = ""

            field.on("keydown.enter", send)
            button(words("do.send"), send)

    async def _again(self) -> None:
        """Asks for the same once more, as a new command."""
        command = await self._visit.attempt(commands.get_command, command_id=self.about.command_id)
        if command is None:
            return
        body = commands.NewCommand(
            command_type=command.command_type, payload=command.payload, priority=command.priority,
            session_id=command.session_id if "role" not in command.payload else None,
            max_attempts=command.max_attempts,
        )  # fmt: skip
        if await self._visit.attempt(commands.insert_command, "do.sent", body=body) is not None:
            await self._put_away()

    async def _approve(self) -> None:
        body = approvals.Answer(digest=self._digest)
        await self._visit.attempt(approvals.approve, "do.approved", approval_id=self.about.subject, body=body)

    async def _deny(self) -> None:
        body = approvals.Denial(digest=self._digest)
        await self._visit.attempt(approvals.deny, "do.denied", approval_id=self.about.subject, body=body)

    @property
    def _digest(self) -> str:
        """Of the action that is shown here: the answer is to no other."""
        return str((self.about.action or {})["digest"])

    async def _put_away(self) -> None:
        await self._visit.attempt(attention.put_away, kind=self.about.kind, subject=self.about.subject)

    async def _interrupt(self) -> None:
        await self._visit.attempt(sessions.cancel_turn, "do.sent", session_id=self.about.session_id, wait=0)

    async def _terminate(self) -> None:
        await self._visit.attempt(sessions.terminate_session, "do.sent", session_id=self.about.session_id, wait=0)
