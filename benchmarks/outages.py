"""How long after the network's return a client is back: work that waited is typed, and hints are proven to flow.

On loopback, through a proxy that swallows every packet (and never revives a connection from before) or resets every
connection. The network returns at a random moment of the client's tries.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from structlog.testing import capture_logs

from benchmarks.figures import Figure
from tests.integration.remote_client.office import Machine, Office, git
from tests.support.embedded import running_postgres
from tests.support.gateway import Project, running_project
from tests.support.network import Network, network_to

ROUNDS = 12
SPREAD_SECONDS = 4.0
GOAL_MS = 5000
PROMPT = {"text": "echo '[SEMO:DONE]'"}
SETTLE_SECONDS = 60.0
CUTS: dict[str, Callable[[Network], None]] = {"swallowed": Network.swallow, "reset": Network.reset}


async def outages() -> AsyncIterator[Figure]:
    """Yields `back_after_swallowed_ms` and `back_after_reset_ms`."""
    with tempfile.TemporaryDirectory(prefix="semo-bench-") as name:
        folder = Path(name)
        with running_postgres(folder / "postgres") as server:
            for kind, cut in CUTS.items():
                async with running_project(server) as project:
                    yield await _rounds(kind, cut, project, folder / kind)


async def _rounds(kind: str, cut: Callable[[Network], None], project: Project, folder: Path) -> Figure:
    await asyncio.to_thread(new_repository, folder / "repo")
    async with network_to(urlsplit(project.url).port or 0) as network:
        there = Project(f"http://127.0.0.1:{network.port}", project.keys, project.database, project.http)
        with capture_logs() as lines:
            async with Office.founded(there) as office:
                laptop = await office.enrol("laptop", folder / "laptop", folder / "repo")
                # The client's own defaults; only an outage is noticed sooner, which the figures do not hold.
                await laptop.start(quiet_seconds=1.0, poll_seconds=3.0, heartbeat_seconds=10.0, lease_seconds=30)
                try:
                    session = await office.session()
                    back = [await _one(network, cut, laptop, session, lines) for _ in range(ROUNDS)]
                finally:
                    network.restore()
                    await laptop.stop()
            await there.close()
    typed, live = Figure("typed", [one[0] for one in back]), Figure("live", [one[1] for one in back])
    facts: dict[str, Any] = {"unit": "ms", "goal": GOAL_MS, "max": round(max(typed.samples_ms), 2)}
    facts |= {"live_p50": round(live.percentile(50), 2), "live_max": round(max(live.samples_ms), 2)}
    return Figure(f"back_after_{kind}_ms", typed.samples_ms, facts)


async def _one(
    network: Network, cut: Callable[[Network], None], laptop: Machine, session: object, lines: list[Any]
) -> tuple[float, float]:
    """Milliseconds from the network's return to the first byte typed, and to "live"."""
    await _said(lines, "live")
    lines.clear()
    cut(network)
    await _said(lines, "offline")
    asked = await laptop.office.ask("send_prompt", PROMPT, session_id=session)
    await asyncio.sleep(random.uniform(0, SPREAD_SECONDS))  # noqa: S311
    lines.clear()
    network.restore()
    restored = time.time()
    live, answer = await asyncio.gather(
        _said(lines, "live"), laptop.office.until(asked, "completed", seconds=SETTLE_SECONDS)
    )
    typed_at: datetime = answer.row["typed_at"]
    sys.stderr.write(f"  typed after {typed_at.timestamp() - restored:.2f} s, live after {live - restored:.2f} s\n")
    return (typed_at.timestamp() - restored) * 1000, (live - restored) * 1000


async def _said(lines: list[Any], state: str) -> float:
    """When the client has said that its connection is so."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while not any(line["event"] == "connection" and line["state"].startswith(state) for line in lines):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return time.time()


def new_repository(path: Path) -> None:
    git("init", "--quiet", "--initial-branch=main", str(path))
    git("-C", str(path), "-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "commit", "--quiet",
        "--allow-empty", "-m", "first")  # fmt: skip
