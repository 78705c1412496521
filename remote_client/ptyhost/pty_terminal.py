"""One program in one PTY: its bytes in and out, and its end. Fills a `Record`; `host` knows which there are."""

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import sys
import termios
import time
from collections import deque
from pathlib import Path
from signal import Signals

from remote_client.ptyhost.children import watch
from remote_client.ptyhost.events import Start
from remote_client.ptyhost.processes import Leader, end_tree
from remote_client.ptyhost.record import Record
from remote_client.ptyhost.spawn import Spawned, require_size, spawn
from remote_client.ptyhost.turns import TURN_BYTES, Turns
from remote_client.terminals import SESSION_TAG, ExitStatus, InputMode, TerminalSpec
from shared.errors import Conflict, SessionFailed
from shared.ids import ByteOffset

READ_SIZE = 65_536
PIECE_BYTES = 4095
"""What is worked on before the terminal is read again: what Linux gives in one read. It keeps about 12 KB between the
two ends: with more work in one go, the program stands still meanwhile, and a flood takes a fifth longer."""

DRAIN_SECONDS = 0.5
"""How long a grandchild may hold the terminal open after its program has ended."""

LAST_READ = 1_048_576
QUEUE_BYTES = 8_388_608
"""How much may wait for a program that does not read."""

LINE_BYTES = 4095 if sys.platform == "linux" else 1023
"""Where a terminal that edits lines itself cuts one, without a word."""

KILLED_SECONDS = 10.0
KEYS_KEPT = 1000
"""Of the latest writes; nobody asks for older ones any more."""


