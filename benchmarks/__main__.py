"""Runs every benchmark and prints one JSON object a line; progress goes to stderr."""

import asyncio
import json
import sys

from benchmarks.dispatch import dispatch
from benchmarks.figures import Figure
from benchmarks.pools import pools
from benchmarks.terminals import terminals


async def main() -> None:
    for figures in (terminals(), pools(), dispatch()):
        async for figure in figures:
            show(figure)


def show(figure: Figure) -> None:
    sys.stdout.write(json.dumps(figure.as_json()) + "\n")
    sys.stdout.flush()


asyncio.run(main())
