"""How soon a whole office works again after a fault: from its end until a prompt that was asked for then is done.

For what is killed, the end is the kill: what it takes to start it again is part of the time. The faults take turns:
what is killed again and again is started again later each time.
"""

import random
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.outages import new_repository
from tests.chaos.breakable import FAULTS, Breakable
from tests.chaos.observer import Observer

ROUNDS = 5
GOAL_MS = 5000


async def recovery() -> AsyncIterator[Figure]:
    """Yields `recovery_after_…_ms` for each fault, and `recovery_ms` over all of them."""
    everything: list[float] = []
    with tempfile.TemporaryDirectory(prefix="semo-bench-") as name:
        folder = Path(name)
        new_repository(folder / "repo")
        (folder / "ledger").touch()
        async with Breakable.opened(folder, folder / "repo") as office:
            observer = Observer(office, random.Random(), folder / "ledger")  # noqa: S311
            for _ in range(ROUNDS):
                for fault in FAULTS:
                    await observer.break_it(fault)
                    sys.stderr.write(f"  {fault}: {observer.recoveries[-1][1]:.2f} s\n")
            for fault in FAULTS:
                samples = [seconds * 1000 for told, seconds in observer.recoveries if told == fault]
                everything += samples
                yield _figure(f"recovery_after_{fault.replace(' ', '_').lower()}_ms", samples)
    yield _figure("recovery_ms", everything)


def _figure(name: str, samples: list[float]) -> Figure:
    figure = Figure(name, samples, {"unit": "ms", "max": round(max(samples), 2), "goal_p95": GOAL_MS})
    figure.facts["within_goal"] = figure.percentile(95) <= GOAL_MS
    return figure
