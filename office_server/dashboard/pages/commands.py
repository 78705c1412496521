"""The rows of agent_commands, newest first, filtered; one opened shows its receipts, its result, and why it waits."""

import asyncio
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import (
    Ago,
    State,
    attributed,
    button,
    element,
    empty,
    seconds_in_words,
    text,
    visible,
)
from office_server.dashboard.dialogs import close_button
from office_server.dashboard.feed import News
from office_server.dashboard.frame import page
from office_server.dashboard.supabase_links import address_of_row
from office_server.dashboard.visit import Visit
from office_server.routes import commands as routes
from office_server.rows import Command
from shared.errors import OfficeError
from shared.ids import CommandId
from shared.states import CommandStatus, CommandType

_PAGE = 50
_MOST = 200
_MOST_CHARACTERS = 60_000
_SAID = ("text", "role", "spec", "branch", "picture")
"""What of a payload tells best what it is about."""
_UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f-]{27}\b")
_STEPS = ("created_at", "claimed_at", "typed_at", "confirmed_at", "finished_at")


@page("commands", icon="list_alt", key="c")
async def commands(visit: Visit) -> None:
    list_ = _Commands(visit)
    await list_.refresh()
    visit.on_news(list_.look)
    asked = visit.asked_for("command")
    if asked is not None:
        await list_.open(CommandId(asked))


