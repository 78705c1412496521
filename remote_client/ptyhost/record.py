"""What is kept of one terminal, alive or ended: its output in memory and on disk, its hook events, its exit.

Knows nothing of the PTY that it is filled from.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from remote_client.ptyhost.events import Events, Start
from remote_client.ptyhost.ring import OutputRing
from remote_client.ptyhost.spool import Spool
from remote_client.terminals import HOOK_OVER, UNSEEN_EXIT, Chunk, ExitStatus, HookEvent, TerminalInfo
from shared.errors import Conflict, SessionFailed
from shared.ids import ByteOffset, SessionId

RING_BYTES = 262_144
"""Of the output that is also on disk."""

RING_ALONE_BYTES = 1_048_576
FOLLOW_BYTES = 65_536


def _nothing_more() -> bool:
    return False


class Record:
    """Made by `begin` or `load`; complete when `ended` is set."""

    def __init__(self, session_id: SessionId, events: Events, spool: Spool | None, end: ByteOffset) -> None:
        self.session_id = session_id
        self.ended = asyncio.Event()
        self.ask_for_more: Callable[[], bool] = _nothing_more
        """Whether it brought more at once. Whoever fills this record may put theirs here, until its end."""
        self._events = events
        self._spool = spool
        self._ring = OutputRing(RING_ALONE_BYTES if spool is None else RING_BYTES, end)
        self._changed = asyncio.Event()
        self._readers_waiting = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any] | None]] = {}

    @classmethod
    def begin(cls, session_id: SessionId, start: Start, folder: Path | None, keep_bytes: int) -> "Record":
        """`folder` None: in memory alone."""
        events = Events(folder, start)
        events.save()
        return cls(session_id, events, Spool(folder, keep_bytes) if folder is not None else None, start.first_offset)

    @classmethod
    def load(cls, session_id: SessionId, folder: Path, keep_bytes: int) -> "Record":
        """What an earlier host kept. A terminal that had not ended has lost its host, and its program with it.

        Raises:
            OSError, ValueError: it cannot be read.
        """
        events = Events.load(folder)
        spool = Spool(folder, keep_bytes)
        record = cls(session_id, events, spool, spool.end or events.start.first_offset)
        record.end(events.exit or UNSEEN_EXIT)
        return record

    @property
    def start(self) -> Start:
        return self._events.start

    @property
    def exit(self) -> ExitStatus | None:
        return self._events.exit

    @property
    def is_lost(self) -> bool:
        return self.exit == UNSEEN_EXIT

    def info(self) -> TerminalInfo:
        kept = self._spool.begin if self._spool is not None else None
        begin = self._ring.start if kept is None else min(kept, self._ring.start)
        cols, rows = self._events.size
        return TerminalInfo(
            self.session_id, self.start.pid, self._ring.end, self.exit, begin, self._events.last_hook, cols, rows
        )  # fmt: skip

    # Filling ----------------------------------------------------------------------------------------------------------

    def append(self, data: bytes) -> None:
        if self._spool is not None:
            self._spool.append(self._ring.end, data, time.time())
        self._ring.append(data)
        self._changed.set()

    def resized(self, cols: int, rows: int) -> None:
        self._events.resized(self._ring.end, cols, rows)

    def end(self, exit_status: ExitStatus) -> None:
        if self.exit is None:
            self._events.exited(exit_status)
        self.ask_for_more = _nothing_more  # no circle with what filled it: the ring is free as soon as it is forgotten
        if self._spool is not None:
            self._spool.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)
        self.ended.set()
        self._changed.set()

    def rest(self, before: float) -> None:
        """Holds no file open when nothing came since `before` (Unix time)."""
        if self._spool is not None:
            self._spool.rest(before)

    # Hooks ------------------------------------------------------------------------------------------------------------

    def hear(self, name: str, body: dict[str, Any], waits: bool, truncated: bool) -> int:
        """Takes a hook event; returns its number."""
        hook = self._events.add_hook(self._ring.end, name, body, waits, truncated)
        if waits:
            self._waiting[hook.number] = asyncio.get_running_loop().create_future()
        self._changed.set()
        return hook.number

    async def answer_to(self, number: int) -> dict[str, Any] | None:
        """What a waiting hook is answered; None when the terminal ended before. Leaving this ends the wait.

        That it waits no longer is told as an event, too.
        """
        try:
            return None if self.ended.is_set() else await self._waiting[number]
        finally:
            del self._waiting[number]
            if not self.ended.is_set():
                self.hear(HOOK_OVER, {"number": number}, waits=False, truncated=False)

    def answer(self, number: int, body: dict[str, Any]) -> None:
        answer = self._waiting.get(number)
        if answer is None or answer.done():
            raise Conflict(f"hook {number} of session {self.session_id} waits no longer")
        answer.set_result(body)

    # Reading ----------------------------------------------------------------------------------------------------------

    def read(self, offset: ByteOffset, limit: int) -> Chunk:
        """At most `limit` bytes from `offset`, or from the first after it that is kept."""
        if offset < self._ring.start and self._spool is not None:
            chunk = self._spool.read(offset, limit)
            if chunk is not None and chunk.start < self._ring.start:
                return chunk
        return self._ring.read(offset, limit)

    async def follow(self, offset: ByteOffset, after_hook: int) -> AsyncGenerator[Chunk | HookEvent]:
        while True:
            over = self.ended.is_set()
            hook = self._hook_after(after_hook)
            if hook is not None and hook.at <= offset:
                after_hook = hook.number
                yield hook
                continue
            limit = min(FOLLOW_BYTES, hook.at - offset) if hook is not None else FOLLOW_BYTES
            chunk = self.read(offset, limit)
            if chunk.data:
                # A gap may reach past the hook event: it then comes late, but nothing comes twice.
                offset = chunk.end
                yield chunk
            elif hook is not None:
                offset = hook.at
            elif over:
                break
            elif not self.ask_for_more():
                await self._more()
        if self.is_lost:
            raise SessionFailed(f"the host of session {self.session_id} has ended, and its program with it")

    def _hook_after(self, number: int) -> HookEvent | None:
        """The next one, told as it stands now."""
        hooks = self._events.hooks
        if self._events.last_hook <= number:
            return None
        hook = hooks[max(0, number + 1 - hooks[0].number)]
        waits = hook.number in self._waiting and not self._waiting[hook.number].done()
        return hook if waits == hook.waits else HookEvent(
            hook.number, hook.at, hook.name, hook.body, waits, hook.truncated
        )  # fmt: skip

    async def _more(self) -> None:
        """Returns when something was added since the last call, or the terminal has ended."""
        self._readers_waiting += 1
        try:
            await self._changed.wait()
        finally:
            self._readers_waiting -= 1
        if not self.ended.is_set():
            self._changed.clear()

    @property
    def is_awaited(self) -> bool:
        """Somebody has read all of it and waits for more."""
        return self._readers_waiting > 0
