"""The host's process after its start: serves clients and hooks until nobody needs it any more."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remote_client.ptyhost.connection import Connection
from remote_client.ptyhost.hooks import serve_hook
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.ptyhost.people import People
from remote_client.ptyhost.places import CONTROL, HOOKS, Place, places_in, require_same_user
from remote_client.ptyhost.protocol import VERSION
from shared.errors import Conflict, OfficeError

log = logging.getLogger(__name__)

GRACE_SECONDS = 1.0
TICK_SECONDS = 1.0
REST_SECONDS = 1.0

Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class HostSettings:
    """`idle_seconds`: how long it stays without a terminal and a client. `alone_seconds`: how long terminals go on
    without any client before they are ended. `keep_bytes`: how much output of each terminal is kept on disk.
    """

    idle_seconds: float
    alone_seconds: float
    keep_bytes: int


class HostServer:
    """For the holder of the place's lock."""

    def __init__(self, place: Place, settings: HostSettings) -> None:
        self._place = place
        self._settings = settings
        self._began = time.time()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._clients: set[asyncio.Task[None]] = set()
        self._hooks: set[asyncio.Task[None]] = set()
        self._terminals = InProcessTerminals()
        self._people = People(self._terminals)

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Returns when the host has done its part; all of its terminals have ended then."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        control, hooks = self._place.open_sockets()
        socket_folder = self._place.address() or self._place.folder
        self._terminals = InProcessTerminals(
            self._place.sessions, self._settings.keep_bytes, str(socket_folder / HOOKS)
        )
        self._people = People(self._terminals)
        await self._adopt()
        servers = [
            await asyncio.start_unix_server(self._welcome(self._clients, self._serve_client), sock=control),
            await asyncio.start_unix_server(self._welcome(self._hooks, self._serve_hook), sock=hooks),
        ]
        log.info("host %d of protocol %d takes clients", os.getpid(), VERSION)
        on_ready()
        try:
            await self._until_unneeded(socket_folder / CONTROL)
            self._place.close_sockets()
            await self._terminals.end_all(GRACE_SECONDS)
        finally:
            self._stopped.set()
            for server in servers:
                server.close()
            await _finish(self._hooks)
            await _finish(self._clients)
            log.info("host %d ends", os.getpid())

    def _welcome(self, guests: set[asyncio.Task[None]], serve: Serving) -> Callable[..., None]:
        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_serve_one(reader, writer, serve))
            guests.add(task)
            task.add_done_callback(guests.discard)

        return welcome

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(
            self._terminals, self._people, reader, writer, self._status, self._adopt, self._stop
        ).run()  # fmt: skip

    async def _serve_hook(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_hook(self._terminals, reader, writer)

    def _status(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "began": self._began,
            "terminals": len(self._terminals.alive),
            "clients": len(self._clients),
        }

    async def _adopt(self) -> None:
        """Takes over what dead hosts have left, here and in the places of other versions."""
        _inherit(self._place)
        await self._terminals.adopt()

    async def _stop(self) -> None:
        self._stopping.set()
        await self._stopped.wait()

    async def _until_unneeded(self, control: Path) -> None:
        tick = min(TICK_SECONDS, self._settings.idle_seconds / 4)
        needed_at = seen_at = time.monotonic()
        mine = control.stat().st_ino
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(tick):
                    await self._stopping.wait()
            self._terminals.rest(time.time() - REST_SECONDS)
            now = time.monotonic()
            if self._clients:
                seen_at = now
            if self._clients or self._terminals.alive:
                needed_at = now
            if now - needed_at >= self._settings.idle_seconds:
                log.info("idle for %g s", now - needed_at)
                return
            if now - seen_at >= self._settings.alone_seconds:
                log.warning("no client for %g s: its %d terminals end", now - seen_at, len(self._terminals.alive))
                return
            if not _is_there(control, mine):
                log.warning("%s is gone: nobody can reach this host any more", control)
                return


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, serve: Serving) -> None:
    try:
        require_same_user(writer.get_extra_info("socket"))
        await serve(reader, writer)
    except OfficeError as error:
        log.warning("a connection was closed: %s", error.detail)
    except Exception:  # a fault of ours in one connection must not end all terminals
        log.exception("a connection broke down")
    finally:
        writer.close()


def _is_there(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except FileNotFoundError:
        return False


async def _finish(guests: set[asyncio.Task[None]]) -> None:
    leaving = list(guests)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)


def _inherit(place: Place) -> None:
    """Takes over the sessions of hosts of other versions that have died."""
    for other in places_in(place.folder.parent):
        if other.name == place.name or not other.has_sessions():
            continue
        with contextlib.suppress(Conflict):
            lock = other.lock()
            for folder in other.sessions.iterdir():
                folder.rename(place.sessions / folder.name)
            other.close_sockets()
            os.close(lock)
            shutil.rmtree(other.folder)