class _Commands:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._status = ""
        self._type = ""
        self._rows: dict[CommandId, _Row] = {}
        self._many = _PAGE
        self._fetching: asyncio.Task[None] | None = None
        words = visit.words
        with element("div", "tools", role="search"):
            every = {"": words("commands.every_status")}
            statuses = ui.select(
                every | {str(one): words.of("command_status", one) for one in CommandStatus}, value="",
                on_change=self._chose_status,
            )  # fmt: skip
            attributed(statuses.props("outlined dense options-dense"), aria_label=words("commands.status"))
            every = {"": words("commands.every_type")}
            types = ui.select(
                every | {str(one): words.of("command_type", one) for one in CommandType}, value="",
                on_change=self._chose_type,
            )  # fmt: skip
            attributed(types.props("outlined dense options-dense"), aria_label=words("commands.type"))
        with element("div", "sheet scroll", tabindex="0") as self._box, element("table", "table rows"):
            with element("thead"), element("tr"):
                for column in ("asked", "what", "type", "status", "author", "took"):
                    text("th", words(f"commands.{column}"), scope="col")
            self._body = element("tbody")
        self._nothing = empty(words("commands.none"), words("commands.none_hint"))
        self._none_like = empty(words("commands.none_like"))
        with element("div", "does more") as self._more:
            button(words("commands.more"), self._show_more)
        for one in (self._box, self._nothing, self._none_like, self._more):
            one.set_visibility(False)
        self._one_at_a_time = asyncio.Lock()
        self._dialog = ui.dialog()
        self._dialog.on_value_change(self._moved)

    def look(self, news: News) -> None:
        if news.new_picture and not self._dialog.value and (self._fetching is None or self._fetching.done()):
            self._fetching = asyncio.create_task(self.refresh())

    async def refresh(self) -> None:
        try:
            async with self._one_at_a_time:  # an older answer must not be shown after a newer one
                found: routes.CommandList = await self._visit.do(
                    routes.list_commands, status=[CommandStatus(self._status)] if self._status else None,
                    command_type=[CommandType(self._type)] if self._type else None, limit=self._many,
                )  # fmt: skip
                if not self._box.is_deleted:
                    self._show(found.commands, more=found.next is not None)
        except OfficeError:
            return  # the frame says that it is not answered; the next picture asks again

    def _show(self, commands: list[Command], *, more: bool) -> None:
        """Rows stay as long as their commands are shown: one that were made anew could not be met by a click."""
        for gone in self._rows.keys() - {command.id for command in commands}:
            self._rows.pop(gone).box.delete()
        for place, command in enumerate(commands):
            if command.id not in self._rows:
                with self._body:
                    self._rows[command.id] = _Row(self._visit, command, self.open)
            row = self._rows[command.id]
            row.show(command)
            if self._body.default_slot.children[place] is not row.box:
                row.box.move(target_index=place)
        self._box.set_visibility(bool(commands))
        chosen = bool(self._status or self._type)
        self._nothing.set_visibility(not commands and not chosen)
        self._none_like.set_visibility(not commands and chosen)
        self._more.set_visibility(more and self._many < _MOST)

    # One of them ------------------------------------------------------------------------------------------------------

    async def open(self, command: CommandId) -> None:
        found: routes.CommandDetail | None = await self._visit.attempt(routes.get_command, command_id=command)
        if found is None:
            return
        words = self._visit.words
        self._dialog.clear()
        attributed(self._dialog, aria_label=words("commands.one"))
        with self._dialog, element("div", "sheet opened command-detail"):
            with element("header", "head"):
                text("h2", words.of("command_type", found.command_type))
                State(found.status, words.of("command_status", found.status))
                text("span", str(found.id), "quiet mono")
                element("span", "space")
                close_button(words, self._dialog.close)
            with element("div", "tab", tabindex="0"):
                if found.waiting is not None:
                    text("p", words.of("waiting", found.waiting.reason), "waits")
                self._steps(found)
                self._json(words("commands.payload"), found.payload)
                for result in found.results:
                    said = result.result if result.success else {"error_code": result.error_code, "error": result.error}
                    self._json(words("commands.result", attempt=result.attempt), said)
                self._links(found)
        self._dialog.open()
        self._visit.note(command=found.id)

    def _steps(self, found: routes.CommandDetail) -> None:
        words = self._visit.words
        with element("ol", "steps-of"):
            for step in _STEPS:
                when = getattr(found, step)
                with element("li", "done" if when else ""):
                    text("span", words(f"step.{step}"))
                    if when:
                        text("span", f"{when:%H:%M:%S}.{when.microsecond // 1000:03}", "mono quiet")
        with element("dl", "facts"):
            for name, value in (
                ("author", found.author), ("attempt", f"{found.attempt} / {found.max_attempts}"),
                ("priority", found.priority), ("deadline", found.deadline),
            ):  # fmt: skip
                text("dt", words(f"commands.{name}"))
                text("dd", str(value) if value is not None else "–")

    def _json(self, title: str, value: object) -> None:
        text("h3", title)
        said = json.dumps(value, ensure_ascii=False, indent=2, default=str)
        shown = said if len(said) <= _MOST_CHARACTERS else f"{said[:_MOST_CHARACTERS]} …"
        text("pre", shown, "json", tabindex="0", aria_label=title)

    def _links(self, found: routes.CommandDetail) -> None:
        visit, words = self._visit, self._visit.words
        with element("div", "does"):
            if found.session_id is not None:
                text(
                    "a",
                    words("commands.to_session"),
                    "button",
                    href=visit.address("sessions", session=found.session_id),
                )
            row = address_of_row(str(visit.services.settings.supabase_url), "agent_commands", found.id)
            if row is not None:
                text("a", words("commands.to_supabase"), "button", href=row, target="_blank", rel="noreferrer")
            if found.status is CommandStatus.PENDING and visit.may(routes.withdraw_command):
                button(words("do.withdraw"), partial(self._withdraw, found.id), "button danger")

    async def _withdraw(self, command: CommandId) -> None:
        if await self._visit.attempt(routes.withdraw_command, "do.withdrawn", command_id=command):
            self._dialog.close()

    def _moved(self) -> None:
        if not self._dialog.value:
            self._visit.note(command=None)

    # What is chosen ---------------------------------------------------------------------------------------------------

    async def _chose_status(self, event: Any) -> None:
        self._status = event.value
        await self.refresh()

    async def _chose_type(self, event: Any) -> None:
        self._type = event.value
        await self.refresh()

    async def _show_more(self) -> None:
        self._many = min(self._many + _PAGE, _MOST)
        await self.refresh()


class _Row:
    def __init__(self, visit: Visit, command: Command, opens: Callable[[CommandId], Any]) -> None:
        self._words = words = visit.words
        self.box = element("tr")
        with self.box:
            with element("td"):
                Ago(command.created_at)
            with element("td", "what"):
                payload = command.payload
                said = str(next((payload[name] for name in _SAID if payload.get(name)), words("commands.no_text")))
                made = text("a", visible(said[:160]), href=visit.address("commands", command=command.id))
                made.on("click.prevent", partial(opens, command.id), args=[])
            text("td", words.of("command_type", command.command_type))
            with element("td"):
                self._state = State(command.status, "")
            text("td", _short(command.author or "–"), "quiet", title=command.author or "")
            self._took = text("td", "", "quiet")

    def show(self, command: Command) -> None:
        self._state.become(command.status, self._words.of("command_status", command.status))
        self._took.show(_took(command))


def _took(command: Command) -> str:
    if command.finished_at is None:
        return "–"
    return seconds_in_words((command.finished_at - command.created_at).total_seconds())


def _short(author: str) -> str:
    """With the beginning of an id instead of all of it."""
    return _UUID.sub(r"\1", author)
