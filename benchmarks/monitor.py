"""What the monitor costs by itself, with either search for anchors, and next to pexpect.

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
from remote_client.monitor.anchors import AnchorSearch
from remote_client.monitor.fast_anchors import FastAnchorSearch
from remote_client.monitor.patterns import PatternKind, built_in_patterns
from remote_client.monitor.profile import load_profile
from remote_client.monitor.recording import read_recording
from remote_client.monitor.scanner import StreamScanner
from remote_client.monitor.search import MakeSearch
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.terminals import FIRST_BYTE, Chunk
from shared.ids import ByteOffset

PATTERNS = built_in_patterns().without(PatternKind.ERROR)
TAKEN_AT_ONCE = 16_384
"""The host of the terminals gives a flooding one so much of each turn."""
ROUNDS = 3
MEGABYTES = 48
PEXPECT_MEGABYTES = 4
RECORDINGS = Path(__file__).parents[1] / "tests" / "fixtures" / "recordings"
RECORDED_MEGABYTES = 6


async def monitor() -> AsyncIterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream"
        path.write_bytes(tui_stream(MEGABYTES))
        for name, search in (("standard_library", AnchorSearch), ("fast", FastAnchorSearch)):
            yield _feeding(f"monitor_feed_{name}", path.read_bytes(), search)
            yield _scanning(f"monitor_scan_recorded_{name}", _recorded(), search)
        path.write_bytes(tui_stream(PEXPECT_MEGABYTES, markers=0) + MARKER + b"\r\n")
        yield _beside_pexpect(path)


def _recorded() -> bytes:
    """What real agents put out, again and again: with far more to be found in it than in a flood."""
    sessions = [read_recording(path.read_text("utf-8")) for path in sorted(RECORDINGS.glob("*.cast"))]
    output = b"".join(event.data for session in sessions for event in session.events if event.kind == "output")
    return output * (RECORDED_MEGABYTES * 1_000_000 // len(output))


def _feeding(name: str, stream: bytes, search: MakeSearch) -> Figure:
    """What looking at each piece costs, and what is found."""
    feeds: list[float] = []
    for _ in range(ROUNDS):
        monitor = TurnMonitor(load_profile("claude"), search=search)
        monitor.carry_on("a prompt", FIRST_BYTE, time.monotonic())
        for start in range(0, len(stream), TAKEN_AT_ONCE):
            began = time.perf_counter()
            monitor.feed(Chunk(ByteOffset(start), stream[start : start + TAKEN_AT_ONCE]), time.monotonic())
            feeds.append((time.perf_counter() - began) * 1000)
    found = {"markers_found": _markers_found(stream, search), "markers_said": MARKERS}
    return Figure(name, feeds, _speed(stream, feeds) | found)


def _scanning(name: str, stream: bytes, search: MakeSearch) -> Figure:
    """The pass over the bytes alone: a recording's minutes come in an instant here, and with them every reason to look
    at the screen."""
    scans: list[float] = []
    sightings = 0
    for _ in range(ROUNDS):
        scanner = StreamScanner(PATTERNS, search=search)
        for start in range(0, len(stream), TAKEN_AT_ONCE):
            began = time.perf_counter()
            sightings += len(scanner.feed(stream[start : start + TAKEN_AT_ONCE]))
            scans.append((time.perf_counter() - began) * 1000)
    return Figure(
        name, scans, _speed(stream, scans) | {"sightings_per_mb": sightings * 1_000_000 // ROUNDS // len(stream)}
    )


def _speed(stream: bytes, samples_ms: list[float]) -> dict[str, Any]:
    return {
        "unit": f"ms for one piece of {TAKEN_AT_ONCE} bytes",
        "mb_per_s": round(len(stream) * ROUNDS / sum(samples_ms) / 1000, 1),
    }


def _markers_found(stream: bytes, search: MakeSearch) -> int:
    scanner = StreamScanner(PATTERNS, search=search)
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
