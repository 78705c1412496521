"""Helpers that read as sentences: programs in real terminals of real hosts, watched as a client watches them."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.ptyhost.link import HostLink
from remote_client.ptyhost.places import own_place
from remote_client.terminals import (
    FIRST_BYTE,
    SESSION_TAG,
    Chunk,
    ExitStatus,
    HookEvent,
    TerminalInfo,
    Terminals,
    TerminalSpec,
)  # fmt: skip
from shared.errors import NotFound
from shared.ids import ByteOffset, SessionId
from tests.support.processes import child_running, command_lines, environment_of

WAIT_SECONDS = 45.0
PYTHON = (sys.executable, "-I", "-S", "-c")


def spec(command: Sequence[str], folder: Path, **more: str) -> TerminalSpec:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "LANG": "C.UTF-8", **more}
    return TerminalSpec(SessionId(uuid4()), command, folder, environment, 80, 24)


class Watched:
    """One program in a terminal, and all that it put out and its hooks said."""

    def __init__(self, terminals: Terminals, info: TerminalInfo) -> None:
        self.terminals = terminals
        self.session_id = info.session_id
        self.pid = info.pid
        self.output = bytearray()
        self.hooks: list[HookEvent] = []
        self.gaps: list[tuple[int, int]] = []
        self.position = FIRST_BYTE
        self._news = asyncio.Event()
        self.following = asyncio.create_task(self._follow())

    @classmethod
    @asynccontextmanager
    async def running(cls, terminals: Terminals, command: Sequence[str], folder: Path) -> "AsyncGenerator[Watched]":
        """Ends all of it in the end."""
        one = cls(terminals, await terminals.create(spec(command, folder)))
        try:
            yield one
        finally:
            await one.end()

    async def _follow(self) -> None:
        async for found in self.terminals.follow(self.session_id, FIRST_BYTE):
            if isinstance(found, HookEvent):
                self.hooks.append(found)
            else:
                self._take(found)
            self._news.set()

    def _take(self, chunk: Chunk) -> None:
        if chunk.start != self.position:
            self.gaps.append((self.position, chunk.start))
        self.output += chunk.data
        self.position = chunk.end

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns when something became true with what came."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not true():
                assert not self.following.done(), f"it has ended: {bytes(self.output[-2000:])!r}"
                await self._news.wait()
                self._news.clear()

    async def until_shown(self, text: str) -> None:
        await self.until(lambda: text.encode() in self.output)

    async def type(self, text: str) -> None:
        await self.terminals.write(self.session_id, text.encode())

    async def ended(self) -> ExitStatus:
        """Returns when it has ended by itself and all of its output is here."""
        async with asyncio.timeout(WAIT_SECONDS):
            exit_status = await self.terminals.wait(self.session_id)
            await self.following
        return exit_status

    async def end(self) -> None:
        self.following.cancel()
        await asyncio.gather(self.following, return_exceptions=True)
        with suppress(NotFound):  # it was forgotten already
            await self.terminals.kill(self.session_id, 0.2)
            await self.terminals.forget(self.session_id)

    def processes(self) -> list[int]:
        """Living processes with the tag of this session."""
        return tagged(self.session_id)


def tagged(session_id: SessionId) -> list[int]:
    tag = f"{SESSION_TAG}={session_id}"
    return [pid for pid, _ in command_lines() if tag in known_environment(pid) and child_running(pid)]


def known_environment(pid: int) -> str:
    try:
        return environment_of(pid)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


async def until(true: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Waits for what another process does, of which nobody tells."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


async def host_of(root: Path) -> HostLink:
    """A connection to the host that lives in a folder, beside the client's own."""
    link = await HostLink.open(own_place(root))
    assert link is not None, "no host answers"
    return link


async def host_pid(root: Path) -> int:
    link = await host_of(root)
    pid = link.pid
    await link.close()
    return pid


def memory_of(pid: int) -> int:
    """Resident bytes of a process that are its own."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(
        int(line.split()[1]) * 1024
        for line in rollup.splitlines()
        if line.startswith(("Private_Dirty", "Private_Clean"))
    )


def open_descriptors(pid: int | str) -> set[int]:
    return {int(path.name) for path in list(Path(f"/proc/{pid}/fd").iterdir()) if path.is_symlink()}


def targets_of(pid: int) -> set[str]:
    """What the open descriptors of a process point to, but for those that it closes just now."""
    targets: set[str] = set()
    for descriptor in open_descriptors(pid):
        with suppress(FileNotFoundError):
            targets.add(str(Path(f"/proc/{pid}/fd/{descriptor}").readlink()))
    return targets


@asynccontextmanager
async def hosted(root: Path, **settings: float) -> AsyncGenerator[HostTerminals]:
    """A client's terminals; every host is ended in the end."""
    terminals = HostTerminals(
        root,
        keep_bytes=int(settings.get("keep_bytes", 67_108_864)),
        idle_seconds=settings.get("idle_seconds", 60.0),
        alone_seconds=settings.get("alone_seconds", 600.0),
    )
    try:
        yield terminals
    finally:
        await terminals.stop()


async def all_output(terminals: Terminals, session_id: SessionId) -> bytes:
    """All that is kept, read as `get_output` reads it."""
    offset, found = ByteOffset(0), b""
    while (chunk := await terminals.read_from(session_id, offset, 65_536)).data:
        found += chunk.data
        offset = chunk.end
    return found
