"""Keeps one topic heard: one loop over sockets, a state that is true, and an echo that proves it.

`LIVE` is said only while something that the database sent has arrived within the last while. When nothing has, the
line asks the database to say something on the topic (an *echo*) and waits to hear it. That goes the whole way of a
hint: database, replication, Realtime, channel, websocket, reader. A heartbeat or a broadcast to oneself would prove
only the last half of it. All who listen to the topic hear the same echo, so that one of them asks for all.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, Protocol

import structlog

from realtime_line.socket import Endpoint, Inserts, Listener, Socket, open_socket
from realtime_line.trouble import PATIENCE, Kind, Trouble, pause_seconds

_log = structlog.get_logger(__name__)


class LineState(StrEnum):
    PAUSING = "pausing"  #        no socket                                   → connecting
    CONNECTING = "connecting"  #  a websocket is being opened                 → joining, pausing
    JOINING = "joining"  #        the channel is being joined                 → proving, pausing
    PROVING = "proving"  #        joined, and not known whether anything flows → live, pausing
    LIVE = "live"  #              proven within the last while                → proving (doubted), pausing


ARROWS: dict[LineState, frozenset[LineState]] = {
    LineState.PAUSING: frozenset({LineState.CONNECTING}),
    LineState.CONNECTING: frozenset({LineState.JOINING, LineState.PAUSING}),
    LineState.JOINING: frozenset({LineState.PROVING, LineState.PAUSING}),
    LineState.PROVING: frozenset({LineState.LIVE, LineState.PAUSING}),
    LineState.LIVE: frozenset({LineState.PROVING, LineState.PAUSING}),
}


@dataclass(frozen=True)
class Pace:
    """Seconds. A dead line is noticed within `quiet` × 1.2 + `ask` + `hear`."""

    connect: float = 3.0
    """Short: when the network comes back while an old attempt hangs, a new one gets through sooner."""
    join: float = 10.0
    ask: float = 3.0
    """For the database to take the wish for an echo."""
    hear: float = 5.0
    """For the echo to arrive."""
    quiet: float = 10.0
    """Without anything heard before an echo is asked for."""
    pause_factor: float = 1.0
    """Tests wait less."""


class TokenSource(Protocol):
    async def __call__(self, renew: bool) -> str:
        """A token for the channel; with `renew`, another one than before."""
        ...


class Line:
    """One topic. `run()` never ends by itself; `on_state` is called with every new state."""

    def __init__(
        self,
        endpoint: Endpoint,
        topic: str,
        token: TokenSource,
        ask_for_echo: Callable[[str], Awaitable[None]],
        listener: Listener,
        on_state: Callable[[LineState], None],
        inserts: Inserts | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._topic = topic
        self._token = token
        self._ask_for_echo = ask_for_echo
        self._listener = listener
        self._on_state = on_state
        self._inserts = inserts
        self._pace = pace or Pace()
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._token_changed = False
        self._last: Kind | None = None
        self._times = 0
        self.state = LineState.PAUSING

    def recheck(self) -> None:
        """The network may be gone or back: what is live proves it at once, what pauses tries now."""
        if self.state is LineState.LIVE:
            self._move(LineState.PROVING)
            self._news.set()
        self._hurry.set()

    def token_changed(self) -> None:
        """There is a newer token for the channel."""
        self._token_changed = True
        self._news.set()

    async def run(self) -> None:
        while True:
            trouble = await self._until_trouble()
            self._move(LineState.PAUSING)
            self._listener.on_gap()
            await self._pause(trouble)

    async def _until_trouble(self) -> Trouble:
        """One socket, from its opening to its end."""
        self._move(LineState.CONNECTING)
        try:
            await self._listen()
        except Trouble as trouble:
            return trouble
        except Exception as error:  # noqa: BLE001  the library raises bare Exception; nothing of it may end the line
            return Trouble(Kind.UNAVAILABLE, f"{type(error).__name__}: {error}")

    async def _listen(self) -> NoReturn:
        try:
            async with asyncio.timeout(self._pace.connect):
                token = await self._token(self._last is Kind.TOKEN)
        except TimeoutError:
            raise Trouble(Kind.SILENT, "no token came") from None
        self._token_changed = False
        async with open_socket(self._endpoint, token, self._news, self._pace.connect) as socket:
            self._move(LineState.JOINING)
            inserts = None if self._last is Kind.SECOND_PATH else self._inserts
            await socket.join(self._topic, self._listener, inserts, self._pace.join)
            self._move(LineState.PROVING)
            self._listener.on_gap()  # nobody tells what was missed before the join
            while True:
                await self._prove(socket)
                if self.state is LineState.PROVING:
                    self._move(LineState.LIVE)
                await self._until_quiet(socket)

    async def _prove(self, socket: Socket) -> None:
        """
        Raises:
            Trouble: nothing comes.
        """
        socket.heard = False
        try:
            async with asyncio.timeout(self._pace.ask):
                await self._ask_for_echo(self._topic)
        except Exception as error:
            # Whether the database or the way to it is gone: this socket may be as dead as that, and is not trusted.
            raise Trouble(Kind.SILENT, f"no echo could be asked for ({type(error).__name__})") from error
        await self._wait(socket, self._pace.hear, lambda: socket.heard)
        if not socket.heard:
            raise Trouble(Kind.SILENT, "the echo was not heard")

    async def _until_quiet(self, socket: Socket) -> None:
        """Returns when nothing was heard for a while, or the state is in doubt."""
        while self.state is LineState.LIVE:
            socket.heard = False
            # Not the same for all who listen, so that one of them asks first and the others hear it.
            quiet = self._pace.quiet * random.uniform(0.8, 1.2)  # noqa: S311
            await self._wait(socket, quiet, lambda: socket.heard or self.state is not LineState.LIVE)
            self._last, self._times = None, 0
            if not socket.heard:
                return

    async def _wait(self, socket: Socket, seconds: float, done: Callable[[], bool]) -> None:
        """
        Raises:
            Trouble: the socket is over.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    if socket.trouble is not None:
                        raise socket.trouble
                    if self._token_changed:
                        self._token_changed = False
                        await socket.take_token(await self._token(False))
                    if done():
                        return
                    await self._news.wait()
        except TimeoutError:
            return

    async def _pause(self, trouble: Trouble) -> None:
        self._times = self._times + 1 if trouble.kind is self._last else 1
        self._last = trouble.kind
        seconds = pause_seconds(trouble.kind, self._times) * self._pace.pause_factor
        _log.warning("no hints", topic=self._topic, kind=trouble.kind, why=str(trouble), again_in=round(seconds, 1))
        if PATIENCE[trouble.kind].outlasts_an_outage:
            await asyncio.sleep(seconds)
            return
        self._hurry.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass

    def _move(self, state: LineState) -> None:
        if state not in ARROWS[self.state]:
            raise AssertionError(f"a line does not go from {self.state} to {state}")
        self.state = state
        self._on_state(state)
