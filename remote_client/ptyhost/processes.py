"""Finds and ends all processes of a terminal session: by session id, and strays by their environment tag.

Looks at /proc a few processes at a time, so that nobody waits for it. Where there is none, only the process group of
a terminal's program is known.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from remote_client.terminals import SESSION_TAG
from shared.ids import SessionId

_PROC = "/proc"
_LOOKS_AT_ONCE = 24
_LISTS = 50
_PAUSE_SECONDS = 0.02
_KILL_ROUNDS = 100


@dataclass(frozen=True)
class Leader:
    """The program of a terminal. `started` tells it from a later process with the same pid."""

    pid: int
    started: int | None

    @classmethod
    def of(cls, pid: int) -> "Leader":
        return cls(pid, _stat(pid)[1])

    def still_names_its_session(self) -> bool:
        """A pid is free for others only when nobody is left in the session that bears it."""
        return self.started is None or _stat(self.pid)[1] in (None, self.started)


def _stat(pid: int) -> tuple[bytes | None, int | None]:
    """State and start time; None where there is no such process."""
    try:
        with open(f"{_PROC}/{pid}/stat", "rb") as file:  # noqa: PTH123  for hundreds of processes in a row
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None, None
    return fields[0], int(fields[19])


def _parent(pid: int) -> int:
    """0 where there is none, or no such process."""
    try:
        with open(f"{_PROC}/{pid}/stat", "rb") as file:  # noqa: PTH123  as above
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def is_of_session(pid: int, session_ids: Iterable[SessionId]) -> bool:
    """Whether a process, or one that it comes from, carries the tag of one of the sessions.

    One that has thrown its environment away and let its parents die is not known again.
    """
    tags = {_tag(session_id) for session_id in session_ids}
    while pid > 1:
        if not tags.isdisjoint(_environment(pid)):
            return True
        pid = _parent(pid)
    return False


def _in_session(pid: int, leader: int) -> bool:
    try:
        return os.getsid(pid) == leader
    except OSError:
        return False


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"{_PROC}/{pid}/environ", "rb") as file:  # noqa: PTH123  as above
            return file.read().split(b"\0")
    except OSError:
        return []


def _tag(session_id: SessionId) -> bytes:
    return f"{SESSION_TAG}={session_id}".encode()


async def _living(belongs: Callable[[int], bool]) -> AsyncIterator[int]:
    """Pids of all living processes but this one that belong.

    One that forks and ends before it is looked at leaves a child that no list had: lists are made until nothing is new.
    """
    seen = {str(os.getpid())}
    for _ in range(_LISTS):
        new = [name for name in os.listdir(_PROC) if name.isdigit() and name not in seen]  # noqa: PTH208  as above
        if not new:
            return
        seen.update(new)
        for number, name in enumerate(new):
            if number % _LOOKS_AT_ONCE == _LOOKS_AT_ONCE - 1:
                await asyncio.sleep(0)
            if belongs(int(name)) and _stat(int(name))[0] not in (None, b"Z"):
                yield int(name)


async def members(session_id: SessionId, leader: Leader) -> list[int]:
    """Pids of living processes of the session."""
    if not os.path.isdir(_PROC):  # noqa: PTH112  as above
        return [leader.pid] if _in_session(leader.pid, leader.pid) else []
    tag, by_session = _tag(session_id), leader.still_names_its_session()

    def belongs(pid: int) -> bool:
        return (by_session and _in_session(pid, leader.pid)) or tag in _environment(pid)

    return [pid async for pid in _living(belongs)]


async def strays(session_ids: Iterable[SessionId]) -> list[int]:
    """Pids of living processes that carry the tag of one of the sessions."""
    tags = {_tag(session_id) for session_id in session_ids}
    if not tags or not os.path.isdir(_PROC):  # noqa: PTH112  as above
        return []
    return [pid async for pid in _living(lambda pid: not tags.isdisjoint(_environment(pid)))]


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


async def end_tree(session_id: SessionId, leader: Leader, grace_seconds: float) -> None:
    """Hang-up, then SIGKILL until nobody is left: a process that forks while being killed is met in the next round."""
    left = await members(session_id, leader)
    _signal_all(left, signal.SIGHUP)
    _signal_all(left, signal.SIGCONT)
    deadline = asyncio.get_running_loop().time() + grace_seconds
    while left and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_PAUSE_SECONDS)
        left = await members(session_id, leader)
    for _ in range(_KILL_ROUNDS):
        if not left:
            return
        _signal_all(left, signal.SIGKILL)
        await asyncio.sleep(_PAUSE_SECONDS)
        left = await members(session_id, leader)


async def end_strays(session_ids: Iterable[SessionId]) -> None:
    """SIGKILL to all processes that carry the tag of one of the sessions."""
    known = list(session_ids)
    for _ in range(_KILL_ROUNDS):
        left = await strays(known)
        if not left:
            return
        _signal_all(left, signal.SIGKILL)
        await asyncio.sleep(_PAUSE_SECONDS)
