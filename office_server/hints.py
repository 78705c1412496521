"""Listens to Realtime for word that commands moved, and wakes those who wait for them. Carries no facts.

One line per office that somebody waits in, made when first needed and kept for a while. How a line is kept alive is
its own business; until it lives, those who wait go on by polling.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Literal
from uuid import UUID

from office_server.rows import OutputChunk
from realtime_line.again import Again
from realtime_line.line import Line, LineState, Pace
from realtime_line.socket import Endpoint
from shared.channels import COMMAND_EVENT, JOBS_EVENT, OUTPUT_EVENT, SESSION_EVENT, events_topic
from shared.ids import CommandId, OfficeId, SessionId

OnShown = Callable[[OutputChunk | None], None]
"""Called with what a session has put out; with None where there may be more, to be fetched."""
_KEPT_SECONDS = 120.0
_MOVES = (COMMAND_EVENT, SESSION_EVENT, JOBS_EVENT)
Matters = Callable[[str, Mapping[str, Any]], bool]
"""Whether an event, by its name and what it carries, is for a follower."""
_MOST_LINES = 50  # each is a connection, of which the smallest plan of Supabase has 200; other offices go by polling


class _Looker:
    """One who looks at a session into which somebody types."""

    def __init__(self, session: SessionId, shown: OnShown) -> None:
        self.session = str(session)
        self.shown = shown

    def look(self) -> None:
        self.shown(None)


class _Waiting:
    """Those who wait in one office. Called inside the reader of a socket: sets events and nothing else."""

    def __init__(self) -> None:
        self._events: dict[CommandId, set[asyncio.Event]] = {}
        self._of_anything: set[asyncio.Event] = set()
        self._followers: list[tuple[Callable[[], None], Matters]] = []
        self._lookers: list[_Looker] = []
        self._again = Again()
        self.empty_since: float | None = None

    def add(self, command: CommandId, wake: asyncio.Event) -> None:
        self._events.setdefault(command, set()).add(wake)
        self.empty_since = None

    def remove(self, command: CommandId, wake: asyncio.Event, now: float) -> None:
        self._again.never(wake.set)
        self._events[command].discard(wake)
        if not self._events[command]:
            del self._events[command]
        self._note_empty(now)

    def add_of_anything(self, wake: asyncio.Event) -> None:
        self._of_anything.add(wake)
        self.empty_since = None

    def remove_of_anything(self, wake: asyncio.Event, now: float) -> None:
        self._again.never(wake.set)
        self._of_anything.discard(wake)
        self._note_empty(now)

    def follow(self, woken: Callable[[], None], matters: Matters) -> None:
        self._followers.append((woken, matters))
        self.empty_since = None

    def unfollow(self, woken: Callable[[], None], matters: Matters, now: float) -> None:
        self._again.never(woken)
        self._followers.remove((woken, matters))
        self._note_empty(now)

    def add_looker(self, looker: _Looker) -> None:
        self._lookers.append(looker)
        self.empty_since = None

    def remove_looker(self, looker: _Looker, now: float) -> None:
        self._again.never(looker.look)
        self._lookers.remove(looker)
        self._note_empty(now)

    def _note_empty(self, now: float) -> None:
        if not self._events and not self._of_anything and not self._followers and not self._lookers:
            self.empty_since = now

    def on_broadcast(self, event: str, payload: Mapping[str, Any]) -> None:
        if event == OUTPUT_EVENT:
            self._show(payload)
            return
        self._wake(*(wake.set for wake in self._of_anything))
        self._wake(*(woken for woken, matters in self._followers if matters(event, payload)))
        if event != COMMAND_EVENT:
            return
        if "command_id" not in payload:  # many moved at once
            self._wake(*(wake.set for wakes in self._events.values() for wake in wakes))
        else:
            self._wake(*(wake.set for wake in self._events.get(CommandId(UUID(payload["command_id"])), ())))

    def _show(self, payload: Mapping[str, Any]) -> None:
        lookers = [looker for looker in self._lookers if looker.session == payload["session_id"]]
        if "text" not in payload:
            self._wake(*(looker.look for looker in lookers))
            return
        chunk = OutputChunk(start_offset=payload["start"], end_offset=payload["end"], text=payload["text"])
        for looker in lookers:
            looker.shown(chunk)

    def on_insert(self, record: Mapping[str, Any]) -> None:
        self.on_gap()

    def on_gap(self) -> None:
        for wake in self._of_anything:
            wake.set()
        for woken, _ in self._followers:
            woken()
        for looker in self._lookers:
            looker.look()
        for wakes in self._events.values():
            for wake in wakes:
                wake.set()

    def _wake(self, *woken: Callable[[], None]) -> None:
        for call in woken:
            call()
            self._again.soon(call)


class Hints:
    """`run()` keeps the lines. Where it does not run, Realtime being off, nothing is heard and nothing breaks."""

    def __init__(
        self, endpoint: Endpoint, ask_for_echo: Callable[[str], Awaitable[None]], pace: Pace | None = None
    ) -> None:
        self._endpoint = endpoint
        self._ask_for_echo = ask_for_echo
        self._pace = pace
        self._waiting: dict[OfficeId, _Waiting] = {}
        self._lines: dict[OfficeId, tuple[Line, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    @property
    def live(self) -> set[OfficeId]:
        """The offices that are heard now."""
        return {office for office, (line, _) in self._lines.items() if line.state is LineState.LIVE}

    @property
    def standing(self) -> Literal["live", "polling", "idle"]:
        """Whether all are heard that somebody waits in, or did a short while ago."""
        if not self._waiting:
            return "idle"
        return "live" if self._waiting.keys() <= self.live else "polling"

    @contextmanager
    def listening(self, office: OfficeId, command: CommandId, wake: asyncio.Event) -> Generator[None]:
        """Sets `wake` whenever the command may have moved, for as long as the block lasts."""
        waiting = self._waiting_in(office)
        waiting.add(command, wake)
        try:
            yield
        finally:
            waiting.remove(command, wake, _now())

    @contextmanager
    def watching(self, office: OfficeId, wake: asyncio.Event) -> Generator[None]:
        """Sets `wake` whenever anything in the office may have moved, for as long as the block lasts."""
        waiting = self._waiting_in(office)
        waiting.add_of_anything(wake)
        try:
            yield
        finally:
            waiting.remove_of_anything(wake, _now())

    @contextmanager
    def following(self, office: OfficeId, woken: Callable[[], None], matters: Matters | None = None) -> Generator[None]:
        """Calls `woken` for each event of the office that matters, and where some may have been missed, while the
        block lasts. Without `matters`: when a command, a session or what may run moved.

        Both are called inside the reader of a socket: they look, or set an event, and nothing else.
        """
        waiting, matters = self._waiting_in(office), matters or _moves
        waiting.follow(woken, matters)
        try:
            yield
        finally:
            waiting.unfollow(woken, matters, _now())

    @contextmanager
    def showing(self, office: OfficeId, session: SessionId, shown: OnShown) -> Generator[None]:
        """Calls `shown` with what the session puts out while somebody types into it, as long as the block lasts.

        It is called inside the reader of a socket: it keeps the chunk, or sets an event, and nothing else.
        """
        waiting, looker = self._waiting_in(office), _Looker(session, shown)
        waiting.add_looker(looker)
        try:
            yield
        finally:
            waiting.remove_looker(looker, _now())

    def _waiting_in(self, office: OfficeId) -> _Waiting:
        if office not in self._waiting:
            self._waiting[office] = _Waiting()
            self._changed.set()
        return self._waiting[office]

    async def run(self) -> None:
        """Keeps listening until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                await self._end_what_nobody_needs()
                for office in list(self._waiting.keys() - self._lines.keys())[: _MOST_LINES - len(self._lines)]:
                    line = self._line(office)
                    self._lines[office] = line, group.create_task(line.run())
                try:
                    async with asyncio.timeout(_KEPT_SECONDS):
                        await self._changed.wait()
                except TimeoutError:
                    pass

    async def _end_what_nobody_needs(self) -> None:
        for office, waiting in list(self._waiting.items()):
            if waiting.empty_since is not None and _now() - waiting.empty_since > _KEPT_SECONDS:
                del self._waiting[office]
                if office in self._lines:
                    _, running = self._lines.pop(office)
                    running.cancel()
                    await asyncio.wait([running])

    def _line(self, office: OfficeId) -> Line:
        return Line(
            self._endpoint, events_topic(office), self._key, self._ask_for_echo, self._waiting[office], _ignore,
            pace=self._pace,
        )  # fmt: skip

    async def _key(self, renew: bool) -> str:
        """The service key: there is no other."""
        return self._endpoint.key


def _moves(event: str, _payload: Mapping[str, Any]) -> bool:
    return event in _MOVES


def _ignore(_state: LineState) -> None:
    """Whoever wants to know the state of a line looks at it."""


def _now() -> float:
    return asyncio.get_running_loop().time()
