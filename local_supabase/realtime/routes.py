"""The embedded Realtime as one object with two routes, for a Starlette application.

async with RealtimeServer.start(config) as realtime:      # returns once broadcasts can no longer be missed
    app = Starlette(routes=[*realtime.routes, …])
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from local_supabase.realtime.channels import Services
from local_supabase.realtime.config import Limits, RealtimeConfig
from local_supabase.realtime.feed import ChangeFeed
from local_supabase.realtime.pgoutput import RowChange
from local_supabase.realtime.protocol import dump
from local_supabase.realtime.replication import ReplicationStream
from local_supabase.realtime.rest import post_broadcast
from local_supabase.realtime.rooms import Rooms
from local_supabase.realtime.sessions import DatabaseUnreachable, Sessions
from local_supabase.realtime.sockets import RESTART, Socket
from local_supabase.realtime.tokens import Token, TokenRefused, verify

__all__ = ["Limits", "RealtimeConfig", "RealtimeServer"]

PREFIX = "/realtime/v1"
VERSION = "1.0.0"
PRUNE_EVERY = timedelta(hours=1)

_log = structlog.get_logger(__name__)


class RealtimeServer:
    """Use `start`. `routes` are whole paths under `/realtime/v1`."""

    def __init__(self, config: RealtimeConfig, sessions: Sessions) -> None:
        rooms, feed, replicating = Rooms(), ChangeFeed(sessions, config.limits), asyncio.Event()
        self._services = Services(config, sessions, rooms, feed, replicating)
        self._sockets: set[Socket] = set()
        self._working: asyncio.Task[None]
        self.routes: list[BaseRoute] = [
            WebSocketRoute(f"{PREFIX}/websocket", self._websocket),
            Route(f"{PREFIX}/api/broadcast", self._broadcast, methods=["POST"]),
        ]

    @classmethod
    @asynccontextmanager
    async def start(cls, config: RealtimeConfig) -> AsyncGenerator["RealtimeServer"]:
        """Runs until the block is left; then open sockets are closed with 1012.

        It waits for PostgreSQL for as long as it takes: set a time-out around it where that matters.
        """
        async with Sessions(config.database_dsn) as sessions:
            server = cls(config, sessions)
            working = asyncio.create_task(server._work(), name="realtime")
            server._working = working
            try:
                await server._ready()
                yield server
            finally:
                for socket in list(server._sockets):
                    socket.end(RESTART)
                working.cancel()
                await asyncio.wait({working})

    async def failed(self) -> None:
        """Waits for as long as the server can work, whatever PostgreSQL does.

        Raises:
            ExceptionGroup: a defect, or a login that lacks its rights.
        """
        await asyncio.shield(self._working)

    async def replicating(self) -> None:
        """Waits until the stream of changes is up: from then on nothing is missed."""
        await self._services.replicating.wait()

    @property
    def is_replicating(self) -> bool:
        """False while PostgreSQL is away: what is committed then is missed by everyone."""
        return self._services.replicating.is_set()

    async def _work(self) -> None:
        stream = ReplicationStream(self._services.config.replication_dsn, self._on_change, self._on_state)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stream.run(), name="realtime-replication")
            tasks.create_task(self._services.feed.run(), name="realtime-changes")
            tasks.create_task(self._prune(), name="realtime-pruning")

    async def _ready(self) -> None:
        replicating = asyncio.create_task(self._services.replicating.wait())
        try:
            await asyncio.wait({replicating, self._working}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            replicating.cancel()
        if self._working.done():
            await self._working

    def _on_state(self, replicating: bool) -> None:
        if replicating:
            self._services.replicating.set()
        else:
            self._services.replicating.clear()

    def _on_change(self, change: RowChange) -> None:
        if (change.relation.schema, change.relation.name) == ("realtime", "messages"):
            self._broadcast_row(change)
        else:
            self._services.feed.offer(change)

    def _broadcast_row(self, change: RowChange) -> None:
        """A row of realtime.messages. Its payload is JSON already and goes out as it is."""
        row = change.new
        topic, event, payload = row["topic"], row["event"], row["payload"]
        if change.action != "INSERT" or row["extension"] != "broadcast" or not topic or not payload:
            return
        meta = f'"meta":{{"id":{dump(row["id"])}}}'
        body = f'{{"event":{dump(event)},{meta},"payload":{payload},"type":"broadcast"}}'
        self._services.rooms.say(topic, row["private"] == "t", body)

    async def _prune(self) -> None:
        """Deletes old messages now and every hour."""
        kept = self._services.config.limits.messages_kept
        while True:
            try:
                async with self._services.sessions.connection() as connection:
                    await connection.execute(
                        "delete from realtime.messages where inserted_at < now() at time zone 'utc' - %s", (kept,)
                    )
            except (DatabaseUnreachable, psycopg.Error) as failure:
                _log.warning("messages_not_pruned", error=str(failure).strip())
            await asyncio.sleep(PRUNE_EVERY.total_seconds())

    async def _broadcast(self, request: Request) -> Response:
        return await post_broadcast(request, self._services)

    async def _websocket(self, websocket: WebSocket) -> None:
        if websocket.query_params.get("vsn", VERSION) != VERSION:
            await websocket.send_denial_response(Response(status_code=403))
            return
        try:
            api_key = self._api_key(websocket)
        except TokenRefused as refused:
            await self._deny(websocket, refused.message)
            return
        if api_key is None:
            await self._deny(websocket, "API key is missing")
            return
        await websocket.accept()
        socket = Socket(websocket, self._services, api_key)
        self._sockets.add(socket)
        try:
            await socket.serve()
        finally:
            self._sockets.discard(socket)

    def _api_key(self, websocket: WebSocket) -> Token | None:
        """None when there is none. Raises TokenRefused."""
        text = websocket.query_params.get("apikey") or websocket.headers.get("x-api-key")
        return None if text is None else verify(text, self._services.config.jwt_secret)

    async def _deny(self, websocket: WebSocket, error: str) -> None:
        await asyncio.sleep(self._services.config.limits.handshake_denial_delay.total_seconds())
        await websocket.send_denial_response(JSONResponse({"error": error}, 401))
