"""A bare websocket that keeps what arrives apart by topic, for tests that look at the frames themselves."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.integration.realtime.gateway import Gateway

SECONDS = 30.0

Frame = dict[str, Any]


class Wire:
    """An open websocket. Use `open_wire`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._topics: defaultdict[str, asyncio.Queue[Frame]] = defaultdict(asyncio.Queue)
        self.closed = asyncio.create_task(self._read())
        """Done, with the code, when the websocket is closed."""

    async def send(self, topic: str, event: str, payload: Any, ref: str | None, join_ref: str | None = "1") -> None:
        await self.send_text(
            json.dumps({"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": join_ref})
        )

    async def send_text(self, text: str) -> None:
        await self.connection.send(text)

    async def frame(self, topic: str, seconds: float = SECONDS) -> Frame:
        """The next frame of `topic`."""
        async with asyncio.timeout(seconds):
            return await self._topics[topic].get()

    async def join(self, topic: str, ref: str = "1", *, token: str | None = None, **config: Any) -> Frame:
        """Joins and returns the reply."""
        await self.send(topic, "phx_join", {"config": config, "access_token": token}, ref, ref)
        return await self.frame(topic)

    async def heartbeat(self) -> None:
        """Everything that the server sent before has arrived when this returns."""
        await self.send("phoenix", "heartbeat", {}, "beat")
        while (await self.frame("phoenix"))["ref"] != "beat":
            pass

    def waiting(self) -> list[Frame]:
        """Takes what has arrived and was not asked for."""
        return [queue.get_nowait() for queue in self._topics.values() for _ in range(queue.qsize())]

    async def _read(self) -> int | None:
        try:
            async for text in self.connection:
                frame: Frame = json.loads(text)
                self._topics[frame["topic"]].put_nowait(frame)
        except ConnectionClosed:
            pass
        return self.connection.close_code


@asynccontextmanager
async def open_wire(gateway: Gateway, query: str | None = None, **options: Any) -> AsyncGenerator[Wire]:
    """Connects with the publishable key, or with `query` as it is.

    Raises:
        websockets.InvalidStatus: the handshake was refused.
    """
    query = f"apikey={gateway.keys.publishable_key}&vsn=1.0.0" if query is None else query
    async with connect(f"{gateway.websocket_url}?{query}", max_size=2**24, **options) as connection:
        wire = Wire(connection)
        try:
            yield wire
        finally:
            await connection.close()
            await wire.closed
