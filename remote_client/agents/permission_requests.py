"""The permission requests of one session whose hooks stand still until somebody answers."""

import asyncio
import contextlib

from remote_client.agents.claude_hooks import NO_DECISION, decision
from remote_client.terminals import Terminals
from shared.errors import Conflict, NotFound, SessionFailed
from shared.ids import SessionId


class PermissionRequests:
    def __init__(self, session_id: SessionId, terminals: Terminals) -> None:
        self._session_id = session_id
        self._terminals = terminals
        self._numbers: set[int] = set()
        self._releasing: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        """Whether any waits."""
        return bool(self._numbers)

    def add(self, number: int) -> None:
        self._numbers.add(number)

    async def answer(self, number: int, allow: bool, message: str) -> None:
        """
        Raises:
            Conflict: it waits no longer.
        """
        if number not in self._numbers:
            raise Conflict(f"permission request {number} of session {self._session_id} waits no longer")
        self._numbers.discard(number)
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
