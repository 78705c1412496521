"""Shares each turn of the event loop among the terminals that have output: floods leave the others theirs."""

import asyncio

TURN_BYTES = 65_536
"""What a terminal that has them for itself may read in one turn: about a millisecond of a flood, two of a slow one."""

LEAST_BYTES = 4096


class Turns:
    def __init__(self) -> None:
        self._readers = 0
        self._readers_before = 0

    def share(self) -> int:
        """How much the terminal that asks may read in this turn: the less, the more of them have output."""
        if not self._readers:
            asyncio.get_running_loop().call_soon(self._next)
        self._readers += 1
        return max(LEAST_BYTES, TURN_BYTES // max(self._readers, self._readers_before))

    def _next(self) -> None:
        self._readers_before, self._readers = self._readers, 0
