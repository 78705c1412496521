"""A TUI's output from its terminal to what the monitor makes of it, beside a loop of nothing but `os.read`.

Each is measured in turns with what it is compared with, since only ratios count on a machine with other work.
"""

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

from benchmarks.figures import Figure
from benchmarks.monitor_stream import tui_stream
from benchmarks.reading import bare_loop, drained
from remote_client.monitor.anchors import AnchorSearch
from remote_client.monitor.fast_anchors import FastAnchorSearch
from remote_client.monitor.profile import load_profile
from remote_client.monitor.search import MakeSearch
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.terminals import FIRST_BYTE, Chunk

ROUNDS = 5
MEGABYTES = 24


async def reader() -> AsyncIterator[Figure]:
    """Yields the figures one by one."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="semo-bench-"))
    try:
        yield await _beside_a_bare_loop("terminal_reader_and_spool", folder, _nothing)
        for name, search in (("standard_library", AnchorSearch), ("fast", FastAnchorSearch)):
            taker = partial(_monitored, search)
            yield await _beside_a_bare_loop(f"terminal_reader_spool_and_monitor_{name}", folder, taker)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _nothing() -> Callable[[Chunk], object]:
    return lambda _: None


def _monitored(search: MakeSearch) -> Callable[[Chunk], object]:
    monitor = TurnMonitor(load_profile("claude"), search=search)
    monitor.carry_on("a prompt", FIRST_BYTE, time.monotonic())

    def take(chunk: Chunk) -> None:
        now = time.monotonic()
        monitor.feed(chunk, now)
        if (deadline := monitor.deadline) is not None and deadline <= now:
            monitor.tick(now)

    return take


async def _beside_a_bare_loop(name: str, folder: Path, taker: Callable[[], Callable[[Chunk], object]]) -> Figure:
    """The samples are of reader, disk and monitor in one process; a client has them in two."""
    stream = folder / "stream"
    stream.write_bytes(tui_stream(MEGABYTES))
    command = ("cat", str(stream))
    bare, ours, hosted = list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        bare.append(bare_loop(command))
        kept = folder / uuid4().hex
        kept.mkdir()
        ours.append(await drained(InProcessTerminals(kept), command, folder, taker()))
        hosted.append(await _through_host(command, folder, taker()))
    facts = {
        "unit": f"ms for {MEGABYTES} MB",
        "ratio_to_bare_read": _ratio(bare, ours),
        "ratio_through_host": _ratio(bare, hosted),
        "best_ratio": round(min(bare) / min(ours), 2),
        "best_ratio_through_host": round(min(bare) / min(hosted), 2),
        "bare_read_mb_per_s": round(MEGABYTES / statistics.median(bare), 1),
    }
    return Figure(name, [seconds * 1000 for seconds in ours], facts)


def _ratio(floor: list[float], ours: list[float]) -> float:
    return round(statistics.median(floor) / statistics.median(ours), 2)


async def _through_host(command: tuple[str, ...], folder: Path, take: Callable[[Chunk], object]) -> float:
    host = HostTerminals(folder / "host")
    try:
        await drained(host, ("true",), folder)  # the host itself has started
        return await drained(host, command, folder, take)
    finally:
        await host.stop()
