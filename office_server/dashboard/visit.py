"""One browser tab that looks at one office: who looks, in which words, what they may do, and what is new.

It acts by the functions of the API's routes, with the access that each of them asks for, checked anew every time.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
import structlog
from nicegui import Client, ui

from office_server.access import author_of, role_in
from office_server.acting import Actor, act_for
from office_server.dashboard import people, sign_in
from office_server.dashboard.bits import lead_to
from office_server.dashboard.feed import News, OfficeFeed
from office_server.dashboard.people import Route, Who
from office_server.dashboard.state import BASE, Shared
from office_server.dashboard.words import Words
from office_server.routes import commands
from office_server.rows import Office
from shared.errors import Forbidden, OfficeError, Unauthenticated
from shared.ids import SessionId
from shared.states import CommandType, MemberRole

_STILL_IN_SECONDS = 5.0
_log = structlog.get_logger(__name__)
OnNews = Callable[[News], None]


class Visit:
    """Made by the frame for each page. `words` are the texts, `query` what the address says behind its `?`."""

    def __init__(
        self, shared: Shared, person: str, cookie: str, who: Who, office: Office, words: Words, client: Client,
        query: Mapping[str, str], page: str,
    ) -> None:  # fmt: skip
        self.services = shared.services
        self.office = office
        self.words = words
        self.query = dict(query)
        self.page = page
        self.wanted: set[SessionId] = set()
        self.feed: OfficeFeed = shared.feeds.of(office.id)
        self.who = who
        self._shared = shared
        self._person = person
        self._cookie = cookie
        self._client = client
        self._on_news: list[OnNews] = []
        self._tails: dict[SessionId, str] = {}

    # What may be done, and doing it -----------------------------------------------------------------------------------

    def may(self, route: Route) -> bool:
        """Whether to offer it. The office refuses it anyway to those who may not."""
        return self.who.role.allows(people.needed_for(route))

    async def do(self, route: Route, **arguments: Any) -> Any:
        """Calls a route of the API as this person. Raises OfficeError as the route does."""
        access = await people.gate_of(route).let_in(
            self.services, self.office.id, people.who_is(self.services, self._person)
        )
        taken = inspect.signature(route).parameters
        given = {people.access_argument(route): access} | ({"services": self.services} if "services" in taken else {})
        answer = await route(**given, **arguments)
        if people.needed_for(route) is not MemberRole.VIEWER:
            self.feed.poke()
        return answer

    async def attempt(self, route: Route, done: str | None = None, **arguments: Any) -> Any:
        """The same for what a person pressed: says what came of it. None when it was refused.

        Args:
            done: the key of what to say when it worked.
        """
        try:
            answer = await self.do(route, **arguments)
        except OfficeError as error:
            self.complain(error)
            return None
        if done is not None:
            self.say(self.words(done))
        return True if answer is None else answer

    async def type_into(self, session: SessionId, text: str) -> bool:
        """Types into a session for a person who took it over. They are looked up with the text, in one call: whoever
        types waits for each key. Where the office does not take it, the API says why, and so does this."""
        act_for(Actor(author_of(self.who.caller), self.who.caller.id))
        try:
            if await self.services.backend.pages.type_into(self._person, self.office.id, session, text):
                self.services.metrics.commands.labels(CommandType.SEND_TEXT).inc()
                return True
        except OfficeError as error:
            self.complain(error)
            return False
        body = commands.NewCommand(command_type=CommandType.SEND_TEXT, payload={"text": text}, session_id=session)
        return await self.attempt(commands.insert_command, body=body) is not None

    def say(self, text: str) -> None:
        with self._client:
            ui.notify(text, type="positive", position="bottom", timeout=2500)

    def warn(self, text: str) -> None:
        """Something is missing before it can be done."""
        with self._client:
            ui.notify(text, type="warning", position="bottom", timeout=4000)

    def complain(self, error: OfficeError) -> None:
        """Says what went wrong, in the person's language as far as it is known there, and what to do."""
        if isinstance(error, Unauthenticated):
            self.leave()
            return
        title = self.words.of("error", error.code)
        known = title != error.code
        detail = " ".join(part for part in (error.detail, error.advice) if part)
        with self._client:
            ui.notify(
                title if known else error.title, caption=detail, type="negative", position="bottom", timeout=8000,
                close_button=self.words("frame.close"),
            )  # fmt: skip

    # What is new ------------------------------------------------------------------------------------------------------

    def on_news(self, show: OnNews) -> None:
        """`show` is called at once, and then whenever something is new, at most five times a second."""
        self._on_news.append(show)
        show(News(self.feed.picture, set(), self.feed.trouble, True))

    def look(self, news: News) -> None:
        if self._client.is_deleted:
            self.feed.leave(self)
            return
        if not self._client.has_socket_connection:
            return
        with self._client:
            for show in self._on_news:
                show(news)
            self._hear(beat=news.new_picture and news.picture is not None)

    def show_tails(self) -> None:
        """Those of the sessions that are wanted now; the rest comes with the news."""
        with self._client:
            self._hear(beat=False)

    def _hear(self, *, beat: bool) -> None:
        """What comes five times a second goes past NiceGUI's elements: for each change to one of them the browser looks
        through the whole page."""
        streams = self.feed.streams
        known, self._tails = self._tails, {one: streams[one].tail for one in self.wanted & streams.keys()}
        tails = {str(one): tail for one, tail in self._tails.items() if known.get(one) != tail}
        told = {"beat": beat, "tails": tails, "left": [str(one) for one in known.keys() - self._tails.keys()]}
        if any(told.values()):
            ui.run_javascript(f"window.semo.hear({orjson.dumps(told).decode()})")

    # Coming and going -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Once the page is built."""
        self.feed.join(self)
        leave = partial(self.feed.leave, self)
        self._client.on_delete(leave)  # pyright: ignore[reportUnknownMemberType]
        self._client.on_connect(self.feed.poke)  # pyright: ignore[reportUnknownMemberType]
        ui.timer(_STILL_IN_SECONDS, self._check_still_in)

    async def _check_still_in(self) -> None:
        try:
            if self._shared.signing.person(self._cookie) is None:
                raise Unauthenticated
            caller = await people.who_is(self.services, self._person)
            if role_in(caller, self.office.id) != self.who.role:
                ui.navigate.reload()
        except Unauthenticated:
            self.leave()
        except Forbidden:
            self.leave("removed")
        except OfficeError as error:
            _log.info("sign_in_not_checked", code=error.code)

    def leave(self, why: str = "expired") -> None:
        """The person is not signed in any more, or no member: nothing more is shown here."""
        self.feed.leave(self)
        with self._client:
            lead_to(sign_in.address(self.address(), why))

    # Addresses --------------------------------------------------------------------------------------------------------

    def address(self, page: str | None = None, **query: object) -> str:
        """Of a page of this office; without `page` of this one as it stands."""
        asked = self.query if page is None and not query else {k: v for k, v in query.items() if v is not None}
        behind = urlencode({name: str(value) for name, value in asked.items()})
        return f"{BASE}/{self.office.id}/{page or self.page}" + (f"?{behind}" if behind else "")

    def note(self, **query: object) -> None:
        """Keeps in the address what is open, so that a reload or a link shows the same. None removes."""
        for name, value in query.items():
            if value is None:
                self.query.pop(name, None)
            else:
                self.query[name] = str(value)
        ui.navigate.history.replace(self.address())

    def asked_for(self, name: str) -> UUID | None:
        """An id that the address names."""
        try:
            return UUID(self.query[name])
        except (KeyError, ValueError):
            return None
