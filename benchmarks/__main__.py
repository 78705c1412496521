"""Runs every benchmark, or those that are named, and prints one JSON object a line; progress goes to stderr."""

import asyncio
import json
import sys

from benchmarks.claude import claude
from benchmarks.delivery import delivery
from benchmarks.desktop import desktop
from benchmarks.dispatch import dispatch
from benchmarks.figures import Figure
from benchmarks.monitor import monitor
from benchmarks.outages import outages
from benchmarks.pages import pages
from benchmarks.pools import pools
from benchmarks.reader import reader
from benchmarks.recovery import recovery
from benchmarks.scheduling import scheduling
from benchmarks.terminals import terminals

_ALL = (reader, monitor, terminals, pools, claude, dispatch, delivery, outages, recovery, scheduling, pages, desktop)
BENCHMARKS = {one.__name__: one for one in _ALL}


async def main(names: list[str]) -> None:
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        async for figure in BENCHMARKS[name]():
            show(figure)


def show(figure: Figure) -> None:
    sys.stdout.write(json.dumps(figure.as_json()) + "\n")
    sys.stdout.flush()


asyncio.run(main(sys.argv[1:]))
