"""Has those whom a hint woke look again a moment later: a hint may come before its row can be seen.

PostgreSQL hands a commit to those who follow its log before it lets other transactions see it. Between the two lie
microseconds at rest, and some milliseconds where more processes want to run than there are cores: there one hint in
eight came too early. Realtime follows the log, so whoever looks at once may find nothing, and is told no second time.
"""

import asyncio
from collections.abc import Callable

AFTER_SECONDS = (0.02, 0.3)
"""From the last hint on: soon, and once more for a machine that is nearly at a standstill."""


class Again:
    """Calls within the running loop; the same callable, told of again meanwhile, is called later and not oftener."""

    def __init__(self, after_seconds: tuple[float, ...] = AFTER_SECONDS) -> None:
        self._after_seconds = after_seconds
        self._timers: dict[Callable[[], None], list[asyncio.TimerHandle]] = {}

    def soon(self, look: Callable[[], None]) -> None:
        self.never(look)
        loop = asyncio.get_running_loop()
        *earlier, last = self._after_seconds
        self._timers[look] = [loop.call_later(seconds, look) for seconds in earlier]
        self._timers[look].append(loop.call_later(last, self._for_the_last_time, look))

    def never(self, look: Callable[[], None]) -> None:
        for timer in self._timers.pop(look, ()):
            timer.cancel()

    def _for_the_last_time(self, look: Callable[[], None]) -> None:
        del self._timers[look]
        look()
