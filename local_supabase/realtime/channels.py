"""One joined topic on one socket: what it hears, what it says, and how long its token lets it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from local_supabase.realtime import protocol
from local_supabase.realtime.authorization import may_read, may_write
from local_supabase.realtime.bindings import Binding, BindingRefused, parse_binding
from local_supabase.realtime.config import RealtimeConfig
from local_supabase.realtime.feed import ChangeFeed
from local_supabase.realtime.joins import JoinRequest, may_not_read
from local_supabase.realtime.protocol import ClientFrame, Json
from local_supabase.realtime.rates import RateMeter
from local_supabase.realtime.rooms import Rooms
from local_supabase.realtime.sessions import DatabaseUnreachable, Sessions
from local_supabase.realtime.tokens import Expired, Token, TokenRefused, is_token, verify

TOO_MANY_MESSAGES = "Too many messages per second"


@dataclass(frozen=True)
class Services:
    """What all sockets of one server share."""

    config: RealtimeConfig
    sessions: Sessions
    rooms: Rooms
    feed: ChangeFeed
    replicating: asyncio.Event


class Outlet(Protocol):
    """The socket, as its channels see it."""

    def send(self, frame: str) -> None: ...
    def forget(self, channel: "Channel") -> None: ...


class Channel:
    """Lives from the join's reply to `phx_close`. Everything but `handle` is immediate."""

    def __init__(
        self, outlet: Outlet, services: Services, subtopic: str, join_ref: Json, request: JoinRequest, token: Token
    ) -> None:
        self.subtopic = subtopic
        self.join_ref = join_ref
        self.private = request.private
        self.token = token
        self.bindings: Sequence[Binding] = ()
        self._topic = protocol.TOPIC_PREFIX + subtopic
        self._outlet = outlet
        self._services = services
        self._request = request
        self._may_write: bool | None = None if request.private else True
        limits = services.config.limits
        self._meter = RateMeter(limits.events_per_second, limits.rate_window_seconds)
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def open(self) -> None:
        """Starts to hear. The reply to the join has been sent."""
        self._services.rooms.enter(self)
        self._await_expiry()
        if self._request.announces_replication and self._services.replicating.is_set():
            self._say("system", "ok", "Replication connection established")
        if not self._request.bindings:
            return
        try:
            self.bindings = [parse_binding(params) for params in self._request.bindings]
        except BindingRefused as refused:
            self.refused(str(refused))
        else:
            self._services.feed.subscribe(self)

    def close(self) -> None:
        """Hears nothing more, and tells nobody."""
        for timer in self._timers.values():
            timer.cancel()
        self._services.rooms.leave(self)
        self._services.feed.unsubscribe(self)
        self._outlet.forget(self)

    def leave(self) -> None:
        """Closes and says so."""
        self.close()
        self._outlet.send(protocol.close(self._topic, self.join_ref))

    async def handle(self, frame: ClientFrame) -> None:
        """A frame from the client for this channel. What it does not know it ignores, as the real server does."""
        if frame.event == "broadcast":
            await self._broadcast(frame)
        elif frame.event == "access_token":
            await self._renew(protocol.as_object(frame.payload).get("access_token"))

    # What arrives for the client: see `rooms.Member` and `subscriptions.Subscriber`.

    def hear(self, frame: str) -> None:
        if self._within_limit():
            self._outlet.send(frame)

    def subscribed(self) -> None:
        self._say("postgres_changes", "ok", "Subscribed to PostgreSQL")

    def refused(self, message: str) -> None:
        self._say("postgres_changes", "error", message)

    def changed(self, binding_ids: list[int], action: str, data_json: str) -> None:
        if self._request.is_old_api:
            self.hear(protocol.frame(self._topic, action, data_json))
        else:
            payload = f'{{"data":{data_json},"ids":{protocol.dump(binding_ids)}}}'
            self.hear(protocol.frame(self._topic, "postgres_changes", payload))

    # What the client does.

    async def _broadcast(self, frame: ClientFrame) -> None:
        if frame.size > self._services.config.limits.broadcast_bytes:
            self._acknowledge(frame, "error", "payload_size_exceeded")
            return
        if not await self._can_write() or not self._within_limit():
            return
        sender = None if self._request.hears_itself else self
        self._services.rooms.say(self.subtopic, self.private, protocol.dump(frame.payload), sender)
        self._acknowledge(frame, "ok", {})

    async def _can_write(self) -> bool:
        """Asked once for each token. A no is silence."""
        if self._may_write is None:
            try:
                self._may_write = await may_write(self._services.sessions, self.token, self.subtopic)
            except DatabaseUnreachable:
                return False
        return self._may_write

    def _acknowledge(self, frame: ClientFrame, status: str, response: Json) -> None:
        if self._request.acknowledges:
            self._outlet.send(protocol.reply(self._topic, frame.ref, status, response))

    async def _renew(self, text: Json) -> None:
        """A new access token. For a moment the old claims still decide which rows are seen."""
        if not is_token(text) or text == self.token.text:
            return
        try:
            token = verify(str(text), self._services.config.jwt_secret)
            if self.private and not await may_read(self._services.sessions, token, self.subtopic):
                self._shut_down(may_not_read(self.subtopic))
                return
        except TokenRefused as refused:
            self._shut_down(refused.rotation_message)
            return
        except DatabaseUnreachable:
            return
        self.token = token
        self._may_write = None if self.private else True
        self._await_expiry()
        if self.bindings:
            after = self._services.config.limits.resubscribe_after.total_seconds()
            self._later("resubscribe", after, lambda: self._services.feed.subscribe(self))

    def _await_expiry(self) -> None:
        self._later("expiry", self.token.expires_at - time.time(), self._expire)

    def _expire(self) -> None:
        late = max(0, int(time.time() - self.token.expires_at))
        self._shut_down(Expired(late).rotation_message)

    def _later(self, name: str, seconds: float, action: "Action") -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(max(0.0, seconds), action)

    def _within_limit(self) -> bool:
        if not self._meter.exceeded(time.monotonic()):
            return True
        self._shut_down(TOO_MANY_MESSAGES)
        return False

    def _shut_down(self, message: str) -> None:
        self._say("system", "error", message)
        self.leave()

    def _say(self, extension: str, status: str, message: str) -> None:
        self._outlet.send(protocol.system(self._topic, extension, status, message))


class Action(Protocol):
    def __call__(self) -> object: ...
