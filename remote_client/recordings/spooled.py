"""What a host kept of one terminal, read from its folder as one thing after the other, in the order of its coming."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from remote_client.ptyhost.events import Events
from remote_client.ptyhost.spool import times_in
from remote_client.terminals import TOUCHED, ExitStatus

PIECE_BYTES = 32_768


@dataclass(frozen=True)
class Output:
    at: float
    """Unix time, as in all of these."""
    data: bytes


@dataclass(frozen=True)
class Resized:
    at: float
    cols: int
    rows: int


@dataclass(frozen=True)
class Gap:
    """So many bytes were not kept."""

    at: float
    size: int


@dataclass(frozen=True)
class TakenOver:
    at: float
    by: str


@dataclass(frozen=True)
class Ended:
    at: float
    exit: ExitStatus


Happened = Output | Resized | Gap | TakenOver | Ended
_Mark = tuple[int, Resized | TakenOver]


class Spooled:
    """One terminal that has ended. Only pieces of it are ever in memory."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OSError, ValueError: there is nothing that could be read.
        """
        self._folder = folder
        self._events = Events.load(folder)
        self._segments = [(int(path.stem), path) for path in sorted(folder.glob("*.out")) if path.stem.isdigit()]
        self._begin = self._segments[0][0] if self._segments else self._events.start.first_offset
        self.began = self._events.start.at

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, where what is kept begins."""
        start = self._events.start
        before = [(size.cols, size.rows) for size in self._events.sizes if size.offset < self._begin]
        return before[-1] if before else (start.cols, start.rows)

    def happened(self) -> Iterator[Happened]:
        times = _Times(self._folder, self.began)
        marks = self._marks()
        position: int = self._events.start.first_offset
        for start, path in self._segments:
            if start > position:
                yield Gap(times.at(start), start - position)
            data = path.read_bytes()
            position = start
            while position < start + len(data):
                while marks and marks[0][0] <= position:
                    yield marks.pop(0)[1]
                moment = times.at(position)
                ends = [start + len(data), position + PIECE_BYTES, times.next_change]
                end = min([*ends, marks[0][0]] if marks else ends)
                yield Output(moment, data[position - start : end - start])
                position = end
        for _, mark in marks:
            yield mark
        if self._events.exit is not None:
            yield Ended(self._events.ended_at, self._events.exit)

    def _marks(self) -> list[_Mark]:
        marks: list[_Mark] = [
            (size.offset, Resized(size.at, size.cols, size.rows))
            for size in self._events.sizes
            if size.offset >= self._begin
        ]
        marks += [
            (hook.at, TakenOver(at, str(hook.body.get("by"))))
            for at, hook in self._events.timed_hooks()
            if hook.name == TOUCHED and hook.at >= self._begin
        ]
        return sorted(marks, key=lambda mark: (mark[0], mark[1].at))


class _Times:
    """When the output at an offset came; asked in rising order."""

    def __init__(self, folder: Path, began: float) -> None:
        self._rest = times_in(folder)
        self._now = began
        self._next = next(self._rest, None)

    def at(self, position: int) -> float:
        while self._next is not None and self._next[1] <= position:
            self._now = max(self._now, self._next[0])
            self._next = next(self._rest, None)
        return self._now

    @property
    def next_change(self) -> int:
        """The offset from which on another time holds."""
        return self._next[1] if self._next is not None else 1 << 62
