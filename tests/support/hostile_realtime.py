"""A Realtime server on loopback that misbehaves as told, in the frames of the real one (tests/fixtures/realtime).

async with hostile_realtime() as server:
    server.manners = Manners(join_error="Unauthorized: …")
    … a client connects to server.url …
    peer = await server.joined()          # the next socket that sends a join
    await peer.close_channel()
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

SECONDS = 45.0
Frame = dict[str, Any]


@dataclass(frozen=True)
class Manners:
    """What the server does from now on. As they are here, it is a good one."""

    handshake: int | None = None
    """Refuses the websocket with this HTTP status."""
    never_shakes_hands: bool = False
    answers_joins: bool = True
    join_error: str | None = None
    foreign_bindings: bool = False
    """The join's reply names other bindings than were asked for."""
    subscribed: str | None = "Subscribed to PostgreSQL"
    """None: the system message never comes."""
    binding_error: str | None = None
    """Comes in place of it, if there is any binding."""
    echoes: bool = True
    takes_wishes: bool = True
    """False: who asks for an echo gets no answer."""


@dataclass
class Peer:
    """One websocket, from the server's side."""

    connection: ServerConnection
    topic: str = ""
    join: Frame = field(default_factory=dict[str, Any])
    tokens: list[str] = field(default_factory=list[str])
    """All that it has shown, with its join and since."""
    shown: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it shows another."""

    @property
    def bindings(self) -> list[Frame]:
        return self.join["payload"]["config"]["postgres_changes"]

    async def send(self, event: str, payload: Any, ref: str | None = None) -> None:
        await self.text(json.dumps({"topic": self.topic, "event": event, "payload": payload, "ref": ref}))

    async def text(self, text: str | bytes) -> None:
        with suppress(ConnectionClosed):
            await self.connection.send(text)

    async def broadcast(self, event: str, payload: Any) -> None:
        await self.send("broadcast", {"type": "broadcast", "event": event, "payload": payload})

    async def insert(self, record: Frame, **more: Any) -> None:
        data = {
            "schema": "public",
            "table": "agent_commands",
            "type": "INSERT",
            "commit_timestamp": "2026-01-01T00:00Z",
        }
        data |= {"columns": [], "errors": None, "record": record}
        await self.send("postgres_changes", {"ids": [1], "data": data | more})

    async def system(self, status: str, message: str, extension: str) -> None:
        channel = self.topic.removeprefix("realtime:")
        payload = {"channel": channel, "extension": extension, "message": message, "status": status}
        await self.send("system", payload)

    async def close_channel(self) -> None:
        """As the real server does after a duplicate join, an expired token, or too many messages."""
        await self.send("phx_close", {}, self.join["ref"])

    def vanish(self) -> None:
        """A close without a word (1006)."""
        self.connection.transport.abort()


class HostileRealtime:
    def __init__(self) -> None:
        self.manners = Manners()
        self.peers: list[Peer] = []
        """Those that are connected and have joined."""
        self.refused = 0
        self.wishes: list[str] = []
        """The topics of all echoes that were asked for."""
        self._joined: asyncio.Queue[Peer] = asyncio.Queue()
        self._wished = asyncio.Condition()
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"http://127.0.0.1:{port}/realtime/v1"

    async def joined(self) -> Peer:
        """The next socket that sends a join, however it is answered."""
        async with asyncio.timeout(SECONDS):
            return await self._joined.get()

    async def until_wishes(self, number: int) -> None:
        """Until as many echoes have been asked for."""
        async with asyncio.timeout(SECONDS), self._wished:
            await self._wished.wait_for(lambda: len(self.wishes) >= number)

    async def echo(self, topic: str) -> None:
        """What the database's echo function would do."""
        self.wishes.append(topic)
        async with self._wished:
            self._wished.notify_all()
        if not self.manners.takes_wishes:
            await asyncio.Event().wait()
        if self.manners.echoes:
            for peer in [peer for peer in self.peers if peer.topic == f"realtime:{topic}"]:
                await peer.broadcast("echo", {})

    async def _shake_hands(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.manners.never_shakes_hands:
            await connection.wait_closed()
        if self.manners.handshake is None:
            return None
        self.refused += 1
        return connection.respond(HTTPStatus(self.manners.handshake), "no\n")

    async def _serve(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        try:
            async for text in connection:
                frame: Frame = json.loads(text)
                if frame["event"] == "heartbeat":
                    continue
                if frame["event"] == "access_token":
                    peer.tokens.append(frame["payload"]["access_token"])
                    peer.shown.set()
                elif frame["event"] == "phx_join":
                    peer.topic, peer.join = frame["topic"], frame
                    peer.tokens.append(frame["payload"]["access_token"])
                    await self._answer_join(peer)
                    self._joined.put_nowait(peer)
        except ConnectionClosed:
            pass
        finally:
            if peer in self.peers:
                self.peers.remove(peer)

    async def _answer_join(self, peer: Peer) -> None:
        manners, ref = self.manners, peer.join["ref"]
        if not manners.answers_joins:
            return
        if manners.join_error is not None:
            await peer.send("phx_reply", {"status": "error", "response": {"reason": manners.join_error}}, ref)
            return
        bindings = [{**binding, "id": 1} for binding in peer.bindings]
        if manners.foreign_bindings:
            bindings = [{**binding, "table": "another"} for binding in bindings]
        await peer.send("phx_reply", {"status": "ok", "response": {"postgres_changes": bindings}}, ref)
        self.peers.append(peer)
        if manners.binding_error is not None and bindings:
            await peer.system("error", manners.binding_error, "postgres_changes")
        elif manners.subscribed is not None:
            await peer.system("ok", manners.subscribed, "postgres_changes")

    @classmethod
    @asynccontextmanager
    async def running(cls) -> "AsyncGenerator[HostileRealtime]":
        server = cls()
        async with serve(
            server._serve, "127.0.0.1", 0, process_request=server._shake_hands, close_timeout=0.5
        ) as server._server:
            yield server


hostile_realtime = HostileRealtime.running
