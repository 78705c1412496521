"""A session opened: a dialog that is kept in the address, with its tabs, its neighbours, and what may be done to it."""

import asyncio
from collections.abc import Callable

import structlog
from nicegui import ui

from office_server.dashboard.bits import State, attributed, button, element, icon, text
from office_server.dashboard.dialogs import close_button, sure
from office_server.dashboard.feed import News
from office_server.dashboard.tabs.base import Tab
from office_server.dashboard.tabs.costs import Costs
from office_server.dashboard.tabs.current import Current
from office_server.dashboard.tabs.history import History
from office_server.dashboard.tabs.logs import Logs
from office_server.dashboard.tabs.quality import Quality
from office_server.dashboard.tabs.screenshots import Screenshots
from office_server.dashboard.visit import Visit
from office_server.picture_rows import SeenSession
from office_server.routes import commands, sessions
from shared.errors import OfficeError
from shared.ids import SessionId

_TABS: dict[str, type[Tab]] = {
    "current": Current, "history": History, "logs": Logs, "screenshots": Screenshots, "quality": Quality,
    "costs": Costs,
}  # fmt: skip

_log = structlog.get_logger(__name__)


class Detail:
    """`order` says which sessions stand before and after the opened one."""

    def __init__(self, visit: Visit, order: Callable[[], list[SessionId]] | None = None) -> None:
        self.wanted: set[SessionId] = set()
        self._visit = visit
        self._order = order or self._all
        self._seen: SeenSession | None = None
        self._tab: Tab | None = None
        self._looking: asyncio.Task[None] | None = None
        self._dialog = ui.dialog().classes("detail")
        self._dialog.on_value_change(self._moved)
        visit.on_news(self._look)

    async def as_asked(self) -> None:
        """Opens what the address names."""
        session = self._visit.asked_for("session")
        if session is not None:
            await self.open(SessionId(session), self._visit.query.get("tab", "current"))

    async def open(self, session: SessionId, tab: str = "current") -> None:
        seen = await self._find(session)
        if seen is None:
            return
        self._seen = seen
        self.wanted = {session}
        self._visit.wanted = self._visit.wanted | self.wanted
        self._visit.feed.poke()
        self._dialog.clear()
        attributed(self._dialog, aria_label=f"{seen.role} · {seen.machine}")
        with self._dialog, element("div", "sheet opened"):
            self._build_head(seen)
            self._build_actions(seen)
            chosen = tab if tab in _TABS else "current"
            tabs = ui.tabs(on_change=lambda event: self._choose(str(event.value)))
            tabs.props("dense align=left outside-arrows")
            with tabs:
                for name in _TABS:
                    ui.tab(name, self._visit.words(f"tab.{name}"))
            self._place = element("div", "tab", tabindex="-1")
        self._dialog.open()
        tabs.set_value(chosen)  # which builds it

    async def _find(self, session: SessionId) -> SeenSession | None:
        picture = self._visit.feed.picture
        seen = next((one for one in picture.sessions if one.id == session), None) if picture else None
        if seen is not None:
            return seen
        try:
            return await self._visit.services.backend.pages.session(self._visit.office.id, session)
        except OfficeError as error:
            self._visit.complain(error)
            return None

    # What is in it ----------------------------------------------------------------------------------------------------

    def _build_head(self, seen: SeenSession) -> None:
        words = self._visit.words
        order = self._order()
        place = order.index(seen.id) if seen.id in order else -1
        with element("header", "head"):
            self._neighbour("chevron_left", "previous", order[place - 1] if place > 0 else None)
            text("h2", seen.role)
            text("span", f"{seen.agent} · {seen.machine}", "quiet")
            self._state = State(seen.status, words.of("status", seen.status))
            element("span", "space")
            self._neighbour("chevron_right", "next", order[place + 1] if 0 <= place < len(order) - 1 else None)
            close_button(words, self._dialog.close)

    def _neighbour(self, picture: str, name: str, session: SessionId | None) -> None:
        said = self._visit.words(f"session.{name}")
        arrow = "←" if name == "previous" else "→"

        async def there() -> None:
            if session is not None:
                await self.open(session, self._visit.query.get("tab", "current"))

        made = button("", there, "button bare", aria_label=said, title=f"{said} (Alt+{arrow})")
        attributed(made, **{f"data_{name}": "", "disabled": session is None})
        with made:
            icon(picture)

    def _build_actions(self, seen: SeenSession) -> None:
        visit, words = self._visit, self._visit.words
        if seen.ended_at is not None or not visit.may(sessions.send_prompt):
            return
        with element("div", "acts"):
            field = ui.input(placeholder=words("session.say")).props("outlined dense").classes("grow")
            attributed(field, aria_label=words("session.say"))

            async def send() -> None:
                said = (field.value or "").strip()
                body = sessions.NewPrompt(text=said)
                if said and await visit.attempt(sessions.send_prompt, "do.sent", session_id=seen.id, body=body):
                    field.value = ""

            field.on("keydown.enter", send, args=[])
            button(words("do.send"), send, "button first")
            button(words("do.interrupt"), self._interrupt)
            if visit.may(commands.insert_command):
                self._taking = button(words("do.take_over"), self._take_over, aria_pressed="false")
            button(words("do.terminate"), self._terminate, "button danger")

    async def _choose(self, tab: str) -> None:
        if self._seen is None:
            return
        self._visit.note(session=self._seen.id, tab=tab)
        self._place.clear()
        with self._place:
            self._tab = _TABS[tab](self._visit, self._seen)
            try:
                await self._tab.build()
            except OfficeError as error:
                self._visit.complain(error)

    # What is new ------------------------------------------------------------------------------------------------------

    def _look(self, news: News) -> None:
        if self._seen is None or self._tab is None or news.picture is None:
            return
        seen = next((one for one in news.picture.sessions if one.id == self._seen.id), self._seen)
        if news.new_picture and seen != self._seen:
            self._seen = seen
            self._state.become(seen.status, self._visit.words.of("status", seen.status))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(_looking(self._tab, seen, news))

    def _moved(self) -> None:
        if not self._dialog.value:
            self._seen = self._tab = None
            self.wanted = set()
            self._visit.note(session=None, tab=None)

    # What is done -----------------------------------------------------------------------------------------------------

    async def _interrupt(self) -> None:
        if self._seen is not None:
            await self._visit.attempt(sessions.cancel_turn, "do.sent", session_id=self._seen.id, wait=0)

    async def _take_over(self) -> None:
        if not isinstance(self._tab, Current) or self._tab.terminal is None:
            await self._choose("current")
        if isinstance(self._tab, Current) and self._tab.terminal is not None:
            terminal = self._tab.terminal
            taken = await terminal.take_over(not terminal.taken_over)
            self._taking.show(self._visit.words("do.give_back" if taken else "do.take_over"))
            attributed(self._taking, aria_pressed=str(taken).lower())

    async def _terminate(self) -> None:
        words, seen = self._visit.words, self._seen
        if seen is not None and await sure(
            words, words("session.end_sure"), words("session.end_what"), words("do.terminate")
        ):
            await self._visit.attempt(sessions.terminate_session, "do.sent", session_id=seen.id, wait=0)

    def _all(self) -> list[SessionId]:
        picture = self._visit.feed.picture
        return [seen.id for seen in picture.sessions if seen.ended_at is None] if picture else []


async def _looking(tab: Tab, seen: SeenSession, news: News) -> None:
    try:
        await tab.look(seen, news)
    except OfficeError as error:
        _log.info("tab_not_refreshed", code=error.code)  # the frame says it; the next news tries again
