"""What the session host costs besides reading: other sessions' turn, starting programs, idle ones.

Floors and peers are measured in the same run, in turns, since only ratios count on a machine with other work.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.reading import drained, spec
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.ptyhost.link import HostLink
from remote_client.ptyhost.places import own_place
from remote_client.terminals import FIRST_BYTE, Chunk
from shared.ids import SessionId

FLOODING = ("yes", "\x1b[32m✓\x1b[0m a line such as an agent draws, with \x1b[1msome\x1b[0m colour in it")
LAG_SECONDS = 4.0
LAG_EVERY_SECONDS = 0.002
SPAWNS = 30
IDLE_SHELLS = 50


async def terminals() -> AsyncIterator[Figure]:
    """Yields the figures one by one."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="semo-bench-"))
    try:
        for flooding in (1, 20):
            yield await _lag(folder / f"lag{flooding}", flooding)
        yield await _spawning(folder / "spawn")
        yield await _idle(folder / "idle")
        yield await _warm(folder / "warm")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


# Turns ---------------------------------------------------------------------------------------------------------------


async def _lag(folder: Path, flooding: int) -> Figure:
    """How late timers come in a client that follows flooding sessions, and how long the host takes to answer it."""
    folder.mkdir()
    host = HostTerminals(folder / "host")
    in_process_folder = folder / "in-process"
    in_process_folder.mkdir()
    try:
        followers, sessions = await _flood(host, flooding, folder)
        link = await HostLink.open(own_place(folder / "host"))
        assert link is not None  # noqa: S101  it has just started
        client = await _late_timers()
        answers = await _answers(link)
        await link.close()
        await _ended(host, followers, sessions)
    finally:
        await host.stop()
    alone = InProcessTerminals(in_process_folder)
    followers, sessions = await _flood(alone, flooding, folder)
    loop = await _late_timers()
    await _ended(alone, followers, sessions)
    idle = await _late_timers()
    own = Figure("", loop)
    facts = {
        "unit": "ms of lag of the event loop that reads, keeps and gives out",
        "flooding_sessions": flooding,
        "idle_p99": round(Figure("", idle).percentile(99), 2),
        "client_following_a_host_p99": round(Figure("", client).percentile(99), 2),
        "host_answers_p50": round(Figure("", answers).percentile(50), 2),
        "host_answers_p99": round(Figure("", answers).percentile(99), 2),
    }
    return Figure(f"terminal_lag_{flooding}_flooding", own.samples_ms, facts)


async def _flood(
    host: InProcessTerminals | HostTerminals, count: int, folder: Path
) -> tuple[list[asyncio.Task[None]], list[SessionId]]:
    async def follow(session_id: SessionId) -> None:
        async for _ in host.follow(session_id, FIRST_BYTE):
            pass

    sessions = [(await host.create(spec(FLOODING, folder))).session_id for _ in range(count)]
    return [asyncio.create_task(follow(session_id)) for session_id in sessions], sessions


async def _ended(
    host: InProcessTerminals | HostTerminals, followers: list[asyncio.Task[None]], sessions: list[SessionId]
) -> None:
    for follower in followers:
        follower.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    await asyncio.gather(*(host.kill(session_id, 0) for session_id in sessions))


async def _late_timers() -> list[float]:
    loop, late = asyncio.get_running_loop(), list[float]()
    end = loop.time() + LAG_SECONDS
    while (began := loop.time()) < end:
        await asyncio.sleep(LAG_EVERY_SECONDS)
        late.append((loop.time() - began - LAG_EVERY_SECONDS) * 1000)
    return late


async def _answers(link: HostLink) -> list[float]:
    taken: list[float] = []
    end = time.monotonic() + LAG_SECONDS
    while time.monotonic() < end:
        began = time.perf_counter()
        await link.call("status")
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(LAG_EVERY_SECONDS)
    return taken


# Starting ------------------------------------------------------------------------------------------------------------


async def _spawning(folder: Path) -> Figure:
    """Starting a program through the host from a client of 50 MB and of 500 MB; beside a fork of the client itself."""
    folder.mkdir()
    host = HostTerminals(folder / "host")
    try:
        await drained(host, ("true",), folder)
        small, small_fork = await _create_times(host, folder), _fork_times()
        ballast = bytearray(os.urandom(1_000_000)) * 450
        large, large_fork = await _create_times(host, folder), _fork_times()
        del ballast
    finally:
        await host.stop()
    facts = {
        "unit": "ms to create",
        "client_mb": [50, 500],
        "p50_at_50_mb": round(statistics.median(small), 2),
        "p50_at_500_mb": round(statistics.median(large), 2),
        "ratio_500_to_50": round(statistics.median(large) / statistics.median(small), 2),
        "ratio_500_to_50_forked_by_the_client": round(statistics.median(large_fork) / statistics.median(small_fork), 2),
    }
    return Figure("terminal_spawn_at_500_mb", large, facts)


