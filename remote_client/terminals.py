"""The seam between the client and its terminals: what a host of PTYs can do, in plain messages.

Who keeps the PTYs, and in which process, is not known here. Offsets count the bytes a terminal ever put out.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, Literal, Protocol

from shared.ids import ByteOffset, SessionId

SESSION_TAG = "SEMO_SESSION_ID"
"""The environment variable by which every process of a session is found, whatever it did to its parents."""

HOOK_SOCKET = "SEMO_HOOK_SOCKET"
HOOK_TOKEN = "SEMO_HOOK_TOKEN"  # noqa: S105  the name of the variable
"""Variables by which a program's hooks find the host of its terminal, and prove that they are of this session."""

TOUCHED = "semo.touched"
"""The name of the hook event by which a host tells that a person types: `{"by", "keys"}`, keys only to interrupt."""

HOOK_OVER = "semo.hook_over"
"""The name of the hook event by which a host tells that a hook waits no longer, whoever answered: `{"number"}`."""

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
    umask: int | None = None
    """Of the person whose program it is; None: as the host's."""


@dataclass(frozen=True)
class ExitStatus:
    """How the program of a terminal ended: with a status, by a signal, or unseen when its host ended before it."""

    status: int | None
    signal: int | None

    def __str__(self) -> str:
        if self.signal is not None:
            return f"killed by {Signals(self.signal).name}"
        return "lost with the host of its terminal" if self.status is None else f"exited with status {self.status}"


UNSEEN_EXIT = ExitStatus(None, None)


@dataclass(frozen=True)
class TerminalInfo:
    session_id: SessionId
    pid: int
    end: ByteOffset
    exit: ExitStatus | None
    begin: ByteOffset = FIRST_BYTE
    """The first byte of its output that is still kept."""
    last_hook: int = 0
    """The number of its latest hook event; 0 when there was none."""
    cols: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Chunk:
    """Bytes as they came, from `start`. When `start` is past where the reader stood, what lies between is gone."""

    start: ByteOffset
    data: bytes

    @property
    def end(self) -> ByteOffset:
        return ByteOffset(self.start + len(self.data))


@dataclass(frozen=True)
class HookEvent:
    """What an agent's own hook said, beside the screen: `body` is its JSON, `at` how far the output was when it came.

    `number` counts the hook events of a session from 1. While `waits`, the hook stands still until it is answered.
    `truncated`: it was too long; its long texts are cut.
    """

    number: int
    at: ByteOffset
    name: str
    body: dict[str, Any]
    waits: bool = False
    truncated: bool = False


class Terminals(Protocol):
    """Every method but `create` and `list` raises NotFound for a session that it does not have.

    A terminal whose host has died is lost: `follow` and `wait` end with SessionFailed, as does whatever would change
    it. What was kept can be read until it is forgotten; `kill` ends what is left of its processes.
    """

    async def create(self, spec: TerminalSpec) -> TerminalInfo:
        """
        Raises:
            SessionFailed: the program cannot be started.
        """
        ...

    async def write(self, session_id: SessionId, data: bytes, key: str | None = None) -> None:
        """Queues `data` as typed; returns when it is queued, not when the program has read it.

        What has a `key` is typed once, however often it is written.

        Raises:
            Conflict: the terminal itself edits lines and would cut one of `data` without a word (see `input_mode`), or
                the program has not read for so long that the queue is full.
            SessionFailed: it has ended.
        """
        ...

    async def settle(self, session_id: SessionId, key: str) -> ByteOffset | None:
        """Where the output stood when the write with this key was typed; None when it was not, and now never will be.

        Raises:
            SessionFailed: its host has died, so that nobody knows.
        """
        ...

    async def resize(self, session_id: SessionId, cols: int, rows: int) -> None: ...

    async def input_mode(self, session_id: SessionId) -> InputMode:
        """`line`: the terminal itself edits lines, and cuts those beyond 4,095 bytes. `raw`: the program reads keys."""
        ...

    async def signal(self, session_id: SessionId, number: Signals) -> None:
        """To the program of the terminal alone, not to its children."""
        ...

    async def answer_hook(self, session_id: SessionId, number: int, body: dict[str, Any]) -> None:
        """What a waiting hook gives back to its agent.

        Raises:
            Conflict: it waits no longer.
        """
        ...

    async def kill(self, session_id: SessionId, grace_seconds: float) -> ExitStatus:
        """Ends every process of the session: hang-up first, SIGKILL to what is left after the grace."""
        ...

    async def read_from(self, session_id: SessionId, offset: ByteOffset, limit: int) -> Chunk: ...

    def follow(
        self, session_id: SessionId, offset: ByteOffset, after_hook: int = 0
    ) -> AsyncIterator[Chunk | HookEvent]:
        """Output from `offset` on and hook events after number `after_hook`, in the order in which they came.

        Ends when the terminal has ended and all was read.
        """
        ...

    async def wait(self, session_id: SessionId) -> ExitStatus:
        """Returns when the program has ended and its last output was read."""
        ...

    async def kept_in(self, session_id: SessionId) -> Path | None:
        """The folder with all that is kept of a terminal; None when that is in memory alone."""
        ...

    async def forget(self, session_id: SessionId) -> None:
        """Drops what is kept of a terminal that has ended."""
        ...

    async def list(self) -> Sequence[TerminalInfo]: ...
