"""Listens for hints over Realtime and wakes the claimer. A hint is never more than that: the table decides.

One socket for all offices, one channel for each. A closed channel is made anew; so is a socket that has gone quiet.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeSubscribeStates

from remote_client.claimer import Claimer
from shared.channels import COMMAND_EVENT, commands_topic
from shared.errors import OfficeError
from shared.ids import CommandId, OfficeId

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
JOIN_SECONDS = 15.0
SYSTEM_MESSAGE_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
FOREVER = 1_000_000


class Tokens(Protocol):
    async def access_token(self) -> str: ...

    def on_token(self, listener: Callable[[str], None]) -> None: ...


class Subscriber:
    """`state` says in words whether hints come: "live", "polling", or "offline since …"."""

    def __init__(
        self, url: str, key: str, tokens: Tokens, offices: Callable[[], list[OfficeId]], claimer: Claimer
    ) -> None:
        self._url = f"{url.rstrip('/')}/realtime/v1"
        self._key = key
        self._tokens = tokens
        self._offices = offices
        self._claimer = claimer
        self._wake = claimer.wake
        self._broken = asyncio.Event()
        self._joined: set[OfficeId] = set()
        self._live = asyncio.Event()
        self._offline_since: datetime | None = None
        self._new_token = asyncio.Event()
        tokens.on_token(lambda _token: self._new_token.set())

    @property
    def state(self) -> str:
        if self._live.is_set():
            return "live"
        return f"offline since {self._offline_since:%H:%M:%S}" if self._offline_since else "polling"

    async def until_live(self) -> None:
        await self._live.wait()

    async def run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                await self._listen()
            except OfficeError as error:
                self._say_offline(error.detail)
            except Exception as error:  # noqa: BLE001  the library raises bare Exception; a broken socket must never end us
                self._say_offline(f"{type(error).__name__}: {error}")
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - began > JOIN_SECONDS else pause * 2
            await asyncio.sleep(min(pause, LONGEST_PAUSE_SECONDS))

    def _say_offline(self, why: str) -> None:
        if self._offline_since is None:
            self._offline_since = datetime.now(UTC)
            log.warning("no hints; polling goes on", why=why)

    async def _listen(self) -> None:
        """One socket, from its beginning to the first sign that it is broken."""
        self._broken.clear()
        client = AsyncRealtimeClient(self._url, token=self._key, auto_reconnect=False, max_retries=FOREVER)
        try:
            await client.set_auth(await self._tokens.access_token())
            await asyncio.wait_for(client.connect(), JOIN_SECONDS)
            while not self._broken.is_set():
                await self._keep_joined(client)
                if not client.is_connected:
                    break
                if self._new_token.is_set():
                    self._new_token.clear()
                    await client.set_auth(await self._tokens.access_token())
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._broken.wait()
                except TimeoutError:
                    pass
        finally:
            self._live.clear()
            self._joined.clear()
            self._wake()
            await asyncio.shield(client.close())
        self._say_offline("the channel was closed")

    def _on_broadcast(self, message: Any) -> None:
        try:
            ids = message["payload"]
            self._hint(ids["command_id"], ids.get("client_id"))
        except (KeyError, TypeError, AttributeError, ValueError):
            self._wake()

    def _on_insert(self, message: Any) -> None:
        try:
            record = message["data"]["record"]
            self._hint(record["id"], record.get("client_id"))
        except (KeyError, TypeError, AttributeError, ValueError):
            self._wake()

    def _hint(self, command_id: str, client_id: str | None) -> None:
        if client_id in (None, str(self._claimer.client_id)):
            self._claimer.hint(CommandId(UUID(command_id)))

    async def _keep_joined(self, client: AsyncRealtimeClient) -> None:
        wanted = set(self._offices())
        for office_id in wanted - self._joined:
            await asyncio.wait_for(self._join(client, office_id), JOIN_SECONDS)
        if wanted and wanted <= self._joined and not self._live.is_set() and not self._broken.is_set():
            self._offline_since = None
            self._live.set()
            log.info("live")

    async def _join(self, client: AsyncRealtimeClient, office_id: OfficeId) -> None:
        config: Any = {
            "config": {
                "broadcast": {"ack": False, "self": False},
                "presence": {"key": "", "enabled": False},
                "private": True,
            }
        }
        channel: AsyncRealtimeChannel = client.channel(commands_topic(office_id), config)
        # The callbacks run in the socket's reader, and one that raises would end it: they set events, nothing else.
        channel.on_broadcast(COMMAND_EVENT, self._on_broadcast)
        channel.on_postgres_changes(
            "INSERT",  # pyright: ignore[reportArgumentType]  the library's enum is a str enum; its own docs pass strings
            self._on_insert,
            table="agent_commands",
            schema="public",
            filter=f"office_id=eq.{office_id}",
        )
        channel.on_system(lambda _payload: self._wake())

        def on_status(status: RealtimeSubscribeStates, _error: Exception | None) -> None:
            self._wake()
            if status is RealtimeSubscribeStates.SUBSCRIBED:
                self._joined.add(office_id)
            else:
                self._broken.set()

        await channel.subscribe(on_status)
