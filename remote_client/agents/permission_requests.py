"""The permission requests of one session whose hooks stand still until somebody answers."""

import asyncio
import contextlib
import time

from remote_client.agents.claude_hooks import NO_DECISION, decision
from remote_client.terminals import Terminals
from shared.errors import Conflict, NotFound, SessionFailed
from shared.ids import SessionId

TOUCH_TOLD_SECONDS = 1.5
"""A host tells of typing once a second: what was typed so shortly before may have gone on after."""


class PermissionRequests:
    def __init__(self, session_id: SessionId, terminals: Terminals) -> None:
        self._session_id = session_id
        self._terminals = terminals
        self._numbers: dict[int, float] = {}
        self._touched_at = -TOUCH_TOLD_SECONDS
        self._releasing: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        """Whether any waits."""
        return bool(self._numbers)

    def add(self, number: int) -> None:
        self._numbers[number] = time.monotonic()

    def discard(self, number: int) -> None:
        """It waits no longer."""
        self._numbers.pop(number, None)

    def touched(self) -> None:
        """Somebody types at the terminal, and may answer there."""
        self._touched_at = time.monotonic()

    def agent_goes_on(self) -> None:
        """By itself, or since somebody answered at the terminal: their hooks would wait on all the same."""
        if self._numbers and self._touched_at > min(self._numbers.values()) - TOUCH_TOLD_SECONDS:
            self.release()

    async def answer(self, number: int, allow: bool, message: str) -> None:
        """
        Raises:
            Conflict: it waits no longer.
        """
        if number not in self._numbers:
            raise Conflict(f"permission request {number} of session {self._session_id} waits no longer")
        self.discard(number)
        await self._terminals.answer_hook(self._session_id, number, decision(allow, message))

    def release(self) -> None:
        """Leaves all of them to the agent itself, which then asks on its screen."""
        for number in self._numbers:
            task = asyncio.create_task(self._answer_nothing(number))
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)
        self._numbers.clear()

    async def _answer_nothing(self, number: int) -> None:
        with contextlib.suppress(Conflict, NotFound, SessionFailed):  # it has left by itself
            await self._terminals.answer_hook(self._session_id, number, NO_DECISION)

    def close(self) -> None:
        for task in self._releasing:
            task.cancel()
