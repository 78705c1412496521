"""Ends a PostgreSQL that outlived the process that started it, so that its folder can be served again.

The caller holds the data folder's lock: whoever runs in it is nobody's any more.
"""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

PATIENCE_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.05


def is_served(cluster_data: Path) -> bool:
    """Whether a server of `cluster_data` runs."""
    pid = _pid_in(cluster_data / "postmaster.pid")
    return pid is not None and _runs(pid) and _serves(pid, cluster_data)


async def stop_orphan(cluster_data: Path) -> None:
    """Shuts down the server of `cluster_data` that is still running, if one is, and waits for its end."""
    pid_file = cluster_data / "postmaster.pid"
    pid = _pid_in(pid_file)
    if pid is None or not _runs(pid):
        return
    if not await asyncio.to_thread(_serves, pid, cluster_data):
        # The number belongs to some other program by now; PostgreSQL would take it for a running server.
        pid_file.unlink()
        return
    for stop_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        os.kill(pid, stop_signal)
        if await _ended(pid):
            return


def _pid_in(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


async def _ended(pid: int) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if not _runs(pid):
                    return True
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # Dead and merely not yet collected by its parent.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _serves(pid: int, cluster_data: Path) -> bool:
    """Whether `pid` is a PostgreSQL of this very folder: a server works in the folder that it serves."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == cluster_data.resolve()
    except OSError:
        command = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return str(cluster_data) in command.stdout
