"""Runs one command in a process group of its own, and ends the whole group with it, or when nobody waits any more.

A program by itself, of the standard library alone: `python -I guard.py COMMAND…`. Whoever started it holds the other
end of its standard input; when that is let go, by will or by death, the group ends. Exits as the command did, 128 + n
for a signal n, 127 when it could not be started.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 2.0
_PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    _adopt()
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        sys.stderr.write(f"{command[0]} could not be started: {error.strerror}\n")
        return 127
    while child.poll() is None:
        ready, _, _ = select.select([0, woken], [], [])
        if 0 in ready and not os.read(0, 4096):
            _end(child)
            break
        if woken in ready:
            os.read(woken, 4096)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # what it left behind in its group
    status = child.wait()
    _bury(child.pid)
    return status if status >= 0 else 128 - status


def _end(child: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    while child.poll() is None and time.monotonic() < until:
        time.sleep(0.02)


def _adopt() -> None:
    """On Linux, what the command leaves behind becomes ours, to be waited for."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _bury(group: int) -> None:
    """Until the killed are dead: they still run for a moment."""
    until = time.monotonic() + GRACE_SECONDS
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-group, os.WNOHANG) == (0, 0):
                time.sleep(0.002)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
