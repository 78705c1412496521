"""Shares each turn of the event loop among the terminals that have output: floods leave the others theirs."""

import asyncio

TURN_BYTES = 49_152
MOST_BYTES = 16_384
LEAST_BYTES = 4096
"""What one read of a terminal gives at most."""


class Turns:
    def __init__(self) -> None:
        self._readers = 0
        self._readers_before = 0

    def share(self) -> int:
        """How much the terminal that asks may read in this turn: the less, the more of them have output."""
        if not self._readers:
            asyncio.get_running_loop().call_soon(self._next)
        self._readers += 1
        return min(MOST_BYTES, max(LEAST_BYTES, TURN_BYTES // max(self._readers, self._readers_before)))

    def _next(self) -> None:
        self._readers_before, self._readers = self._readers, 0
