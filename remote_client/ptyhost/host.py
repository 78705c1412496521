"""All terminals of this process, behind the seam of `terminals`."""

from collections.abc import AsyncIterator, Sequence
from signal import Signals
from typing import Any

from remote_client.ptyhost.pty_terminal import PtyTerminal
from remote_client.terminals import Chunk, ExitStatus, HookEvent, InputMode, TerminalInfo, TerminalSpec
from shared.errors import Conflict, NotFound, SessionFailed
from shared.ids import ByteOffset, SessionId

FOLLOW_BYTES = 65_536


class InProcessTerminals:
    """Implements `Terminals`. The terminals end with this process."""

    def __init__(self) -> None:
        self._terminals: dict[SessionId, PtyTerminal] = {}

    def _terminal(self, session_id: SessionId) -> PtyTerminal:
        try:
            return self._terminals[session_id]
        except KeyError:
            raise NotFound(f"there is no terminal for session {session_id} on this machine") from None

    async def create(self, spec: TerminalSpec) -> TerminalInfo:
        if spec.session_id in self._terminals and not self._terminals[spec.session_id].ended.is_set():
            raise SessionFailed(f"session {spec.session_id} has a terminal already")
        terminal = await PtyTerminal.start(spec)
        self._terminals[spec.session_id] = terminal
        return TerminalInfo(spec.session_id, terminal.pid, spec.first_offset, None)

    async def write(self, session_id: SessionId, data: bytes) -> None:
        self._terminal(session_id).write(data)

    async def resize(self, session_id: SessionId, cols: int, rows: int) -> None:
        self._terminal(session_id).resize(cols, rows)

    async def input_mode(self, session_id: SessionId) -> InputMode:
        return self._terminal(session_id).input_mode()

    async def signal(self, session_id: SessionId, number: Signals) -> None:
        self._terminal(session_id).signal(number)

    async def answer_hook(self, session_id: SessionId, number: int, body: dict[str, Any]) -> None:
        self._terminal(session_id)
        raise Conflict(f"hook {number} of session {session_id} waits no longer")

    async def kill(self, session_id: SessionId, grace_seconds: float) -> ExitStatus:
        return await self._terminal(session_id).kill(grace_seconds)

    async def read_from(self, session_id: SessionId, offset: ByteOffset, limit: int) -> Chunk:
        return self._terminal(session_id).ring.read(offset, limit)

    async def follow(
        self, session_id: SessionId, offset: ByteOffset, after_hook: int = 0
    ) -> AsyncIterator[Chunk | HookEvent]:
        terminal = self._terminal(session_id)
        while True:
            over = terminal.ended.is_set()
            chunk = terminal.ring.read(offset, FOLLOW_BYTES)
            if chunk.data:
                offset = chunk.end
                yield chunk
            elif over:
                return
            else:
                await terminal.more()

    async def wait(self, session_id: SessionId) -> ExitStatus:
        terminal = self._terminal(session_id)
        await terminal.ended.wait()
        assert terminal.exit is not None  # noqa: S101  set just before `ended`
        return terminal.exit

    async def forget(self, session_id: SessionId) -> None:
        if self._terminal(session_id).ended.is_set():
            del self._terminals[session_id]

    async def list(self) -> Sequence[TerminalInfo]:
        return [
            TerminalInfo(terminal.session_id, terminal.pid, terminal.ring.end, terminal.exit)
            for terminal in self._terminals.values()
        ]
