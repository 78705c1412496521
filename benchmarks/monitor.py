"""What the monitor costs: reading a PTY with ring and monitor next to a bare loop, and next to pexpect.

Each is measured in turns with what it is compared with, since only ratios count on a machine with other work.
"""

import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pexpect  # pyright: ignore[reportMissingTypeStubs]  it has none

from benchmarks.figures import Figure
from benchmarks.monitor_stream import MARKER, MARKERS, seconds_to_read, tui_stream
from remote_client.monitor.patterns import PatternKind, built_in_patterns
from remote_client.monitor.profile import load_profile
from remote_client.monitor.scanner import StreamScanner
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.ptyhost.ring import OutputRing
from remote_client.terminals import FIRST_BYTE, Chunk

PATTERNS = built_in_patterns().without(PatternKind.ERROR)
RING_BYTES = 262_144
TAKEN_AT_ONCE = 16_384
"""The host of the terminals gives a flooding one so much of each turn."""
ROUNDS = 7
MEGABYTES = 48
PEXPECT_MEGABYTES = 4


class MonitoredReader:
    """What stands behind a terminal: ring and monitor, in one process."""

    def __init__(self) -> None:
        self._ring = OutputRing(RING_BYTES)
        self._monitor = TurnMonitor(load_profile("claude"))
        self._monitor.carry_on("a prompt", FIRST_BYTE, time.monotonic())
        self._read_to = FIRST_BYTE
        self.feeds_ms: list[float] = []

    def take(self, data: bytes) -> None:
        self._ring.append(data)
        if self._ring.end - self._read_to >= TAKEN_AT_ONCE:
            self._look()

    def _look(self) -> None:
        chunk: Chunk = self._ring.read(self._read_to, RING_BYTES)
        self._read_to = chunk.end
        now = time.monotonic()
        self._monitor.feed(chunk, now)
        if (deadline := self._monitor.deadline) is not None and deadline <= now:
            self._monitor.tick(now)
        self.feeds_ms.append((time.monotonic() - now) * 1000)


async def monitor() -> AsyncIterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream"
        path.write_bytes(tui_stream(MEGABYTES))
        for figure in _beside_a_bare_loop(path):
            yield figure
        path.write_bytes(tui_stream(PEXPECT_MEGABYTES, markers=0) + MARKER + b"\r\n")
        yield _beside_pexpect(path)


def _beside_a_bare_loop(path: Path) -> list[Figure]:
    ours: list[float] = []
    bare: list[float] = []
    ours_cpu: list[float] = []
    bare_cpu: list[float] = []
    feeds: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        bare.append(seconds_to_read(path, len))
        between = time.process_time()
        reader = MonitoredReader()
        ours.append(seconds_to_read(path, reader.take))
        ours_cpu.append((time.process_time() - between) * 1000 / MEGABYTES)
        bare_cpu.append((between - began) * 1000 / MEGABYTES)
        feeds += reader.feeds_ms
    facts: dict[str, Any] = {
        "unit": f"ms for {MEGABYTES} MB",
        "ratio_to_bare_read": round(statistics.median(bare) / statistics.median(ours), 2),
        "best_ratio": round(min(bare) / min(ours), 2),
        "cpu_ms_per_mb": round(min(ours_cpu), 2),
        "bare_cpu_ms_per_mb": round(min(bare_cpu), 2),
        "markers_found": _markers_found(path.read_bytes()),
        "markers_said": MARKERS,
    }
    return [
        Figure("monitor_reader", [seconds * 1000 for seconds in ours], facts),
        Figure("monitor_feed", feeds, {"unit": f"ms for one feed of {TAKEN_AT_ONCE} bytes"}),
    ]


def _markers_found(stream: bytes) -> int:
    scanner = StreamScanner(PATTERNS)
    pieces = [stream[start : start + TAKEN_AT_ONCE] for start in range(0, len(stream), TAKEN_AT_ONCE)]
    return sum(one.text == MARKER.decode() for piece in pieces for one in scanner.feed(piece))


def _beside_pexpect(path: Path) -> Figure:
    """Until a marker is there that comes last."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        child = cast(Any, pexpect).spawn("cat", [str(path)], timeout=600)
        child.expect_exact(MARKER)
        theirs.append(time.perf_counter() - began)
        child.close()
        scanner = StreamScanner(PATTERNS)
        ours.append(seconds_to_read(path, scanner.feed))
    facts = {
        "unit": f"ms until the marker after {PEXPECT_MEGABYTES} MB",
        "times_faster_than_pexpect": round(statistics.median(theirs) / statistics.median(ours), 1),
    }
    return Figure("monitor_marker_wait", [seconds * 1000 for seconds in ours], facts)
