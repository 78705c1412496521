"""The terminal that this command runs in, lent to a session: raw while it is, and as it was afterwards, whatever comes.

Knows nothing of sessions.
"""

import asyncio
import os
import re
import signal
import sys
import termios
import tty
from collections.abc import Generator
from contextlib import contextmanager

from semo.problems import Exit, SemoError

READ_BYTES = 65_536
_LEAVE = re.compile(rb"\x1d|\x1b\[93;5(?::1)?u|\x1b\[27;5;93~")
"""Ctrl-], also as terminals say it after a program has asked for more exact keys."""

_ALTERNATE = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")
_MAIN_SCREEN = b"\x1b[?1049l"  # on the main screen already, it would move the cursor
_AS_IT_WAS = (
    b"\x1b7\x1b[r\x1b8"  # scrolls as a whole, the cursor stays
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l"  # no reports of mouse and focus
    b"\x1b[?2004l\x1b[?2026l\x1b[?1l\x1b>\x1b[<99u\x1b[>4;0m"  # keys as ever
    b"\x1b[?7h\x1b[?25h\x1b[0 q\x1b[0m\x1b(B\x0f"  # wraps, shows its cursor, plain letters
    b"\r\n"
)


class Window:
    """`keys` and `sizes` are told while `lent`."""

    def __init__(self, keyboard: int, screen: int) -> None:
        self._keyboard = keyboard
        self._screen = screen
        self.keys: asyncio.Queue[bytes | None] = asyncio.Queue()
        """What was typed; None when the person leaves: nothing comes after it."""
        self.resized = asyncio.Event()
        self._on_alternate = False

    @classmethod
    def of_this_command(cls) -> "Window":
        """
        Raises:
            SemoError: it does not run in a terminal.
        """
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise SemoError(
                "this is not a terminal: a person must sit in front of it",
                do="for scripts there is `semo run`, and the API's output endpoint",
                exit_code=Exit.USAGE,
            )
        return cls(sys.stdin.fileno(), sys.stdout.fileno())

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        found = os.get_terminal_size(self._screen)
        return max(found.columns, 1), max(found.lines, 1)

    @contextmanager
    def lent(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        before = termios.tcgetattr(self._keyboard)
        try:
            tty.setraw(self._keyboard, termios.TCSADRAIN)
            loop.add_reader(self._keyboard, self._read)
            loop.add_signal_handler(signal.SIGWINCH, self.resized.set)
            yield
        finally:
            loop.remove_signal_handler(signal.SIGWINCH)
            loop.remove_reader(self._keyboard)
            try:
                _write(self._screen, (_MAIN_SCREEN if self._on_alternate else b"") + _AS_IT_WAS)
            finally:
                termios.tcsetattr(self._keyboard, termios.TCSADRAIN, before)

    async def show(self, data: bytes) -> None:
        """Returns when the terminal has taken it, however slow it is. Escapes come whole."""
        for found in _ALTERNATE.finditer(data):
            self._on_alternate = found[1] == b"h"
        await asyncio.to_thread(_write, self._screen, data)

    def _read(self) -> None:
        try:
            data = os.read(self._keyboard, READ_BYTES)
        except OSError:  # the terminal is gone
            data = b""
        leave = _LEAVE.search(data)
        typed = data[: leave.start()] if leave else data
        if typed:
            self.keys.put_nowait(typed)
        if leave or not data:
            asyncio.get_running_loop().remove_reader(self._keyboard)
            self.keys.put_nowait(None)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
