"""Programs whose output is read to its end: by a loop of nothing but `os.read`, and by our terminals."""

import os
import pty
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from remote_client.ptyhost.host import InProcessTerminals
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.terminals import FIRST_BYTE, Chunk, TerminalSpec
from shared.ids import SessionId


def spec(command: tuple[str, ...], folder: Path) -> TerminalSpec:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "PS1": "ready> "}
    return TerminalSpec(SessionId(uuid4()), command, folder, environment, 120, 40)


def bare_loop(command: tuple[str, ...]) -> float:
    """Seconds from the first bytes to the end: how a program is started is measured elsewhere."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)  # noqa: S606  the floor is the bare thing
    os.read(master, 65_536)
    began = time.perf_counter()
    try:
        while os.read(master, 65_536):
            pass
    except OSError:
        pass  # EIO is the end
    seconds = time.perf_counter() - began
    os.close(master)
    os.waitpid(pid, 0)
    return seconds


async def taken_in(
    host: InProcessTerminals | HostTerminals, command: tuple[str, ...], folder: Path, take: Callable[[Chunk], object]
) -> float:
    """Seconds from the first bytes to the end, until all of it was kept, given out and taken."""
    began = 0.0
    info = await host.create(spec(command, folder))
    async for found in host.follow(info.session_id, FIRST_BYTE):
        began = began or time.perf_counter()
        if isinstance(found, Chunk):
            take(found)
    seconds = time.perf_counter() - began
    await host.wait(info.session_id)
    await host.forget(info.session_id)
    return seconds


async def drained(
    host: InProcessTerminals | HostTerminals,
    command: tuple[str, ...],
    folder: Path,
    take: Callable[[Chunk], object] = lambda _: None,
) -> float:
    """Seconds until all of it was kept, given out and taken."""
    began = time.perf_counter()
    info = await host.create(spec(command, folder))
    async for found in host.follow(info.session_id, FIRST_BYTE):
        if isinstance(found, Chunk):
            take(found)
    await host.wait(info.session_id)
    seconds = time.perf_counter() - began
    await host.forget(info.session_id)
    return seconds
