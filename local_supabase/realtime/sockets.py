"""One websocket: reads frames one after another, keeps its channels, and writes without ever growing without bound."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from local_supabase.realtime import joins, protocol
from local_supabase.realtime.authorization import may_read
from local_supabase.realtime.channels import Channel, Services
from local_supabase.realtime.joins import JoinRefused, JoinRequest
from local_supabase.realtime.protocol import ClientFrame
from local_supabase.realtime.rates import RateMeter
from local_supabase.realtime.sessions import DatabaseUnreachable
from local_supabase.realtime.tokens import Token, TokenRefused, verify

_log = structlog.get_logger(__name__)

UNMATCHED = "unmatched topic"
CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class Closing:
    """How a socket ends. `code` 0: the other side has gone already."""

    code: int
    reason: str = ""


PEER_GONE = Closing(0)
IDLE = Closing(1000)
RESTART = Closing(1012)
TOO_SLOW = Closing(1013, "reads too slowly")


class Socket:
    """An accepted websocket. `api_key` stands in where a channel brings no token of its own."""

    def __init__(self, websocket: WebSocket, services: Services, api_key: Token) -> None:
        self._websocket = websocket
        self._services = services
        self._limits = services.config.limits
        self._api_key = api_key
        self._channels: dict[str, Channel] = {}
        self._joins = RateMeter(self._limits.joins_per_second, 1)
        self._outbox: deque[str] = deque()
        self._outbox_bytes = 0
        self._something_to_write = asyncio.Event()
        self._closing: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Until either side ends it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                both = [tasks.create_task(self._read()), tasks.create_task(self._write())]
                closing = await self._closing
                for task in both:
                    task.cancel()
        finally:
            for channel in list(self._channels.values()):
                channel.close()
        if closing.code:
            await self._close(closing)

    def end(self, closing: Closing) -> None:
        if not self._closing.done():
            self._closing.set_result(closing)

    async def _close(self, closing: Closing) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._websocket.close(closing.code, closing.reason)
        except TimeoutError:
            # The other side reads nothing at all. What is kept for it is one frame.
            _log.warning("socket_abandoned", code=closing.code)
        except (WebSocketDisconnect, RuntimeError):
            # It went, or the HTTP server closed it, while we were about to.
            _log.debug("socket_closed_already", code=closing.code)

    # For the channels.

    def send(self, frame: str) -> None:
        """Leaves the frame for the writer; a reader that is too far behind is given up."""
        if self._closing.done():
            return
        self._outbox.append(frame)
        self._outbox_bytes += len(frame)
        self._something_to_write.set()
        if self._outbox_bytes > self._limits.outbox_bytes:
            self._outbox.clear()
            self.end(TOO_SLOW)

    def forget(self, channel: Channel) -> None:
        if self._channels.get(channel.subtopic) is channel:
            del self._channels[channel.subtopic]

    # The two directions.

    async def _write(self) -> None:
        try:
            while True:
                await self._something_to_write.wait()
                self._something_to_write.clear()
                while self._outbox:
                    frame = self._outbox.popleft()
                    await self._websocket.send_text(frame)
                    self._outbox_bytes -= len(frame)
        except WebSocketDisconnect:
            self.end(PEER_GONE)

    async def _read(self) -> None:
        try:
            while True:
                async with asyncio.timeout(self._limits.idle_after.total_seconds()):
                    message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    self.end(PEER_GONE)
                    return
                text = message.get("text")
                frame = protocol.parse(text) if text else None
                if frame is not None:
                    await self._handle(frame)
        except TimeoutError:
            self.end(IDLE)

    async def _handle(self, frame: ClientFrame) -> None:
        channel = self._channels.get(frame.topic.removeprefix(protocol.TOPIC_PREFIX)) if _is_ours(frame) else None
        if frame.event == "phx_join" and _is_ours(frame):
            await self._join(frame)
        elif frame.event == "phx_leave":
            self._leave(frame, channel)
        elif frame.topic == protocol.PHOENIX and frame.event == "heartbeat":
            self.send(protocol.ok(frame.topic, frame.ref))
        elif channel is None:
            self.send(protocol.error(frame.topic, frame.ref, UNMATCHED))
        else:
            await channel.handle(frame)

    def _leave(self, frame: ClientFrame, channel: Channel | None) -> None:
        """A leave with another join's ref comes too late: that join is over, and this one is not meant."""
        if channel is not None and channel.join_ref != frame.join_ref:
            return
        self.send(protocol.ok(frame.topic, frame.ref))
        if channel is not None:
            channel.leave()

    async def _join(self, frame: ClientFrame) -> None:
        subtopic = frame.topic.removeprefix(protocol.TOPIC_PREFIX)
        try:
            request = joins.parse_join(frame.payload, subtopic)
            token = await self._admit(subtopic, request)
        except JoinRefused as refused:
            await asyncio.sleep(self._limits.join_denial_delay.total_seconds())
            self.send(protocol.error(frame.topic, frame.ref, str(refused)))
            return
        channel = Channel(self, self._services, subtopic, frame.join_ref, request, token)
        self.send(protocol.ok(frame.topic, frame.ref, request.response))
        if (replaced := self._channels.get(subtopic)) is not None:
            replaced.leave()
        self._channels[subtopic] = channel
        channel.open()

    async def _admit(self, subtopic: str, request: JoinRequest) -> Token:
        """The token that the channel will live by. Raises JoinRefused."""
        if self._joins.exceeded(time.monotonic()):
            raise JoinRefused(joins.TOO_MANY_JOINS)
        if subtopic not in self._channels and len(self._channels) >= self._limits.channels_per_socket:
            raise JoinRefused(joins.TOO_MANY_CHANNELS)
        token = self._api_key
        try:
            if request.token is not None:
                token = verify(str(request.token), self._services.config.jwt_secret)
            if request.private and not await may_read(self._services.sessions, token, subtopic):
                raise JoinRefused(f"Unauthorized: {joins.may_not_read(subtopic)}")
        except TokenRefused as refused:
            raise JoinRefused(refused.join_reason) from refused
        except DatabaseUnreachable as unreachable:
            raise JoinRefused(joins.NO_DATABASE) from unreachable
        return token


def _is_ours(frame: ClientFrame) -> bool:
    return frame.topic.startswith(protocol.TOPIC_PREFIX)
