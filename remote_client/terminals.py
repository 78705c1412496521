"""The seam between the client and its terminals: what a host of PTYs can do, in plain messages.

Who keeps the PTYs, and in which process, is not known here. Offsets count the bytes a terminal ever put out.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Literal, Protocol

from shared.ids import ByteOffset, SessionId

SESSION_TAG = "SEMO_SESSION_ID"
"""The environment variable by which every process of a session is found, whatever it did to its parents."""

InputMode = Literal["line", "raw"]
FIRST_BYTE = ByteOffset(0)


@dataclass(frozen=True)
class TerminalSpec:
    """What to run and where. `environment` is all that the program gets, besides `SESSION_TAG`."""

    session_id: SessionId
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    cols: int
    rows: int
    first_offset: ByteOffset = FIRST_BYTE
    """Where its output begins to count: a session that gets a fresh process goes on counting."""


@dataclass(frozen=True)
class ExitStatus:
    """How the program of a terminal ended: with a status, or by a signal."""

    status: int | None
    signal: int | None

    def __str__(self) -> str:
        if self.signal is not None:
            return f"killed by {Signals(self.signal).name}"
        return f"exited with status {self.status}"


@dataclass(frozen=True)
class TerminalInfo:
    session_id: SessionId
    pid: int
    end: ByteOffset
    exit: ExitStatus | None


@dataclass(frozen=True)
class Chunk:
    """Bytes as they came, from `start`. When `start` is past where the reader stood, what lies between is gone."""

    start: ByteOffset
    data: bytes

    @property
    def end(self) -> ByteOffset:
        return ByteOffset(self.start + len(self.data))


class Terminals(Protocol):
    """Every method but `create` and `list` raises NotFound for a session that it does not have."""

    async def create(self, spec: TerminalSpec) -> TerminalInfo:
        """
        Raises:
            SessionFailed: the program cannot be started.
        """
        ...

    async def write(self, session_id: SessionId, data: bytes) -> None:
        """Queues `data` as typed; returns when it is queued, not when the program has read it."""
        ...

    async def resize(self, session_id: SessionId, cols: int, rows: int) -> None: ...

    async def input_mode(self, session_id: SessionId) -> InputMode:
        """`line`: the terminal itself edits lines, and cuts those beyond 4,095 bytes. `raw`: the program reads keys."""
        ...

    async def kill(self, session_id: SessionId, grace_seconds: float) -> ExitStatus:
        """Ends every process of the session: hang-up first, SIGKILL to what is left after the grace."""
        ...

    async def read_from(self, session_id: SessionId, offset: ByteOffset, limit: int) -> Chunk: ...

    def follow(self, session_id: SessionId, offset: ByteOffset) -> AsyncIterator[Chunk]:
        """Everything from `offset` on, as it comes; ends when the terminal has ended and all was read."""
        ...

    async def wait(self, session_id: SessionId) -> ExitStatus:
        """Returns when the program has ended and its last output was read."""
        ...

    async def forget(self, session_id: SessionId) -> None:
        """Drops what is kept of a terminal that has ended."""
        ...

    async def list(self) -> Sequence[TerminalInfo]: ...
