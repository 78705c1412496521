"""What a turn cost, by Claude Code's own count: its status line tells the sum of the session after each turn."""

import asyncio
from typing import Any

from remote_client.agents.adapter import Evidence
from remote_client.terminals import HookEvent
from shared.ids import ByteOffset


class CostMeter:
    """`fresh`: the conversation began with this session, and so does its cost."""

    def __init__(self, fresh: bool) -> None:
        self._fresh = fresh
        self._sum: float | None = None
        self._before: float | None = None
        self._start = ByteOffset(0)
        self._told = asyncio.Event()
        self._owed = False
        self.is_told = False
        """The status line of this session has spoken: it will again."""

    def begin_turn(self, start: ByteOffset) -> None:
        self._before, self._start = self._sum, start
        self._told.clear()

    def session_begins(self, event: HookEvent) -> None:
        if self._fresh:
            self._learn(event, 0.0)

    def hear(self, event: HookEvent) -> None:
        said: dict[str, Any] = event.body.get("cost") or {}
        total = said.get("total_cost_usd")
        if isinstance(total, int | float):
            self._learn(event, float(total))
            self._told.set()
            self.is_told = True

    def _learn(self, event: HookEvent, total: float) -> None:
        self._sum = total
        if event.at <= self._start:  # heard again after a restart of the client
            self._before = total

    def turn_is_over(self) -> None:
        """What was told until now may lack the last of it."""
        self._told.clear()

    async def of_turn(self, patience_seconds: float) -> tuple[float | None, list[Evidence]]:
        """Waits a moment for the sum after the turn. What is told too late is counted with the next, which says so."""
        try:
            async with asyncio.timeout(patience_seconds):
                await self._told.wait()
        except TimeoutError:
            self._owed = True
            return None, []
        if self._sum is None or self._before is None:
            return None, []
        cost = round(self._sum - self._before, 6)
        evidence: Evidence = {"kind": "cost", "source": "statusline", "turn_usd": cost, "session_usd": self._sum}
        if self._owed:
            evidence["includes_turn_before"] = True
        self._owed = False
        return cost, [evidence]
