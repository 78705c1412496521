"""Waits until commands are final: hints wake it, the table decides, polling stands behind both.

Knows nothing of HTTP. A wait that runs out answers with the command as it is by then.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from office_server.backend import Backend
from office_server.hints import Hints
from office_server.rows import Command, Result
from shared.ids import CommandId, OfficeId


@dataclass(frozen=True)
class Seen:
    """A command as it is now, and the results of its finished attempts, in their order."""

    command: Command
    results: list[Result]

    @property
    def is_final(self) -> bool:
        return self.command.status.is_final

    @property
    def result(self) -> Result | None:
        """The result of the attempt that counts; None when it was withdrawn or expired between two tries."""
        last = self.results[-1] if self.results else None
        return last if last is not None and self.is_final and last.attempt == self.command.attempt else None


class Results:
    def __init__(self, backend: Backend, hints: Hints, poll_seconds: float) -> None:
        self._backend = backend
        self._hints = hints
        self._poll_seconds = poll_seconds
        self._waiting: dict[CommandId, set[asyncio.Event]] = {}
        self.closing = False

    @property
    def waiting(self) -> int:
        """How many callers wait now."""
        return sum(len(events) for events in self._waiting.values())

    async def wait(self, office: OfficeId, command: CommandId, seconds: float) -> Seen:
        """Returns as soon as the command is final, or as it is after `seconds`.

        Raises:
            NotFound: there is no such command in that office.
            BackendDown: Supabase does not answer.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        with self._woken(office, command) as wake:
            while True:
                wake.clear()
                seen = await self._backend.commands.get(office, command)
                left = until - clock()
                if seen.status.is_final or left <= 0 or self.closing:
                    break
                try:
                    async with asyncio.timeout(min(left, self._poll_seconds)):
                        await wake.wait()
                except TimeoutError:
                    pass
        return Seen(seen, await self._backend.commands.results(command) if _may_have_results(seen) else [])

    def close(self) -> None:
        """Ends all waiting: everybody gets what there is."""
        self.closing = True
        for events in self._waiting.values():
            for event in events:
                event.set()

    @contextmanager
    def _woken(self, office: OfficeId, command: CommandId) -> Generator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.setdefault(command, set()).add(event)
        try:
            with self._hints.listening(office, command, event):
                yield event
        finally:
            self._waiting[command].discard(event)
            if not self._waiting[command]:
                del self._waiting[command]


def _may_have_results(command: Command) -> bool:
    return command.status.is_final or command.attempt > 1
