"""What the monitor costs: reading a PTY with ring and monitor next to a bare loop, and next to pexpect.

Ratios within one run count; absolute figures tell about the machine.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.monitor_stream import MARKER, MARKERS, seconds_to_read, tui_stream
from remote_client.monitor.patterns import built_in_patterns
from remote_client.monitor.profile import load_profile
from remote_client.monitor.scanner import StreamScanner
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.ptyhost.ring import OutputRing
from remote_client.terminals import FIRST_BYTE, Chunk

RING_BYTES = 262_144
TAKEN_AT_ONCE = 16_384
"""The host of the terminals gives a flooding one so much of each turn."""


@dataclass(frozen=True)
class Ratio:
    """One figure that is a ratio within the run; `facts` says how it was made."""

    name: str
    value: float
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "ratio": round(self.value, 3), **self.facts}


class MonitoredReader:
    """What stands behind a terminal: ring and monitor, in one process."""

    def __init__(self) -> None:
        self._ring = OutputRing(RING_BYTES)
        self._monitor = TurnMonitor(load_profile("claude"))
        self._monitor.carry_on("a prompt", FIRST_BYTE, time.monotonic())
        self._read_to = FIRST_BYTE
        self.slowest_feed_ms = 0.0

    def take(self, data: bytes) -> None:
        self._ring.append(data)
        if self._ring.end - self._read_to >= TAKEN_AT_ONCE:
            self.monitor()

    def monitor(self) -> None:
        chunk: Chunk = self._ring.read(self._read_to, RING_BYTES)
        self._read_to = chunk.end
        now = time.monotonic()
        self._monitor.feed(chunk, now)
        if (deadline := self._monitor.deadline) is not None and deadline <= now:
            self._monitor.tick(now)
        self.slowest_feed_ms = max(self.slowest_feed_ms, (time.monotonic() - now) * 1000)


def monitor(megabytes: int = 48, rounds: int = 7) -> Iterator[Ratio]:
    stream = tui_stream(megabytes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream"
        path.write_bytes(stream)
        yield _beside_a_bare_loop(path, megabytes, rounds)
    yield _found(stream)


def _beside_a_bare_loop(path: Path, megabytes: int, rounds: int) -> Ratio:
    """The rounds alternate, so that both meet the same noise; the median of their ratios is told."""
    ratios: list[float] = []
    bare: list[float] = []
    slowest = 0.0
    for _ in range(rounds):
        reader = MonitoredReader()
        alone = seconds_to_read(path, len)
        monitored = seconds_to_read(path, reader.take)
        slowest = max(slowest, reader.slowest_feed_ms)
        ratios.append(alone / monitored)
        bare.append(megabytes / alone)
    facts: dict[str, Any] = {
        "of": "reader + ring + monitor to a bare os.read loop",
        "rounds": sorted(round(one, 2) for one in ratios),
        "bare_mb_per_s": round(statistics.median(bare), 1),
        "slowest_feed_ms": round(slowest, 2),
    }
    return Ratio("monitor_throughput", statistics.median(ratios), facts)


def _found(stream: bytes) -> Ratio:
    scanner = StreamScanner(built_in_patterns())
    found = 0
    for start in range(0, len(stream), TAKEN_AT_ONCE):
        found += sum(one.text == MARKER.decode() for one in scanner.feed(stream[start : start + TAKEN_AT_ONCE]))
    return Ratio("monitor_recall", found / MARKERS, {"of": "markers found to markers said", "said": MARKERS})
