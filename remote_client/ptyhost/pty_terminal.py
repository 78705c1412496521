"""One program in one PTY: its bytes in and out, its end. Which terminals there are is the business of `host`."""

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import termios
from collections import deque
from signal import Signals
from typing import Any, Protocol, cast

from ptyprocess import PtyProcess  # pyright: ignore[reportMissingTypeStubs]  it has none

from remote_client.ptyhost.processes import end_tree
from remote_client.ptyhost.ring import OutputRing
from remote_client.terminals import SESSION_TAG, ExitStatus, InputMode, TerminalSpec
from shared.errors import SessionFailed
from shared.ids import ByteOffset, SessionId

READ_SIZE = 65_536
READ_PER_TURN = 16_384
"""A flooding program gets this much of each turn of the event loop, so that the others get theirs."""

RING_BYTES = 1_048_576
DRAIN_SECONDS = 0.5
"""How long a grandchild may hold the terminal open after its program has ended."""


class _Spawned(Protocol):
    """What we use of a PtyProcess."""

    pid: int
    fd: int
    terminated: bool
    delayafterclose: float

    def close(self) -> None: ...


def _spawn(spec: TerminalSpec) -> _Spawned:
    environment = dict(spec.environment) | {SESSION_TAG: str(spec.session_id)}
    return cast(Any, PtyProcess).spawn(
        list(spec.command), cwd=str(spec.folder), env=environment, dimensions=(spec.rows, spec.cols)
    )


class PtyTerminal:
    """Owns the master side of the PTY. Made by `start`; over when `ended` is set."""

    def __init__(self, session_id: SessionId, process: _Spawned, first_offset: ByteOffset) -> None:
        self.session_id = session_id
        self.pid = process.pid
        self.ring = OutputRing(RING_BYTES, first_offset)
        self.exit: ExitStatus | None = None
        self.ended = asyncio.Event()
        self._more = asyncio.Event()
        self._process = process
        self._reaped = False
        self._master = process.fd
        self._loop = asyncio.get_running_loop()
        self._queue: deque[memoryview] = deque()
        self._writing = False
        self._at_end = asyncio.Event()
        os.set_blocking(self._master, False)
        os.set_inheritable(self._master, False)
        self._loop.add_reader(self._master, self._read)
        self._reaper = asyncio.create_task(self._reap(), name=f"terminal {session_id}")

    @classmethod
    async def start(cls, spec: TerminalSpec) -> "PtyTerminal":
        """
        Raises:
            SessionFailed: the program or the folder is not there, or there is no PTY left.
        """
        try:
            process = await asyncio.to_thread(_spawn, spec)
        except OSError as error:
            raise SessionFailed(f"cannot start {spec.command[0]} in {spec.folder}: {error}") from error
        return cls(spec.session_id, process, spec.first_offset)

    # Output ---------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        taken = 0
        while taken < READ_PER_TURN:
            try:
                data = os.read(self._master, READ_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                data = b""
            if not data:
                self._stop_reading()
                break
            self.ring.append(data)
            taken += len(data)
        if taken:
            self._more.set()

    def _stop_reading(self) -> None:
        self._loop.remove_reader(self._master)
        self._at_end.set()

    async def more(self) -> None:
        """Returns when output was added since the last call, or the terminal has ended."""
        await self._more.wait()
        if not self.ended.is_set():
            self._more.clear()

    # Input ----------------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self.ended.is_set():
            raise SessionFailed(f"the terminal of session {self.session_id} has ended")
        self._queue.append(memoryview(data))
        if not self._writing:
            self._drain_queue()

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
                break
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
        if not self.ended.is_set():
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def input_mode(self) -> InputMode:
        if self.ended.is_set():
            return "line"
        local_modes: int = termios.tcgetattr(self._master)[3]
        return "line" if local_modes & termios.ICANON else "raw"

    # The end --------------------------------------------------------------------------------------------------------

    async def _reap(self) -> None:
        """Waits for this one program, reads what it left behind, closes the PTY once."""
        await self._exited()
        _, status = os.waitpid(self.pid, 0)  # noqa: ASYNC222  it has ended: this returns at once
        self._reaped = True
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._at_end.wait(), DRAIN_SECONDS)
        self._close()
        self.exit = ExitStatus(code, None) if code >= 0 else ExitStatus(None, -code)
        self.ended.set()
        self._more.set()

    async def _exited(self) -> None:
        """Returns when the program can be waited for without blocking."""
        if not hasattr(os, "pidfd_open"):
            await asyncio.to_thread(os.waitid, os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            return
        handle = os.pidfd_open(self.pid)
        gone = asyncio.Event()
        self._loop.add_reader(handle, gone.set)
        try:
            await gone.wait()
        finally:
            self._loop.remove_reader(handle)
            os.close(handle)

    def _close(self) -> None:
        self._loop.remove_reader(self._master)
        if self._writing:
            self._loop.remove_writer(self._master)
            self._writing = False
        self._queue.clear()
        # The program is reaped: ptyprocess need not look for it, nor sleep.
        self._process.terminated = True
        self._process.delayafterclose = 0
        self._process.close()

    def signal(self, number: Signals) -> None:
        """Until it is reaped, the pid is nobody else's."""
        if not self._reaped:
            os.kill(self.pid, number)

    async def kill(self, grace_seconds: float) -> ExitStatus:
        await end_tree(self.session_id, self.pid, grace_seconds)
        await self.ended.wait()
        assert self.exit is not None  # noqa: S101  set just before `ended`
        return self.exit
