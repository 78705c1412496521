"""What the desktop window costs with fifty sessions that change five times a second, beside an empty Qt window.

The client is a real socket that tells of sessions which it only makes up; the terminal that is looked at is a real one.
"""

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import psutil

from benchmarks.figures import Figure
from benchmarks.reading import spec
from remote_client.control.desk import Desk
from remote_client.control.server import ControlServer
from remote_client.ptyhost.host_terminals import HostTerminals
from shared.ids import SessionId
from shared.local import ClientState, LocalOffice, LocalPolicy, LocalSession, Snapshot

SESSIONS = 50
SETTLE_SECONDS = 8.0
SAMPLES = 8
STARTS = 3
SHOWN_SECONDS = 60.0
"""In which the window shows all sessions, or never."""
GOAL_MB = 90
EMPTY = (
    "import sys; sys.modules['ssl'] = None\n"
    "from PySide6.QtWidgets import QApplication, QWidget\n"
    "app = QApplication([]); app.setStyle('Fusion'); w = QWidget(); w.resize(1080, 700); w.show(); app.exec()\n"
)
FULL = """
import sys
sys.modules['ssl'] = None
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from desktop_client.app import Desktop
from desktop_client.autostart import Autostart
from desktop_client.machines import Machine
from desktop_client.wording import Words
app = QApplication([]); app.setStyle('Fusion')
machine = Machine(Path(sys.argv[1]), Path(sys.argv[1]) / 'policy.toml')
desktop = Desktop(Words('en'), [machine], Autostart(['semo', 'desktop']))
desktop.window.show()
def look():
    if len(machine.sessions) == int(sys.argv[2]):
        desktop.window.show_terminal(sys.argv[3])
        sys.stdout.write('shown\\n'); sys.stdout.flush()
        timer.stop()
timer = QTimer(interval=10); timer.timeout.connect(look); timer.start()
app.exec()
"""


async def desktop() -> AsyncIterator[Figure]:
    """Yields one figure: the time until all sessions are shown, with the memory and the CPU that it takes."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="semo-bench-"))
    host = HostTerminals(folder / "host")
    try:
        terminal = spec(("sh", "-c", "while :; do echo '\x1b[32m✓\x1b[0m at work'; sleep 0.2; done"), folder)
        await host.create(terminal)
        desk = _Desk(str(terminal.session_id))
        server = asyncio.create_task(ControlServer(folder, cast("Desk", desk)).run())
        try:
            empty_pss, empty_rss, _ = await _measured([sys.executable, "-c", EMPTY])
            starts: list[float] = []
            pss = rss = cpu = 0.0
            for _ in range(STARTS):
                command = [sys.executable, "-c", FULL, str(folder), str(SESSIONS), str(terminal.session_id)]
                pss, rss, cpu = await _measured(command, starts)
            yield Figure(
                f"desktop: {SESSIONS} sessions shown after its start",
                starts,
                {
                    "pss_mb": round(pss, 1), "rss_mb": round(rss, 1), "goal_mb": GOAL_MB, "cpu_percent": round(cpu, 1),
                    "empty_window_pss_mb": round(empty_pss, 1), "empty_window_rss_mb": round(empty_rss, 1),
                    "sessions": SESSIONS, "updates_per_s": 5, "platform": "offscreen",
                },
            )  # fmt: skip
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)
    finally:
        await host.stop()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _measured(command: list[str], starts: list[float] | None = None) -> tuple[float, float, float]:
    """PSS and RSS in MB, and per cent of one core, when it has settled. `starts`: where the time of its start goes."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    )
    try:
        if starts is not None:
            assert process.stdout is not None  # noqa: S101
            async with asyncio.timeout(SHOWN_SECONDS):
                assert await process.stdout.readline(), "the window has ended"  # noqa: S101
            starts.append((time.monotonic() - began) * 1000)
        seen = psutil.Process(process.pid)
        await asyncio.sleep(SETTLE_SECONDS)
        seen.cpu_percent()
        found: list[tuple[float, float]] = []
        for _ in range(SAMPLES):
            await asyncio.sleep(0.5)
            memory: Any = seen.memory_full_info()
            found.append((memory.pss / 1e6, memory.rss / 1e6))
        cpu = seen.cpu_percent()
        return statistics.median(pss for pss, _ in found), statistics.median(rss for _, rss in found), cpu
    finally:
        process.kill()
        await process.wait()


class _Desk:
    """Tells of sessions whose statuses change all the time."""

    def __init__(self, first: str) -> None:
        self._sessions = [
            LocalSession(
                first if place == 0 else str(uuid4()), "o", "BE", "claude", "cold", "executing", f"agent/BE-{place}",
                f"/src/web-worktrees/BE/{place}", 1000 + place, 120, 40, True, f"Mend the {place}th failing test",
            )
            for place in range(SESSIONS)
        ]  # fmt: skip
        self._state = ClientState(
            "c", "laptop", "0.1.0", os.getpid(), "live", "2026-11-21T12:04:31+00:00", [LocalOffice("o", "acme/web")],
            SESSIONS, SESSIONS, None, "/state",
        )  # fmt: skip

    @property
    def session_ids(self) -> list[SessionId]:
        return [SessionId(UUID(one.session_id)) for one in self._sessions]

    def snapshot(self) -> Snapshot:
        step = int(time.monotonic() * 5)
        sessions = [
            replace(one, status="executing" if (step + place) % 2 else "waiting_input", doing=f"{one.doing} · {step}")
            for place, one in enumerate(self._sessions)
        ]
        return Snapshot(self._state, sessions, [], [], [], LocalPolicy("/policy.toml", "", [], None))
