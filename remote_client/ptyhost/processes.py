"""Finds and ends all processes of a terminal session: by session id, and strays by their environment tag."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from remote_client.terminals import SESSION_TAG
from shared.ids import SessionId

_PROC = Path("/proc")


def _in_terminal_session(pid: int, leader: int) -> bool:
    try:
        return os.getsid(pid) == leader
    except OSError:
        return False


def _is_zombie(pid: int) -> bool:
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return True
    return stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] == b"Z"


def _is_tagged(pid: int, tag: bytes) -> bool:
    try:
        return tag in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def members(session_id: SessionId, leader: int) -> list[int]:
    """Pids of living processes of the session. Where there is no /proc, only the leader's process group is known."""
    if not _PROC.is_dir():
        return [leader] if _in_terminal_session(leader, leader) else []
    tag = f"{SESSION_TAG}={session_id}".encode()
    me = os.getpid()
    found: list[int] = []
    for entry in os.listdir(_PROC):  # noqa: PTH208  a few hundred names, and Path objects cost more than the look
        if not entry.isdigit() or int(entry) == me:
            continue
        pid = int(entry)
        if (_in_terminal_session(pid, leader) or _is_tagged(pid, tag)) and not _is_zombie(pid):
            found.append(pid)
    return found


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def signal_tree(session_id: SessionId, leader: int, number: signal.Signals) -> int:
    """Returns how many processes were there to be told."""
    pids = members(session_id, leader)
    _signal_all(pids, number)
    return len(pids)


async def end_tree(session_id: SessionId, leader: int, grace_seconds: float) -> None:
    """Hang-up, then SIGKILL until nobody is left: a process that forks while being killed is met in the next round."""
    left = await asyncio.to_thread(signal_tree, session_id, leader, signal.SIGHUP)
    if left:
        await asyncio.to_thread(signal_tree, session_id, leader, signal.SIGCONT)
    waited = 0.0
    while left and waited < grace_seconds:
        await asyncio.sleep(0.02)
        waited += 0.02
        left = len(await asyncio.to_thread(members, session_id, leader))
    for _ in range(50):
        if not await asyncio.to_thread(signal_tree, session_id, leader, signal.SIGKILL):
            return
        await asyncio.sleep(0.02)
