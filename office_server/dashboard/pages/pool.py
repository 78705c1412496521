"""The pools: who holds which session, what is kept warm, which circuits are open, and why what waits does."""

import asyncio

from nicegui import ui

from office_server.dashboard.bits import Ago, State, element, empty, text
from office_server.dashboard.feed import News
from office_server.dashboard.frame import page
from office_server.dashboard.visit import Visit
from office_server.routes import pool as pools
from office_server.routes.pool import PoolState
from shared.errors import OfficeError


@page("pool", icon="hub", key="p")
async def pool(visit: Visit) -> None:
    _Pool(visit)


class _Pool:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._box = element("div", "sections")
        self._shown: PoolState | None = None
        self._fetching: asyncio.Task[None] | None = None
        visit.on_news(self._look)

    def _look(self, news: News) -> None:
        if news.new_picture and (self._fetching is None or self._fetching.done()):
            self._fetching = asyncio.create_task(self._fetch())

    async def _fetch(self) -> None:
        try:
            state: PoolState = await self._visit.do(pools.get_pool, pending=100)
        except OfficeError:
            return  # the frame says that it is not answered; the next picture asks again
        if self._shown is not None and _of_interest(state) == _of_interest(self._shown):
            return
        self._shown = state
        if not self._box.is_deleted:
            self._box.clear()
            with self._box:
                self._build(state)

    def _build(self, state: PoolState) -> None:
        words = self._visit.words
        names = {client.client_id: client.name for client in state.clients}
        with element("div", "numbers"):
            self._number(words("pool.in_use"), f"{state.places_taken} / {state.session_limit}")
            self._number(words("pool.live"), str(len(state.sessions)))
            self._number(words("pool.waits"), str(state.pending_total))
            self._number(words("pool.warm_roles"), ", ".join(state.warm_roles) or "–")
        with self._section(words("pool.waiting")):
            if not state.pending:
                empty(words("pool.none_waits"))
            else:
                with self._table("pool.what", "pool.role", "pool.asked", "pool.why"):
                    for one in state.pending:
                        with element("tr"):
                            text("td", words.of("command_type", one.command_type))
                            text("td", one.role or "–")
                            with element("td"):
                                Ago(one.created_at)
                            why = words.of("waiting", one.waiting.reason) if one.waiting else words("pool.at_once")
                            text("td", why, title=one.waiting.detail if one.waiting else "")
        if state.circuits:
            with (
                self._section(words("pool.circuits")),
                self._table("pool.role", "pool.machine", "pool.why", "pool.next_try"),
            ):
                for circuit in state.circuits:
                    with element("tr"):
                        text("td", circuit.role)
                        text("td", names.get(circuit.client_id, "–"))
                        text("td", circuit.error)
                        with element("td"):
                            Ago(circuit.open_until)
        with self._section(words("pool.sessions")):
            if not state.sessions:
                empty(words("sessions.none"), words("sessions.none_hint"))
            else:
                columns = ("pool.role", "pool.kind", "pool.machine", "pool.state", "pool.held_by", "pool.since")
                with self._table(*columns):
                    for seen in state.sessions:
                        with element("tr"):
                            with element("td"):
                                text("a", seen.role, href=self._visit.address("sessions", session=seen.session_id))
                            text("td", words.of("pool", seen.pool))
                            text("td", names.get(seen.client_id, "–"))
                            with element("td"):
                                State(seen.status, words.of("status", seen.status))
                            with element("td"):
                                if seen.acquired_by is not None:
                                    to = self._visit.address("commands", command=seen.acquired_by)
                                    text("a", str(seen.acquired_by)[:8], "mono", href=to)
                                else:
                                    text("span", words("pool.idle"), "quiet")
                            with element("td"):
                                Ago(seen.held_since or seen.idle_since)

    def _number(self, name: str, value: str) -> None:
        with element("div", "sheet number"):
            text("span", value, "value")
            text("span", name, "quiet")

    def _section(self, title: str) -> ui.element:
        with element("section", aria_label=title) as made:
            text("h2", title)
        return made

    def _table(self, *columns: str) -> ui.element:
        with element("div", "sheet scroll", tabindex="0"), element("table", "table"):
            with element("thead"), element("tr"):
                for column in columns:
                    text("th", self._visit.words(column), scope="col")
            return element("tbody")


def _of_interest(state: PoolState) -> object:
    return state.model_dump(exclude={"at": True, "clients": {"__all__": {"last_seen_at"}}, "pending": {
        "__all__": {"waiting": {"clients", "detail"}}}})  # fmt: skip
