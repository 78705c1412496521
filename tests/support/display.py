"""A display of its own for a window (Xvfb), and somebody in front of it."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

SECONDS = 60
ROOT = Path(__file__).parents[2]
Seen = dict[str, Any]


@asynccontextmanager
async def display() -> AsyncGenerator[str]:
    """Skips the test where `scripts/test-tools` could not fetch Xvfb; under CI that fails."""
    program = shutil.which("Xvfb")
    if program is None:
        missing = "there is no Xvfb: run scripts/test-tools"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        program, "-displayfd", str(writing), "-screen", "0", "1400x1000x24", "-nolisten", "tcp", "-dpi", "96",
        pass_fds=(writing,), stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    try:
        number = await asyncio.to_thread(_first_line, reading)
        yield f":{number}"
    finally:
        process.terminate()
        await process.wait()


def _first_line(descriptor: int) -> str:
    with os.fdopen(descriptor) as file:
        return file.readline().strip()


class Watcher:
    """In front of the window of one client's folder."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.seen: Seen = {}

    @classmethod
    @asynccontextmanager
    async def before(
        cls, state: Path, policy: Path, display: str, environment: Mapping[str, str], language: str = "en"
    ) -> "AsyncGenerator[Watcher]":
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.window_driver", str(state), str(policy), language,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
            env={**environment, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}, limit=16 << 20,
        )  # fmt: skip
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def do(self, do: str, what: str = "", text: str = "") -> Seen:
        """Does it once it can be done."""
        async with asyncio.timeout(SECONDS):
            while "problem" in (seen := await self._tell(do, what, text)):
                self.seen = seen
                await asyncio.sleep(0.1)
        self.seen = seen
        return seen

    async def until(self, holds: Callable[[Seen], bool]) -> Seen:
        """What is seen once it is so."""
        try:
            async with asyncio.timeout(SECONDS):
                while not holds(seen := await self._tell("look")):
                    self.seen = seen
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"still not so; last seen: {json.dumps(self.seen, indent=1)}") from None
        return seen

    async def until_text(self, text: str) -> Seen:
        return await self.until(lambda seen: any(text in one for one in seen["texts"]))

    async def _tell(self, do: str, what: str = "", text: str = "") -> Seen:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"do": do, "what": what, "text": text}) + "\n"
        self._process.stdin.write(line.encode())
        await self._process.stdin.drain()
        answer = await self._process.stdout.readline()
        assert answer, f"the window has ended (exit code {await self._process.wait()})"
        return json.loads(answer)