class PtyTerminal:
    """Owns the master side of the PTY. Made by `start`; over when its record has ended."""

    def __init__(self, record: Record, process: Spawned, turns: Turns) -> None:
        self.record = record
        self._turns = turns
        self._share = 0
        record.ask_for_more = self._more
        self._process = process
        self._master = process.fd
        self._loop = asyncio.get_running_loop()
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._typed: dict[str, ByteOffset | None] = {}
        self._writing = False
        self._reaped = False
        self._at_end = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._killing: asyncio.Task[None] | None = None
        os.set_blocking(self._master, False)
        os.set_inheritable(self._master, False)
        self._loop.add_reader(self._master, self._has_output)
        watch(process.pid, self._on_exit)

    @classmethod
    def start(
        cls, spec: TerminalSpec, extra: dict[str, str], folder: Path | None, keep_bytes: int, turns: Turns
    ) -> "PtyTerminal":
        """Takes a few milliseconds and lets nothing else run meanwhile. `extra` goes into the program's environment.

        Raises:
            SessionFailed: the program or the folder is not there, or there is no PTY left.
        """
        process = spawn(spec, dict(spec.environment) | extra | {SESSION_TAG: str(spec.session_id)})
        started = Leader.of(process.pid).started
        start = Start(process.pid, started, spec.first_offset, spec.cols, spec.rows, time.time())
        return cls(Record.begin(spec.session_id, start, folder, keep_bytes), process, turns)

    @property
    def _leader(self) -> Leader:
        return Leader(self.record.start.pid, self.record.start.pid_started)

    # Output -----------------------------------------------------------------------------------------------------------

    def _has_output(self) -> None:
        self._share = self._turns.share()
        self._take(PIECE_BYTES if self.record.is_awaited else self._share)

    def _more(self) -> bool:
        """Takes in the next piece, as far as this terminal's share of the turn goes; whether there was any."""
        return self._share > 0 and self._take(PIECE_BYTES)

    def _take(self, at_most: int) -> bool:
        taken = self.read(min(at_most, self._share))
        self._share = max(0, self._share - taken) if taken else 0
        return taken > 0

    def read(self, at_most: int = TURN_BYTES) -> int:
        """Takes in what has come, without waiting; returns how many bytes."""
        pieces: list[bytes] = []
        taken = 0
        at_end = self._at_end.is_set()
        while taken < at_most and not at_end:
            try:
                data = self._read_some()
            except BlockingIOError:
                break
            at_end = not data
            pieces.append(data)
            taken += len(data)
        if taken:
            self.record.append(b"".join(pieces))
        if at_end and not self._at_end.is_set():
            self._loop.remove_reader(self._master)
            self._at_end.set()
        return taken

    def _read_some(self) -> bytes:
        """Nothing at the end, which Linux tells by EIO. Told once, it proves nothing: Linux looks for output first
        and for the other side's end then, and both may come in between. Told twice in a row, it is true.
        """
        for _ in range(2):
            try:
                return os.read(self._master, READ_SIZE)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
        return b""

    # Input ------------------------------------------------------------------------------------------------------------

    def write(self, data: bytes, key: str | None = None) -> None:
        """
        Raises:
            Conflict: the terminal would cut a line, or the program does not read, or the key was settled.
            SessionFailed: it has ended.
        """
        if key is not None and key in self._typed:
            if self._typed[key] is None:
                raise Conflict(f"session {self.record.session_id} was told that this would never be typed")
            return
        self._require_alive()
        if self._queued + len(data) > QUEUE_BYTES:
            raise Conflict(f"the program of session {self.record.session_id} does not read what is typed")
        if len(data) > LINE_BYTES and self.input_mode() == "line" and _longest_line(data) > LINE_BYTES:
            raise Conflict(
                f"a line of more than {LINE_BYTES} bytes would be cut: session {self.record.session_id} takes lines now"
            )
        if key is not None:
            self.read()  # what it put out before does not count as an answer
            self._note(key, self.record.info().end)
        self._queue.append(memoryview(data))
        self._queued += len(data)
        if not self._writing:
            self._drain_queue()

    def settle(self, key: str) -> ByteOffset | None:
        """Where the output stood when the write with this key was typed; None: it was not, and never will be."""
        if key not in self._typed:
            self._note(key, None)
        return self._typed[key]

    def _note(self, key: str, at: ByteOffset | None) -> None:
        self._typed[key] = at
        if len(self._typed) > KEYS_KEPT:
            del self._typed[next(iter(self._typed))]

    def _drain_queue(self) -> None:
        while self._queue:
            try:
                written = os.write(self._master, self._queue[0])
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                self._queue.clear()
                self._queued = 0
                break
            self._queued -= written
            if written == len(self._queue[0]):
                self._queue.popleft()
            else:
                self._queue[0] = self._queue[0][written:]
        if bool(self._queue) != self._writing:
            self._writing = bool(self._queue)
            if self._writing:
                self._loop.add_writer(self._master, self._drain_queue)
            else:
                self._loop.remove_writer(self._master)

    def resize(self, cols: int, rows: int) -> None:
        self._require_alive()
        require_size(cols, rows)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.record.resized(cols, rows)

    def input_mode(self) -> InputMode:
        self._require_alive()
        local_modes: int = termios.tcgetattr(self._master)[3]
        return "line" if local_modes & termios.ICANON else "raw"

    def _require_alive(self) -> None:
        if self.record.ended.is_set():
            raise SessionFailed(f"the terminal of session {self.record.session_id} has ended")

    # The end ----------------------------------------------------------------------------------------------------------

    def _on_exit(self, wait_status: int) -> None:
        self._reaped = True
        self._ending = self._loop.create_task(self._end(os.waitstatus_to_exitcode(wait_status)))

    async def _end(self, code: int) -> None:
        """Reads what the program left behind, and closes the PTY once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._at_end.wait()
        self.read(LAST_READ)
        self._loop.remove_reader(self._master)
        if self._writing:
            self._loop.remove_writer(self._master)
        self._queue.clear()
        # The program is reaped: ptyprocess need not look for it, nor sleep.
        self._process.terminated = True
        self._process.delayafterclose = 0
        self._process.close()
        self.record.end(ExitStatus(code, None) if code >= 0 else ExitStatus(None, -code))

    def signal(self, number: Signals) -> None:
        """Until it is reaped, the pid is nobody else's."""
        if not self._reaped:
            os.kill(self._process.pid, number)

    async def kill(self, grace_seconds: float) -> ExitStatus:
        """Goes on to its end also when whoever asked for it has left.

        Raises:
            SessionFailed: a process of it cannot be killed.
        """
        if self._killing is None or self._killing.done():
            tree = end_tree(self.record.session_id, self._leader, grace_seconds)
            self._killing = self._loop.create_task(tree)
        await asyncio.shield(self._killing)
        try:
            async with asyncio.timeout(KILLED_SECONDS):
                await self.record.ended.wait()
        except TimeoutError:
            raise SessionFailed(f"the program of session {self.record.session_id} cannot be killed") from None
        return self.record.exit or ExitStatus(None, Signals.SIGKILL)


def _longest_line(data: bytes) -> int:
    return max(len(line) for line in data.replace(b"\r", b"\n").split(b"\n"))