async def _create_times(host: HostTerminals, folder: Path) -> list[float]:
    taken: list[float] = []
    for _ in range(SPAWNS):
        began = time.perf_counter()
        info = await host.create(spec(("true",), folder))
        taken.append((time.perf_counter() - began) * 1000)
        await host.wait(info.session_id)
        await host.forget(info.session_id)
    return taken


def _fork_times() -> list[float]:
    taken: list[float] = []
    for _ in range(SPAWNS):
        began = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        taken.append((time.perf_counter() - began) * 1000)
        os.waitpid(pid, 0)
    return taken


# Idle ----------------------------------------------------------------------------------------------------------------


async def _idle(folder: Path) -> Figure:
    """What fifty idle shells cost the host, beyond the shells themselves."""
    folder.mkdir()
    host = HostTerminals(folder / "host")
    started: list[float] = []
    try:
        began = time.perf_counter()
        await drained(host, ("true",), folder)
        cold_start = (time.perf_counter() - began) * 1000
        link = await HostLink.open(own_place(folder / "host"))
        assert link is not None  # noqa: S101  it has just started
        await asyncio.sleep(2)  # until it holds no file open that it does not need
        memory, descriptors = _private_bytes(link.pid), _descriptors(link.pid)
        followers: list[asyncio.Task[None]] = []
        for _ in range(IDLE_SHELLS):
            began = time.perf_counter()
            followers.append(asyncio.create_task(_shown(host, await _shell(host, folder))))
            started.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(3)
        facts = {
            "unit": "ms to start one",
            "shells": IDLE_SHELLS,
            "host_start_ms": round(cold_start, 1),
            "host_alone_mb": round(memory / 1e6, 1),
            "kb_per_session": round((_private_bytes(link.pid) - memory) / IDLE_SHELLS / 1000, 1),
            "descriptors_per_session": round((_descriptors(link.pid) - descriptors) / IDLE_SHELLS, 2),
        }
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        await link.close()
    finally:
        await host.stop()
    return Figure("terminal_idle_shells", started, facts)


async def _shell(host: HostTerminals, folder: Path) -> SessionId:
    return (await host.create(spec(("bash", "--norc", "--noprofile", "-i"), folder))).session_id


async def _shown(host: HostTerminals, session_id: SessionId) -> None:
    async for _ in host.follow(session_id, FIRST_BYTE):
        pass


def _private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Dirty", "Private_Clean")))


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


# Warm and cold -------------------------------------------------------------------------------------------------------


async def _warm(folder: Path) -> Figure:
    """From the wish for a shell to the first echo of a command typed into it: one that waits, one that is started."""
    folder.mkdir()
    host = HostTerminals(folder / "host")
    warm, cold = list[float](), list[float]()
    try:
        await drained(host, ("true",), folder)
        waiting = await _shell(host, folder)
        await _echoed(host, waiting, "up")
        for number in range(SPAWNS):
            warm.append(await _timed(lambda number=number: _echoed(host, waiting, f"warm-{number}")))
            cold.append(await _timed(lambda: _started_and_echoed(host, folder)))
    finally:
        await host.stop()
    facts = {
        "unit": "ms to the first echo",
        "cold_p50": round(statistics.median(cold), 2),
        "cold_to_warm": round(statistics.median(cold) / statistics.median(warm), 1),
    }
    return Figure("terminal_warm_shell", warm, facts)


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def _started_and_echoed(host: HostTerminals, folder: Path) -> None:
    await _echoed(host, await _shell(host, folder), "cold")


async def _echoed(host: HostTerminals, session_id: SessionId, word: str) -> None:
    """Types a command and returns when what it prints is there; its echo shows the word otherwise."""
    (info,) = [one for one in await host.list() if one.session_id == session_id]
    await host.write(session_id, f"echo {word[0]}''{word[1:]}\r".encode())
    found = b""
    async for chunk in host.follow(session_id, info.end):
        assert isinstance(chunk, Chunk)  # noqa: S101  a shell has no hooks
        found += chunk.data
        if word.encode() in found:
            return
