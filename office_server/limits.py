"""How often an address may try something, counted in this process alone."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from office_server.problems import TooManyRequests

_MOST_ADDRESSES = 10_000


class TriesPerMinute:
    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def note(self, address: str) -> None:
        """Counts a try. Raises TooManyRequests when the minute's tries are used up; such a try does not count."""
        now = self._clock()
        tries = self._tries.setdefault(address, deque())
        self._tries.move_to_end(address)
        while tries and tries[0] <= now - 60:
            tries.popleft()
        if len(tries) >= self._limit:
            raise TooManyRequests(retry_after_s=int(tries[0] + 60 - now) + 1)
        tries.append(now)
        if len(self._tries) > _MOST_ADDRESSES:
            self._tries.popitem(last=False)

    def was_right(self, address: str) -> None:
        """The latest try was no guess: many who know their secret may share an address."""
        if tries := self._tries.get(address):
            tries.pop()
