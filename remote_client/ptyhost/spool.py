"""The output of one terminal on disk, by absolute offset: bounded, timed, and never in the way of the terminal.

What could not be kept, because the disk is full or the bound is reached, is a gap to whoever reads.
"""

import contextlib
import logging
import os
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from remote_client.terminals import Chunk
from shared.ids import ByteOffset

log = logging.getLogger(__name__)

SEGMENTS = 16
LEAST_SEGMENT_BYTES = 4096
MOST_SEGMENTS = 256
"""Gaps make segments short; these many are kept however short they are."""

TIME_GRAIN_SECONDS = 0.01
FULL_PAUSE_SECONDS = 1.0
"""How long a disk that took no more is left alone."""

_TIME = struct.Struct("<dQ")


@dataclass
class _Segment:
    """Bytes without a gap, in a file that is named by their first offset."""

    start: int
    size: int = 0
    times_size: int = 0

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def weight(self) -> int:
        return self.size + self.times_size


class Spool:
    """`folder` is there already and belongs to this spool alone."""

    def __init__(self, folder: Path, keep_bytes: int) -> None:
        self._folder = folder
        self._keep_bytes = keep_bytes
        self._segment_bytes = max(keep_bytes // SEGMENTS, LEAST_SEGMENT_BYTES)
        self._segments: deque[_Segment] = deque(_segments_in(folder))
        self._output: int | None = None
        self._times: int | None = None
        self._timed_at = 0.0
        self._written_at = 0.0
        self._pause_until = 0.0

    @property
    def begin(self) -> ByteOffset | None:
        """The first offset that is kept; None when nothing is."""
        return ByteOffset(self._segments[0].start) if self._segments else None

    @property
    def end(self) -> ByteOffset | None:
        return ByteOffset(self._segments[-1].end) if self._segments else None

    def append(self, start: ByteOffset, data: bytes, now: float) -> None:
        """Keeps `data`, which came at `now` (Unix time); a disk that takes no more is told in the log alone."""
        if self._pause_until and now < self._pause_until:
            return
        try:
            self._append(start, data, now)
            self._pause_until = 0.0
        except OSError as error:
            if not self._pause_until:
                log.warning("output from %d on is not kept in %s: %s", start, self._folder, error)
            self._pause_until = now + FULL_PAUSE_SECONDS
            self._close()
            if self._segments and not self._segments[-1].size:
                self._remove(self._segments.pop())

    def _append(self, start: int, data: bytes, now: float) -> None:
        if not self._segments or self._segments[-1].end != start or self._segments[-1].weight >= self._segment_bytes:
            self._close()
            self._make_room()
            self._segments.append(_Segment(start))
        segment = self._segments[-1]
        if self._output is None:
            self._output = self._open(segment, "out")
        if now - self._timed_at >= TIME_GRAIN_SECONDS or not segment.size:
            if self._times is None:
                self._times = self._open(segment, "times")
            segment.times_size += os.write(self._times, _TIME.pack(now, start))
            self._timed_at = now
        rest = data
        while rest:
            written = os.write(self._output, rest)
            segment.size += written
            rest = rest[written:]
        self._written_at = now

    def _open(self, segment: _Segment, kind: str) -> int:
        return os.open(_path(self._folder, segment.start, kind), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _make_room(self) -> None:
        kept = sum(segment.weight for segment in self._segments)
        while self._segments and (
            kept + self._segment_bytes > self._keep_bytes or len(self._segments) >= MOST_SEGMENTS
        ):
            oldest = self._segments.popleft()
            kept -= oldest.weight
            self._remove(oldest)

    def _remove(self, segment: _Segment) -> None:
        for kind in ("out", "times"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_path(self._folder, segment.start, kind))  # noqa: PTH108  _path gives no Path

    def read(self, offset: ByteOffset, limit: int) -> Chunk | None:
        """The first bytes that are kept at or after `offset`, at most `limit`; None when there are none."""
        for segment in self._segments:
            if segment.end <= offset:
                continue
            begin = max(offset, segment.start)
            try:
                data = _read(_path(self._folder, segment.start, "out"), begin - segment.start, limit)
            except OSError as error:
                log.warning("kept output cannot be read: %s", error)
                continue
            data = data[: segment.end - begin]
            if data:
                return Chunk(ByteOffset(begin), data)
        return None

    def rest(self, before: float) -> None:
        """Holds no file open when the last output is older than `before` (Unix time)."""
        if self._written_at < before:
            self._close()

    def _close(self) -> None:
        for descriptor in (self._output, self._times):
            if descriptor is not None:
                os.close(descriptor)
        self._output = self._times = None

    def close(self) -> None:
        self._close()


def _path(folder: Path, start: int, kind: str) -> str:
    return f"{folder}/{start:020d}.{kind}"


def _read(path: str, position: int, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.pread(descriptor, size, position)
    finally:
        os.close(descriptor)


def _segments_in(folder: Path) -> list[_Segment]:
    return [
        _Segment(int(path.stem), path.stat().st_size, times.stat().st_size if times.exists() else 0)
        for path in sorted(folder.glob("*.out"))
        if path.stem.isdigit()
        for times in [path.with_suffix(".times")]
    ]


def times_in(folder: Path) -> Iterator[tuple[float, ByteOffset]]:
    """When (Unix time) the output from which offset on came, oldest first; to about a hundredth of a second."""
    for path in sorted(folder.glob("*.times")):
        data = path.read_bytes()
        for moment, offset in _TIME.iter_unpack(data[: len(data) // _TIME.size * _TIME.size]):
            yield moment, ByteOffset(offset)
