"""A TUI's output from its terminal to what the monitor makes of it, beside a loop of nothing but `os.read`.

Each is measured right after what it is compared with, since only ratios count on a machine with other work; those with
a host of their own are measured for themselves, for a host that ends takes time from whatever comes next.
"""

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

from benchmarks.figures import Figure
from benchmarks.monitor_stream import tui_stream
from benchmarks.reading import bare_loop, drained, taken_in
from remote_client.monitor.anchors import AnchorSearch
from remote_client.monitor.fast_anchors import FastAnchorSearch
from remote_client.monitor.profile import load_profile
from remote_client.monitor.search import MakeSearch
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.terminals import FIRST_BYTE, Chunk

ROUNDS = 31
MEGABYTES = 24
Taker = Callable[[Chunk], object]


@dataclass
class _Samples:
    """Seconds, one of each in every round. `ours` is of reader, disk and monitor in one process; a client has them in
    two, as `hosted` is.
    """

    bare: list[float] = field(default_factory=list[float])
    ours: list[float] = field(default_factory=list[float])
    bare_beside_hosted: list[float] = field(default_factory=list[float])
    hosted: list[float] = field(default_factory=list[float])


async def reader() -> AsyncIterator[Figure]:
    """Yields the figures one by one."""
    takers: dict[str, Callable[[], Taker]] = {
        "terminal_reader_and_spool": _nothing,
        "terminal_reader_spool_and_monitor_standard_library": partial(_monitored, AnchorSearch),
        "terminal_reader_spool_and_monitor_fast": partial(_monitored, FastAnchorSearch),
    }
    samples = {name: _Samples() for name in takers}
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="semo-bench-"))
    try:
        stream = folder / "stream"
        stream.write_bytes(tui_stream(MEGABYTES))
        command = ("cat", str(stream))
        for _ in range(ROUNDS):
            for name, taker in takers.items():
                await _measure(samples[name], folder, command, taker())
        await _measure_hosted(samples, folder, command, takers)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    for name, one in samples.items():
        yield _figure(name, one)


def _nothing() -> Taker:
    return lambda _: None


def _monitored(search: MakeSearch) -> Taker:
    monitor = TurnMonitor(load_profile("claude"), search=search)
    monitor.carry_on("a prompt", FIRST_BYTE, time.monotonic())

    def take(chunk: Chunk) -> None:
        now = time.monotonic()
        monitor.feed(chunk, now)
        if (deadline := monitor.deadline) is not None and deadline <= now:
            monitor.tick(now)

    return take


async def _measure(samples: _Samples, folder: Path, command: tuple[str, ...], take: Taker) -> None:
    kept = folder / uuid4().hex
    kept.mkdir()
    samples.bare.append(bare_loop(command))
    samples.ours.append(await taken_in(InProcessTerminals(kept), command, folder, take))


async def _measure_hosted(
    samples: dict[str, _Samples], folder: Path, command: tuple[str, ...], takers: dict[str, Callable[[], Taker]]
) -> None:
    host = HostTerminals(folder / "host")
    try:
        await drained(host, ("true",), folder)  # the host itself has started
        for _ in range(ROUNDS):
            for name, taker in takers.items():
                samples[name].bare_beside_hosted.append(bare_loop(command))
                samples[name].hosted.append(await taken_in(host, command, folder, taker()))
    finally:
        await host.stop()


def _figure(name: str, samples: _Samples) -> Figure:
    facts = {
        "unit": f"ms for {MEGABYTES} MB",
        "ratio_to_bare_read": _ratio(samples.bare, samples.ours),
        "ratio_through_host": _ratio(samples.bare_beside_hosted, samples.hosted),
        "best_ratio": round(min(samples.bare) / min(samples.ours), 2),
        "best_ratio_through_host": round(min(samples.bare_beside_hosted) / min(samples.hosted), 2),
        "bare_read_mb_per_s": round(MEGABYTES / statistics.median(samples.bare), 1),
    }
    return Figure(name, [seconds * 1000 for seconds in samples.ours], facts)


def _ratio(floor: list[float], ours: list[float]) -> float:
    """The median of what each round gives: a round is too short for the machine's other work to change much."""
    return round(statistics.median(bare / one for bare, one in zip(floor, ours, strict=True)), 2)
