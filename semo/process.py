"""Runs one part of the office as a child process: ready line, log file, restarts, an end that leaves nothing behind.

A part prints one JSON object on its stdout when it is ready, or `{"error", "message", "kept", "do"}` when it cannot be.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from semo.problems import SemoError

READY_SECONDS = 90.0
STOP_SECONDS = 25.0
STEADY_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 10.0


class Part:
    """One supervised child. Of our environment it gets what programs cannot do without, and `env`.

    `final`: exit codes after which starting it again would be of no use.
    """

    def __init__(
        self, name: str, arguments: list[str], env: Mapping[str, str], log: Path, final: frozenset[int] = frozenset()
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._env = {**_bare_environment(), **env}
        self._final = final
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> dict[str, Any]:
        """Starts the child and returns what its ready line says.

        Raises:
            SemoError: it ended, reported an error, or said nothing for READY_SECONDS.
        """
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=descriptor,
                env=self._env, cwd=self.log.parent, start_new_session=True, preexec_fn=_end_with_parent(),
            )  # fmt: skip
        finally:
            os.close(descriptor)
        try:
            async with asyncio.timeout(READY_SECONDS):
                return await self._ready_line(self._process)
        except TimeoutError as error:
            await self._end()
            raise SemoError(
                f"the {self.name} was not ready within {READY_SECONDS:.0f} s", do=f"see {self.log}"
            ) from error
        except BaseException:
            await self._end()
            raise

    async def keep_running(self, report: Callable[[str], None]) -> None:
        """Starts the child again whenever it dies; returns when it is stopped on purpose.

        Pauses double from half a second to ten, and begin anew once it has run for STEADY_SECONDS.
        """
        pause = 0.25
        clock = asyncio.get_running_loop().time
        while self._process is not None:
            started = clock()
            code = await self._process.wait()
            if self._stopping:
                return
            if code in self._final:
                report(f"the {self.name} ended with {_in_words(code)} and is not started again (see {self.log})")
                return
            pause = 0.5 if clock() - started > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE_SECONDS)
            report(f"the {self.name} ended with {_in_words(code)}; starting it again in {pause:.1f} s (see {self.log})")
            await asyncio.sleep(pause)
            try:
                await self.start()
            except SemoError as error:
                report(f"the {self.name} does not start: {error.what}")
                continue
            self.restarts += 1
            report(f"the {self.name} is back")

    async def stop(self) -> None:
        """Asks the child to stop, then insists. Returns when it is gone for good."""
        self._stopping = True
        await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _ready_line(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = await process.stdout.readline()
        if not line:
            code = await process.wait()
            raise SemoError(
                f"the {self.name} ended with {_in_words(code)} before it was ready",
                kept="all data is as it was",
                do=f"its own words are at the end of {self.log}:\n{_tail(self.log)}",
            )
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            await process.wait()
            raise SemoError(str(said["message"]), kept=str(said.get("kept", "")), do=str(said.get("do", "")))
        return said


def _bare_environment() -> dict[str, str]:
    """What a child needs of our environment to find programs, home and language; no ambient settings or secrets."""
    names = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM", "XDG_DATA_HOME")
    return {name: os.environ[name] for name in names if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def _end_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel asks the child to stop when we vanish, however we do."""
    if sys.platform != "linux":
        return None
    set_parent_death_signal = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def prepare() -> None:
        set_parent_death_signal(1, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _in_words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _tail(log: Path, lines: int = 6) -> str:
    return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
