"""One websocket with one channel on it, by the official client, from its opening to its first trouble.

Never mended: whoever holds it lets go and opens another. Of the client's own machinery nothing is relied on: it
reconnects and rejoins in tasks that die unseen, and falls silent for good when a callback raises.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeChannelOptions, RealtimeSubscribeStates

from realtime_line.trouble import Kind, Trouble, of_channel, of_handshake

CLOSE_SECONDS = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Endpoint:
    realtime_url: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Inserts:
    """The second path: Postgres Changes of rows that are inserted into `table` (schema public)."""

    table: str
    filter: str


class Listener(Protocol):
    """Called inside the reader of the socket: to set events and nothing else. What it raises is logged."""

    def on_broadcast(self, event: str, payload: Mapping[str, Any]) -> None: ...

    def on_insert(self, record: Mapping[str, Any]) -> None: ...

    def on_gap(self) -> None:
        """Something may have been missed, or was not understood: look at the table."""
        ...


class Socket:
    """`news` is set whenever `heard` or `trouble` may have changed."""

    def __init__(self, client: AsyncRealtimeClient, news: asyncio.Event) -> None:
        self._client = client
        self._news = news
        self._channel: AsyncRealtimeChannel | None = None
        self._listener: Listener | None = None
        self.heard = False
        """Something has come from the database since this was set to False."""
        self.trouble: Trouble | None = None

    async def join(self, topic: str, listener: Listener, inserts: Inserts | None, limit_seconds: float) -> None:
        """Joins the private channel `topic`. Only once.

        Raises:
            Trouble: it was refused, or nobody answered.
        """
        self._listener = listener
        channel = self._channel = self._client.channel(topic, _private())
        channel.on_broadcast("*", self._on_broadcast)
        channel.on_system(self._on_system)
        if inserts is not None:
            channel.on_postgres_changes(
                "INSERT",  # pyright: ignore[reportArgumentType]  a str enum; the library's own docs pass strings
                self._on_insert,
                table=inserts.table,
                schema="public",
                filter=inserts.filter,
            )
        try:
            async with asyncio.timeout(limit_seconds):
                await channel.subscribe(self._on_status)
        except TimeoutError:
            raise Trouble(Kind.SILENT, "the join was not answered") from None
        if self.trouble is not None:
            raise self.trouble

    async def take_token(self, token: str) -> None:
        await self._client.set_auth(token)

    async def close(self) -> None:
        """Lets go within `CLOSE_SECONDS`, whatever the other end does."""
        if self._channel is not None:
            self._channel.rejoin_timer.reset()
            self._channel.join_push.destroy()
        # The library has no way to drop a connection whose other end does not answer the closing handshake.
        websocket = self._client._ws_connection  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._client.close()
        except TimeoutError:
            if websocket is not None:
                websocket.transport.abort()
            await self._client.close()

    # Called inside the library's reader, where an exception would silence the socket for good.

    def _on_broadcast(self, message: Any) -> None:
        self._hear(lambda listener: listener.on_broadcast(message["event"], message["payload"]))

    def _on_insert(self, message: Any) -> None:
        self._hear(lambda listener: listener.on_insert(message["data"]["record"]))

    def _on_system(self, _payload: Any) -> None:
        # "Subscribed to PostgreSQL": what was inserted between the join's reply and this has been missed.
        self._tell(lambda listener: listener.on_gap())

    def _on_status(self, status: RealtimeSubscribeStates, said: Exception | None) -> None:
        if status is not RealtimeSubscribeStates.SUBSCRIBED and self.trouble is None:
            self.trouble = of_channel(status, said)
        self._news.set()

    def _hear(self, deliver: Callable[[Listener], None]) -> None:
        self.heard = True
        self._news.set()
        if not self._tell(deliver):
            self._tell(lambda listener: listener.on_gap())

    def _tell(self, deliver: Callable[[Listener], None]) -> bool:
        if self._listener is None:
            return True
        try:
            deliver(self._listener)
        except Exception:  # noqa: BLE001  whatever it was, the reader goes on
            _log.exception("a hint was not understood")
            return False
        return True


@asynccontextmanager
async def open_socket(
    endpoint: Endpoint, token: str, news: asyncio.Event, limit_seconds: float
) -> AsyncGenerator[Socket]:
    """
    Raises:
        Trouble: the websocket was refused, or nobody answered.
    """
    client = AsyncRealtimeClient(endpoint.realtime_url, token=endpoint.key, auto_reconnect=False, max_retries=1)
    socket = Socket(client, news)
    try:
        await client.set_auth(token)
        try:
            async with asyncio.timeout(limit_seconds):
                await client.connect()
        except Exception as error:
            raise of_handshake(error) from error
        yield socket
    finally:
        await socket.close()


def _private() -> RealtimeChannelOptions:
    """Made for each channel: the library writes into it."""
    return {
        "config": {
            "broadcast": {"ack": False, "self": False},
            "presence": {"key": "", "enabled": False},
            "private": True,
        }
    }
