"""Takes commands from the table: at once when a hint comes, and every few seconds in any case. Never waits for work."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from realtime_line.again import Again
from remote_client.commands import Command, lease_clock
from remote_client.executor import Executor
from remote_client.office_link import OfficeLink
from shared.errors import Unavailable
from shared.ids import Attempt, ClientId, CommandId

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.25  # after a claim without an answer: it may have taken something
LONGEST_PAUSE_SECONDS = 10.0
HINT_SECONDS = 60.0
FRESH_SECONDS = 1.0  # a hint that found nothing may have come before its row could be seen
CLAIMED_KEPT = 1000


class Claimer:
    def __init__(
        self,
        link: OfficeLink,
        executor: Executor,
        poll_seconds: float,
        limit: int,
        lease_seconds: int,
        hints_come: Callable[[], bool],
        holding_back: Callable[[], dict[str, Any] | None],
        can_note: Callable[[], bool],
    ) -> None:
        self._link = link
        self._executor = executor
        self._poll_seconds = poll_seconds
        self._limit = limit
        self._lease_seconds = lease_seconds
        self._hints_come = hints_come
        self._holding_back = holding_back
        self._can_note = can_note
        self._hinted: dict[CommandId, tuple[Attempt, float]] = {}
        self._many_at: float | None = None  # when so many were inserted that none was named
        self._claimed: dict[CommandId, None] = {}
        self._look = asyncio.Event()
        self._must_look = False  # for a reason that no claim on its way can have met
        self._freed = False  # a place, while a claim was on its way
        self._first_claim = asyncio.Event()
        self._again = Again()

    def wake(self) -> None:
        """There may be something to take."""
        self._must_look = True
        self._look.set()

    def hint(self, command_id: CommandId, attempt: Attempt) -> None:
        """A command is offered that may be for us. Each insert is told twice; of what we have or look for already, the
        second word says nothing new.
        """
        known = self._hinted.get(command_id)
        if command_id in self._claimed or (known is not None and known[0] >= attempt):
            return
        self._hinted.pop(command_id, None)  # the latest comes last
        self._hinted[command_id] = attempt, lease_clock()
        self._look.set()
        self._again.soon(self._look_for_unmet)

    def hint_of_many(self) -> None:
        """So many were inserted at once that none is named."""
        self._many_at = lease_clock()
        self.wake()
        self._again.soon(self._look_for_unmet)

    def _look_for_unmet(self) -> None:
        told_at = next((at for _, at in reversed(self._hinted.values())), self._many_at)
        if told_at is not None and lease_clock() - told_at < FRESH_SECONDS:
            self.wake()

    def let_go(self, command_id: CommandId) -> None:
        """We no longer have a command, and did not answer it: it may be offered again."""
        self._claimed.pop(command_id, None)
        self.wake()  # the hint may have come while we still had it

    def place_is_free(self) -> None:
        """A place may be free: what waited for it may be taken now. With hints, we know whether any does."""
        self._freed = True
        if not self._hints_come():
            self.wake()
        elif self._some_may_wait:
            self._look.set()

    def _met_hints(self, claimed: list[Command], asked_at: float) -> None:
        for command in claimed:
            self._hinted.pop(command.command_id, None)
            self._claimed[command.command_id] = None
        while len(self._claimed) > CLAIMED_KEPT:
            del self._claimed[next(iter(self._claimed))]
        # Old ones were taken by another machine.
        while (
            self._hinted and (oldest := next(iter(self._hinted))) and asked_at - self._hinted[oldest][1] > HINT_SECONDS
        ):
            del self._hinted[oldest]
        if self._many_at is not None:
            self._many_at = asked_at if claimed else self._many_at
            if asked_at - self._many_at > HINT_SECONDS:
                self._many_at = None
        # Hints that came while their commands were being claimed ask for nothing more, and a free place for nobody.
        latest = next((at for _, at in reversed(self._hinted.values())), asked_at)
        if not (self._must_look or latest > asked_at or (self._freed and self._some_may_wait)):
            self._look.clear()

    @property
    def _some_may_wait(self) -> bool:
        return bool(self._hinted) or self._many_at is not None

    @property
    def client_id(self) -> ClientId:
        return self._link.client_id

    async def has_claimed(self) -> None:
        """Returns when the table was asked for the first time."""
        await self._first_claim.wait()

    async def run(self) -> None:
        """
        Raises:
            Fenced: a newer process of this client has taken over.
        """
        retry = FIRST_PAUSE_SECONDS
        while True:
            # Clear before fetching: what is inserted meanwhile sets it again.
            self._look.clear()
            self._must_look = self._freed = False
            pause = self._poll_seconds
            try:
                if self._can_note() and await self._take():
                    continue
                retry = FIRST_PAUSE_SECONDS
            except Unavailable as error:
                log.warning("nothing claimed", error=error.detail)
                pause, retry = retry, min(retry * 2, LONGEST_PAUSE_SECONDS)
            try:
                async with asyncio.timeout(pause):
                    await self._look.wait()
            except TimeoutError:
                pass

    async def _take(self) -> bool:
        """Claims once, and says whether there may be more."""
        asked_at = lease_clock()
        commands = await self._link.claim_commands(self._limit, self._lease_seconds, self._holding_back())
        self._first_claim.set()
        self._met_hints(commands, asked_at)
        if commands:
            self._executor.submit(commands, asked_at)
        return len(commands) >= self._limit
