"""A person in front of a terminal of their own, in which they run a `semo` command."""

import asyncio
import os
import re
import sys
import termios
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ptyprocess import PtyProcess  # pyright: ignore[reportMissingTypeStubs]

WAIT_SECONDS = 60.0


class Person:
    """`shown` is all that their terminal was told."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self._fd: int = process.fd
        self.shown = b""
        self._news = asyncio.Event()
        self._over = False
        os.set_blocking(self._fd, False)
        self.modes_before = termios.tcgetattr(self._fd)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    @classmethod
    @asynccontextmanager
    async def running(
        cls, *arguments: str, cols: int = 90, rows: int = 25, env: Mapping[str, str] | None = None
    ) -> "AsyncGenerator[Person]":
        """Runs the command below a shell, as a person would, so that the terminal outlives it."""
        script = 'stty -a >/dev/null; "$@"; echo "exit code $?"; read -r _'
        command = ["bash", "-c", script, "bash", sys.executable, "-m", "semo", *arguments]
        process: Any = PtyProcess.spawn(  # pyright: ignore[reportUnknownMemberType]
            command, dimensions=(rows, cols), env={**os.environ, "TERM": "xterm-256color", **(env or {})}
        )
        person = cls(process)
        try:
            yield person
        finally:
            asyncio.get_running_loop().remove_reader(person._fd)
            process.terminate(force=True)
            process.close()

    def _read(self) -> None:
        try:
            self.shown += os.read(self._fd, 65_536)
        except BlockingIOError:
            return
        except OSError:
            self._over = True
            asyncio.get_running_loop().remove_reader(self._fd)
        self._news.set()

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def resize(self, cols: int, rows: int) -> None:
        self._process.setwinsize(rows, cols)

    def modes(self) -> list[Any]:
        """Of their terminal, now."""
        return termios.tcgetattr(self._fd)

    async def until(self, true: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not true():
                    self._news.clear()
                    await self._news.wait()
                    assert not self._over, "their terminal is gone"
        except (TimeoutError, AssertionError) as error:
            raise AssertionError(f"not shown: {self.shown[-3000:].decode(errors='replace')}") from error

    async def until_shown(self, text: str, times: int = 1) -> None:
        await self.until(lambda: self.shown.count(text.encode()) >= times)

    async def exit_code(self) -> int:
        """Of the command, when it has ended."""
        await self.until(lambda: re.search(rb"exit code \d+\r\n", self.shown) is not None)
        return int(self.shown.rsplit(b"exit code ", 1)[1].split()[0])
