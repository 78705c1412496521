"""Runs a program of the machine's own choosing for the office: a time limit, an environment, and the end of its output.

What it starts ends with it, with the wait for it, and with this process, however that ends.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from remote_client.monitor.escapes import plain_text

TAIL_BYTES = 8192
_GUARD = str(Path(__file__).with_name("guard.py"))


@dataclass(frozen=True)
class Ran:
    """How a program ended. `status` None: its time ran out. `tail`: the end of its output, as text."""

    status: int | None
    tail: str
    output_bytes: int
    seconds: float

    @property
    def signal_name(self) -> str | None:
        """Of the signal that ended it."""
        number = (self.status or 0) - 128
        return signal.Signals(number).name if number in set(signal.Signals) else None


class _Tail:
    """The last bytes of a pipe, as they come."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.data = bytearray()
        self.total = 0
        asyncio.get_running_loop().add_reader(self.reading, self.take)

    def take(self) -> None:
        try:
            piece = os.read(self.reading, 65_536)
        except BlockingIOError:
            return
        if not piece:
            asyncio.get_running_loop().remove_reader(self.reading)
        self.data += piece
        self.total += len(piece)
        del self.data[:-TAIL_BYTES]

    def close(self) -> None:
        """What is in the pipe still counts; whoever kept its other end open is not waited for."""
        asyncio.get_running_loop().remove_reader(self.reading)
        os.close(self.writing)
        before = -1
        while before != self.total:
            before = self.total
            self.take()
        asyncio.get_running_loop().remove_reader(self.reading)
        os.close(self.reading)

    def text(self) -> str:
        cut = self.data
        if self.total > len(cut):
            cut = cut[cut.find(b"\n") + 1 :]
        text = plain_text(bytes(cut)).encode("latin-1").decode(errors="replace")
        return text.replace("\x00", "\ufffd").strip("\n")


async def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> Ran:
    """Runs a program to its end, or to the end of its time. Cancelled, it ends the program first."""
    began = time.monotonic()
    tail = _Tail()
    status: int | None = None
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", _GUARD, *command,
            stdin=asyncio.subprocess.PIPE, stdout=tail.writing, stderr=tail.writing,
            cwd=folder, env=dict(environment), start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(seconds):
                status = await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.stdin is not None:
                process.stdin.close()
            await asyncio.shield(process.wait())
    finally:
        tail.close()
    return Ran(status, tail.text(), tail.total, round(time.monotonic() - began, 3))
