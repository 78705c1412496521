"""Every session as a card: filtered, searched, sorted; a card opens the session."""

from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import attributed, element, empty
from office_server.dashboard.cards import Card
from office_server.dashboard.detail import Detail
from office_server.dashboard.feed import News
from office_server.dashboard.frame import page
from office_server.dashboard.visit import Visit
from office_server.picture_rows import Picture, SeenSession
from shared.ids import SessionId
from shared.states import SessionStatus

_ASKS = (SessionStatus.NEEDS_PERMISSION, SessionStatus.WAITING_INPUT, SessionStatus.ERROR)
_SHOWS: dict[str, Callable[[SeenSession], bool]] = {
    "alive": lambda seen: seen.ended_at is None,
    "working": lambda seen: seen.status is SessionStatus.EXECUTING,
    "asking": lambda seen: seen.status in _ASKS,
    "idle": lambda seen: seen.ended_at is None and seen.acquired_by is None,
    "ended": lambda seen: seen.ended_at is not None,
}
_SORTS: dict[str, Callable[[SeenSession], Any]] = {
    "role": lambda seen: (seen.role.lower(), seen.machine, seen.created_at),
    "urgency": lambda seen: (seen.status not in _ASKS, seen.status is not SessionStatus.EXECUTING, seen.role.lower()),
    "activity": lambda seen: -seen.last_activity_at.timestamp(),
    "cost": lambda seen: -(seen.cost_usd or 0),
}


@page("sessions", icon="terminal", key="s")
async def sessions(visit: Visit) -> None:
    list_ = _List(visit)
    visit.on_news(list_.look)
    await list_.detail.as_asked()


class _List:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._cards: dict[SessionId, Card] = {}
        self._in_sight: set[SessionId] = set()
        self._search = ""
        self._shows = visit.query.get("show", "alive") if visit.query.get("show") in _SHOWS else "alive"
        self._sort = visit.query.get("sort", "urgency") if visit.query.get("sort") in _SORTS else "urgency"
        self._machine = ""
        self._machine_names: list[str] = []
        self._build_tools()
        self._box = element("div", "cards")
        self._nothing = empty(visit.words("sessions.none"), visit.words("sessions.none_hint"))
        self.detail = Detail(visit, self._order)
        ui.on("in_sight", self._saw)

    # What is shown ----------------------------------------------------------------------------------------------------

    def look(self, news: News) -> None:
        if news.picture is not None and news.new_picture:
            self._show(news.picture)

    def _order(self) -> list[SessionId]:
        """The sessions as they stand on the page."""
        return list(self._cards)

    def _show(self, picture: Picture) -> None:
        machines = sorted({seen.machine for seen in picture.sessions})
        if machines != self._machine_names:
            self._machine_names = machines
            options = {"": self._visit.words("sessions.all_machines")} | {name: name for name in machines}
            chosen = self._machine if self._machine in machines else ""
            self._machines.set_options(options, value=chosen)  # pyright: ignore[reportUnknownMemberType]
        found = sorted((seen for seen in picture.sessions if self._fits(seen)), key=_SORTS[self._sort])
        for gone in self._cards.keys() - {seen.id for seen in found}:
            self._cards.pop(gone).box.delete()
        ordered: dict[SessionId, Card] = {}
        for place, seen in enumerate(found):
            card = self._cards.get(seen.id)
            if card is None:
                with self._box:
                    card = Card(self._visit, seen, self._visit.address("sessions", session=seen.id))
                card.link.on("click.prevent.stop", partial(self.detail.open, seen.id), args=[])
            card.show(seen)
            ordered[seen.id] = card
            if self._box.default_slot.children[place] is not card.box:
                card.box.move(target_index=place)
        self._cards = ordered
        self._nothing.set_visibility(not found)
        self._want()

    def _fits(self, seen: SeenSession) -> bool:
        said = f"{seen.role} {seen.machine} {seen.agent} {seen.task} {seen.branch} {seen.prompt} {seen.id}".lower()
        return (
            _SHOWS[self._shows](seen)
            and (not self._machine or seen.machine == self._machine)
            and all(part in said for part in self._search.lower().split())
        )

    def _saw(self, event: Any) -> None:
        known = {str(session): session for session in self._cards}
        self._in_sight = {known[one] for one in event.args.get("ids", []) if one in known}
        self._want()

    def _want(self) -> None:
        wanted = (self._in_sight & self._cards.keys()) | self.detail.wanted
        if wanted != self._visit.wanted:
            self._visit.wanted = wanted
            self._visit.show_tails()
            self._visit.feed.poke()

    # What is chosen ---------------------------------------------------------------------------------------------------

    def _build_tools(self) -> None:
        words = self._visit.words
        with element("div", "tools", role="search"):
            search = ui.input(placeholder=words("sessions.search"), on_change=self._searched).props(
                "outlined dense clearable debounce=200"
            )
            attributed(search.classes("grow"), aria_label=words("sessions.search"), data_search="")
            shows = ui.select(
                {one: words(f"sessions.show_{one}") for one in _SHOWS}, value=self._shows, on_change=self._chose_shows,
            )  # fmt: skip
            attributed(shows.props("outlined dense options-dense"), aria_label=words("sessions.show"))
            self._machines = ui.select({"": words("sessions.all_machines")}, value="", on_change=self._chose_machine)
            attributed(
                self._machines.props("outlined dense options-dense"), aria_label=words("sessions.machine"),
            )  # fmt: skip
            sorts = ui.select(
                {one: words(f"sessions.sort_{one}") for one in _SORTS}, value=self._sort, on_change=self._chose_sort,
            )  # fmt: skip
            attributed(sorts.props("outlined dense options-dense"), aria_label=words("sessions.sort"))

    def _searched(self, event: Any) -> None:
        self._search = event.value or ""
        self._again()

    def _chose_shows(self, event: Any) -> None:
        self._shows = event.value
        self._visit.note(show=event.value)
        self._again()

    def _chose_sort(self, event: Any) -> None:
        self._sort = event.value
        self._visit.note(sort=event.value)
        self._again()

    def _chose_machine(self, event: Any) -> None:
        self._machine = event.value or ""
        self._again()

    def _again(self) -> None:
        if self._visit.feed.picture is not None:
            self._show(self._visit.feed.picture)
