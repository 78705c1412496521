"""When to look at which spec task: hints say where something moved, and polling stands behind them. Moves nothing.

In an office that is heard, a task is looked at when something of it moved and seldom else; in one that is not, often.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from math import inf
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from office_server.hints import Hints
from shared.channels import COMMAND_EVENT, SPEC_EVENT
from shared.ids import CommandId, OfficeId

POLL_SECONDS = 2.0
"""How often tasks are looked for that another server was asked to begin."""
UNHEARD_SECONDS = 0.3
HEARD_SECONDS = 10.0


class Waking:
    """Follows the offices that have tasks under way, while its block lasts."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._woken = asyncio.Event()
        self._moved: set[OfficeId] = set()
        self._of_this_round: set[OfficeId] = set()
        self._looked_at: dict[UUID, float] = {}
        self._following: dict[OfficeId, ExitStack] = {}
        self._awaited: set[CommandId] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for following in self._following.values():
            following.close()
        self._following.clear()

    def wake(self, office: OfficeId) -> None:
        """Something moved there. Returns at once."""
        self._moved.add(office)
        self._woken.set()

    def begin(self) -> None:
        """A round begins: what moves from now on is for the next one."""
        self._woken.clear()
        self._of_this_round, self._moved = self._moved, set()

    def to_look_at(self, due: list[tuple[UUID, OfficeId]], now: float) -> list[UUID]:
        """Those tasks of all that are under way in which something may have moved. `now`: seconds of a steady clock."""
        self._follow({office for _, office in due})
        self._looked_at = {task: at for task, at in self._looked_at.items() if task in {one for one, _ in due}}
        found = [
            task
            for task, office in due
            if office in self._of_this_round or now - self._looked_at.get(task, -inf) >= self._rest(office)
        ]
        self._looked_at |= dict.fromkeys(found, now)
        return found

    def look_again(self, task: UUID) -> None:
        """With the next round, whatever is heard."""
        self._looked_at.pop(task, None)

    def await_command(self, command: CommandId) -> bool:
        """Its end is listened for. Returns whether it was not before."""
        is_new = command not in self._awaited
        self._awaited.add(command)
        return is_new

    def forget_command(self, command: CommandId) -> None:
        self._awaited.discard(command)

    async def wait(self) -> None:
        """Until something moves, or it is time to look anyway."""
        unheard = self._following.keys() - self._hints.live
        try:
            async with asyncio.timeout(UNHEARD_SECONDS if unheard else POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _rest(self, office: OfficeId) -> float:
        return HEARD_SECONDS if office in self._hints.live else UNHEARD_SECONDS

    def _follow(self, offices: set[OfficeId]) -> None:
        for office in offices - self._following.keys():
            self._following[office] = ExitStack()
            self._following[office].enter_context(self._hints.following(office, self._waker(office), self._matters))
        for office in self._following.keys() - offices:
            self._following.pop(office).close()
        if not self._following:
            self._awaited.clear()

    def _waker(self, office: OfficeId) -> Callable[[], None]:
        return lambda: self.wake(office)

    def _matters(self, event: str, payload: Mapping[str, Any]) -> bool:
        if event == COMMAND_EVENT:
            return "command_id" not in payload or CommandId(UUID(payload["command_id"])) in self._awaited
        return event == SPEC_EVENT
