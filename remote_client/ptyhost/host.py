"""All terminals of this process, behind the seam of `terminals`: what the host serves."""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from signal import Signals
from typing import Any
from uuid import UUID

from remote_client.ptyhost.processes import end_strays
from remote_client.ptyhost.pty_terminal import PtyTerminal
from remote_client.ptyhost.record import Record
from remote_client.ptyhost.turns import Turns
from remote_client.terminals import (
    HOOK_SOCKET,
    HOOK_TOKEN,
    Chunk,
    ExitStatus,
    HookEvent,
    InputMode,
    TerminalInfo,
    TerminalSpec,
)  # fmt: skip
from shared.errors import NotFound, SessionFailed, Unauthenticated
from shared.ids import ByteOffset, SessionId

log = logging.getLogger(__name__)

KEEP_BYTES = 67_108_864


class InProcessTerminals:
    """Implements `Terminals`. The terminals end with this process.

    `folder`: where their output is kept, `keep_bytes` of each; without one, the last of it is kept in memory.
    `hook_socket`: where the hooks of their programs are heard.
    """

    def __init__(self, folder: Path | None = None, keep_bytes: int = KEEP_BYTES, hook_socket: str = "") -> None:
        self._folder = folder
        self._keep_bytes = keep_bytes
        self._hook_socket = hook_socket
        self._terminals: dict[SessionId, PtyTerminal] = {}
        self._records: dict[SessionId, Record] = {}
        self._by_token: dict[str, SessionId] = {}
        self._turns = Turns()

    @property
    def alive(self) -> list[SessionId]:
        return [session_id for session_id, record in self._records.items() if not record.ended.is_set()]

    async def adopt(self) -> None:
        """Takes over what an earlier host left in the folder, and ends what is left of its processes."""
        if self._folder is None:
            return
        found = {
            SessionId(UUID(path.name)): path
            for path in self._folder.iterdir()
            if path.is_dir() and _is_uuid(path.name) and UUID(path.name) not in self._records
        }
        await end_strays(found)
        for session_id, path in found.items():
            try:
                self._records[session_id] = Record.load(session_id, path, self._keep_bytes)
            except (OSError, ValueError, TypeError, KeyError) as error:
                log.warning("what was kept of session %s cannot be read and is dropped: %s", session_id, error)
                shutil.rmtree(path)

    def _terminal(self, session_id: SessionId) -> PtyTerminal:
        record = self._record(session_id)
        if session_id not in self._terminals:
            raise SessionFailed(f"the terminal of session {session_id} {record.exit}")
        return self._terminals[session_id]

    def _record(self, session_id: SessionId) -> Record:
        try:
            return self._records[session_id]
        except KeyError:
            raise NotFound(f"there is no terminal for session {session_id} on this machine") from None

    async def create(self, spec: TerminalSpec) -> TerminalInfo:
        if spec.session_id in self._records:
            if not self._records[spec.session_id].ended.is_set():
                raise SessionFailed(f"session {spec.session_id} has a terminal already")
            await self.forget(spec.session_id)
        extra: dict[str, str] = {}
        token = os.urandom(16).hex()
        if self._hook_socket:
            extra = {HOOK_SOCKET: self._hook_socket, HOOK_TOKEN: token}
        folder = self._folder / str(spec.session_id) if self._folder is not None else None
        try:
            if folder is not None:
                folder.mkdir(mode=0o700)
            terminal = PtyTerminal.start(spec, extra, folder, self._keep_bytes, self._turns)
        except OSError as error:
            raise SessionFailed(f"no terminal for session {spec.session_id}: {error}") from error
        except SessionFailed:
            if folder is not None:
                shutil.rmtree(folder)
            raise
        self._by_token[token] = spec.session_id
        self._terminals[spec.session_id] = terminal
        self._records[spec.session_id] = terminal.record
        return terminal.record.info()

    async def write(self, session_id: SessionId, data: bytes, key: str | None = None) -> None:
        self._terminal(session_id).write(data, key)

    async def settle(self, session_id: SessionId, key: str) -> ByteOffset | None:
        return self._terminal(session_id).settle(key)

    async def resize(self, session_id: SessionId, cols: int, rows: int) -> None:
        self._terminal(session_id).resize(cols, rows)

    async def input_mode(self, session_id: SessionId) -> InputMode:
        return self._terminal(session_id).input_mode()

    async def signal(self, session_id: SessionId, number: Signals) -> None:
        self._terminal(session_id).signal(number)

    async def answer_hook(self, session_id: SessionId, number: int, body: dict[str, Any]) -> None:
        self._record(session_id).answer(number, body)

    async def kill(self, session_id: SessionId, grace_seconds: float) -> ExitStatus:
        record = self._record(session_id)
        if session_id in self._terminals:
            return await self._terminals[session_id].kill(grace_seconds)
        await end_strays([session_id])
        assert record.exit is not None  # noqa: S101  without a terminal it has ended
        return record.exit

    async def read_from(self, session_id: SessionId, offset: ByteOffset, limit: int) -> Chunk:
        return self._record(session_id).read(offset, limit)

    def follow(
        self, session_id: SessionId, offset: ByteOffset, after_hook: int = 0
    ) -> AsyncGenerator[Chunk | HookEvent]:
        return self._record(session_id).follow(offset, after_hook)

    async def wait(self, session_id: SessionId) -> ExitStatus:
        record = self._record(session_id)
        await record.ended.wait()
        assert record.exit is not None  # noqa: S101  set just before `ended`
        if record.is_lost:
            raise SessionFailed(f"the terminal of session {session_id} {record.exit}")
        return record.exit

    async def kept_in(self, session_id: SessionId) -> Path | None:
        self._record(session_id)
        return self._folder / str(session_id) if self._folder is not None else None

    async def forget(self, session_id: SessionId) -> None:
        if not self._record(session_id).ended.is_set():
            return
        del self._records[session_id]
        self._terminals.pop(session_id, None)
        self._by_token = {token: owner for token, owner in self._by_token.items() if owner != session_id}
        if self._folder is not None:
            await self._remove(self._folder / str(session_id))

    async def _remove(self, folder: Path) -> None:
        """A file at a time, so that nobody waits for a large spool to go."""
        with contextlib.suppress(FileNotFoundError):
            for path in list(folder.iterdir()):
                path.unlink(missing_ok=True)
                await asyncio.sleep(0)
            folder.rmdir()

    async def list(self) -> Sequence[TerminalInfo]:
        return [record.info() for record in self._records.values()]

    def hear(self, token: str, name: str, body: dict[str, Any], waits: bool, truncated: bool) -> tuple[Record, int]:
        """Takes what a program's hook says, after all output that the program wrote before it.

        Returns: the record and the number of the event.

        Raises:
            Unauthenticated: the token is of no session here.
        """
        session_id = self._by_token.get(token)
        if session_id is None:
            raise Unauthenticated("this is the token of no session here")
        terminal = self._terminals[session_id]
        if not terminal.record.ended.is_set():
            terminal.read()
        return terminal.record, terminal.record.hear(name, body, waits, truncated)

    def note(self, session_id: SessionId, name: str, body: dict[str, Any]) -> None:
        """Tells whoever follows a terminal of something that its program does not know."""
        self._record(session_id).hear(name, body, waits=False, truncated=False)

    def size(self, session_id: SessionId) -> tuple[int, int]:
        """Columns and rows."""
        info = self._record(session_id).info()
        return info.cols, info.rows

    def rest(self, before: float) -> None:
        """Holds no file open for terminals that were silent since `before` (Unix time)."""
        for record in self._records.values():
            record.rest(before)

    async def end_all(self, grace_seconds: float) -> None:
        """Ends every terminal. Raises nothing: what cannot be killed is told in the log."""
        ends = [self.kill(session_id, grace_seconds) for session_id in self.alive]
        for result in await asyncio.gather(*ends, return_exceptions=True):
            if isinstance(result, BaseException):
                log.error("a terminal did not end: %s", result)


def _is_uuid(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return str(UUID(text)) == text
    return False
