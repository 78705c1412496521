"""Tells when one of this process's own children has ended, by SIGCHLD: no thread, no descriptor for each of them.

Asks for each child by its pid and never for any child: somebody else's are left alone.
"""

import asyncio
import os
import signal
from collections.abc import Callable

_watched: dict[int, Callable[[int], None]] = {}


def watch(pid: int, on_exit: Callable[[int], None]) -> None:
    """Calls `on_exit` once with the child's wait status, on this loop, when it has ended and was reaped.

    To be called on the event loop of the main thread; until then the pid is nobody else's.
    """
    _watched[pid] = on_exit
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, _look)
    loop.call_soon(_look)  # it may have ended before


def _look() -> None:
    for pid in list(_watched):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            _watched.pop(pid)(status)
    if not _watched:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)
