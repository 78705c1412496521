"""What happened to one terminal beside its output: its start, sizes, hook events and exit, in memory and on disk.

Bounded in both: the oldest hook events go first. A disk that takes no more costs nothing but the file.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from remote_client.terminals import ExitStatus, HookEvent
from shared.ids import ByteOffset

log = logging.getLogger(__name__)

FILE = "events.jsonl"
HOOK_BYTES = 4_194_304
"""How much of the JSON of a terminal's hook events is kept."""

SIZES = 1000
_FILE_BYTES = 4 * HOOK_BYTES


@dataclass(frozen=True)
class Start:
    """How a terminal began. `pid_started` tells its program from a later one with the same pid; None: not known."""

    pid: int
    pid_started: int | None
    first_offset: ByteOffset
    cols: int
    rows: int
    at: float
    """Unix time."""


@dataclass(frozen=True)
class Size:
    at: float
    offset: ByteOffset
    cols: int
    rows: int


class Events:
    """`folder` None: in memory alone."""

    def __init__(self, folder: Path | None, start: Start) -> None:
        self.start = start
        self.exit: ExitStatus | None = None
        self.hooks: deque[HookEvent] = deque()
        self.last_hook = 0
        self._hook_weights: deque[int] = deque()
        self._hook_times: deque[float] = deque()
        self._hook_bytes = 0
        self._sizes: deque[Size] = deque(maxlen=SIZES)
        self._ended_at = 0.0
        self._path = folder / FILE if folder is not None else None
        self._file_bytes = 0
        self._stale = False
        self._told = False

    @property
    def sizes(self) -> list[Size]:
        """Every size after the first."""
        return list(self._sizes)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now."""
        last = self._sizes[-1] if self._sizes else self.start
        return last.cols, last.rows

    @property
    def ended_at(self) -> float:
        """Unix time; 0 while it lives."""
        return self._ended_at

    def timed_hooks(self) -> Iterator[tuple[float, HookEvent]]:
        """Each with its Unix time."""
        return zip(self._hook_times, self.hooks, strict=True)

    @classmethod
    def load(cls, folder: Path) -> "Events":
        """
        Raises:
            OSError, ValueError: there is nothing that could be read.
        """
        lines = (folder / FILE).read_bytes().splitlines()
        told = [found for line in lines if (found := _parsed(line)) is not None]
        if not told or told[0]["kind"] != "started":
            raise ValueError(f"{folder / FILE} does not begin with a start")
        events = cls(folder, Start(**told[0]["body"]))
        for one in told[1:]:
            events.take(one)
        events._stale = True  # the last line may be torn: the next write is a whole one
        return events

    def take(self, told: dict[str, Any]) -> None:
        """One line of the file, back into memory."""
        body, moment = told["body"], told["at"]
        if told["kind"] == "hook":
            self._remember(HookEvent(**body), len(json.dumps(body)), moment)
        elif told["kind"] == "resized":
            self._sizes.append(Size(moment, **body))
        elif told["kind"] == "exited":
            self.exit = ExitStatus(**body)
            self._ended_at = moment

    def save(self) -> None:
        """Writes the whole file anew, or leaves that to the next event when the disk takes no more."""
        self._stale = True
        self._write(b"")

    def _write_all(self, path: Path) -> None:
        data = b"".join(self._lines())
        fresh = path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.replace(path)
        self._file_bytes = len(data)
        self._stale = self._told = False

    def _lines(self) -> list[bytes]:
        lines = [_line("started", self.start.at, asdict(self.start))]
        lines += [_size_line(size) for size in self._sizes]
        lines += [_line("hook", at, asdict(hook)) for at, hook in self.timed_hooks()]
        if self.exit is not None:
            lines.append(_line("exited", self._ended_at, asdict(self.exit)))
        return lines

    def resized(self, offset: ByteOffset, cols: int, rows: int) -> None:
        size = Size(time.time(), offset, cols, rows)
        self._sizes.append(size)
        self._write(_size_line(size))

    def add_hook(self, at: ByteOffset, name: str, body: dict[str, Any], waits: bool, truncated: bool) -> HookEvent:
        hook = HookEvent(self.last_hook + 1, at, name, body, waits, truncated)
        now = time.time()
        line = _line("hook", now, asdict(hook))
        self._remember(hook, len(line), now)
        self._write(line)
        return hook

    def _remember(self, hook: HookEvent, weight: int, moment: float) -> None:
        self.last_hook = hook.number
        self.hooks.append(hook)
        self._hook_weights.append(weight)
        self._hook_times.append(moment)
        self._hook_bytes += weight
        while self._hook_bytes > HOOK_BYTES and len(self.hooks) > 1:
            self.hooks.popleft()
            self._hook_times.popleft()
            self._hook_bytes -= self._hook_weights.popleft()

    def exited(self, exit_status: ExitStatus) -> None:
        self.exit = exit_status
        self._ended_at = time.time()
        self._write(_line("exited", self._ended_at, asdict(exit_status)))

    def _write(self, line: bytes) -> None:
        if self._path is None:
            return
        try:
            if self._stale or self._file_bytes > _FILE_BYTES:
                self._write_all(self._path)
                return
            with self._path.open("ab", buffering=0) as file:
                self._stale = file.write(line) != len(line)
            self._file_bytes += len(line)
        except OSError as error:
            self._stale = True
            if not self._told:
                log.warning("%s cannot be written: %s", self._path, error)
            self._told = True


def _line(kind: str, at: float, body: dict[str, Any]) -> bytes:
    return json.dumps({"kind": kind, "at": at, "body": body}, separators=(",", ":")).encode() + b"\n"


def _size_line(size: Size) -> bytes:
    return _line("resized", size.at, {"offset": size.offset, "cols": size.cols, "rows": size.rows})


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None
