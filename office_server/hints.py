"""Listens to Realtime for word that commands moved, and wakes those who wait for them. Carries no facts.

One socket; on it one channel per office that somebody waits in, made when first needed. Whatever goes wrong with
either, both are made anew; until then those who wait go on by polling.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeChannelOptions, RealtimeSubscribeStates

from shared.channels import COMMAND_EVENT, events_topic
from shared.ids import CommandId, OfficeId

_SHORTEST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 4.0
_STEADY_SECONDS = 30.0
_MOST_CHANNELS = 90  # Supabase allows 100 on a connection; waits in further offices go by polling
_PRIVATE: RealtimeChannelOptions = {
    "config": {
        "broadcast": {"ack": False, "self": False},
        "presence": {"key": "", "enabled": False},
        "private": True,
    }
}
_log = structlog.get_logger(__name__)


class Hints:
    """`run()` is the supervisor. Where it does not run, Realtime being off, nothing is heard and nothing breaks."""

    def __init__(self, realtime_url: str, key: str) -> None:
        self._url = realtime_url
        self._key = key
        self._listeners: dict[OfficeId, dict[CommandId, set[asyncio.Event]]] = {}
        self._wanted: set[OfficeId] = set()
        self._joined: dict[OfficeId, AsyncRealtimeChannel] = {}
        self._changed = asyncio.Event()
        self._broken = False

    @property
    def live(self) -> set[OfficeId]:
        """The offices that are listened to now."""
        return {office for office, channel in self._joined.items() if channel.is_joined and not self._broken}

    @contextmanager
    def listening(self, office: OfficeId, command: CommandId, wake: asyncio.Event) -> Generator[None]:
        """Sets `wake` whenever the command may have moved, for as long as the block lasts."""
        events = self._listeners.setdefault(office, {}).setdefault(command, set())
        events.add(wake)
        if office not in self._wanted and len(self._wanted) < _MOST_CHANNELS:
            self._wanted.add(office)
            self._changed.set()
        try:
            yield
        finally:
            events.discard(wake)
            if not events:
                self._listeners[office].pop(command, None)
            if not self._listeners[office]:
                del self._listeners[office]

    async def run(self) -> None:
        """Keeps listening until cancelled."""
        clock = asyncio.get_running_loop().time
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            self._wanted.intersection_update(self._listeners)  # whom nobody waits for any more is not joined again
            await self._until_somebody_waits()
            started = clock()
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - the library raises bare Exception; whatever it was, begin anew
                _log.warning("realtime_unavailable", error=type(error).__name__)
            pause = (
                _SHORTEST_PAUSE_SECONDS
                if clock() - started > _STEADY_SECONDS
                else min(pause * 2, _LONGEST_PAUSE_SECONDS)
            )
            await asyncio.sleep(pause)

    async def _until_somebody_waits(self) -> None:
        while not self._wanted:
            self._changed.clear()
            await self._changed.wait()

    async def _listen(self) -> None:
        """One socket, from its start until something about it is no longer right."""
        self._broken = False
        client = AsyncRealtimeClient(self._url, token=self._key, auto_reconnect=False, max_retries=1)
        try:
            await client.connect()
            while not self._broken:
                self._changed.clear()
                for office in self._wanted - self._joined.keys():
                    await self._join(client, office)
                if not self._broken:
                    await self._changed.wait()
        finally:
            self._joined.clear()
            await client.close()

    async def _join(self, client: AsyncRealtimeClient, office: OfficeId) -> None:
        def on_state(state: RealtimeSubscribeStates, _error: Exception | None) -> None:
            if state is RealtimeSubscribeStates.SUBSCRIBED:
                self._wake_all(office)
            else:
                self._broken = True
                self._changed.set()

        def on_command(message: Any) -> None:
            self._wake(office, message)

        channel = client.channel(events_topic(office), _PRIVATE)
        self._joined[office] = channel
        channel.on_broadcast(COMMAND_EVENT, on_command)
        await channel.subscribe(on_state)

    # Called inside the library's read loop, where an exception would silence it for good: these only set events.

    def _wake(self, office: OfficeId, message: Any) -> None:
        try:
            command = CommandId(UUID(str(message["payload"]["command_id"])))
        except (KeyError, TypeError, ValueError):
            return
        for event in self._listeners.get(office, {}).get(command, ()):
            event.set()

    def _wake_all(self, office: OfficeId) -> None:
        for events in self._listeners.get(office, {}).values():
            for event in events:
                event.set()
