"""A stream as a full-screen agent puts it out, with markers in it; and what reads it from a PTY."""

import os
import pty
import random
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path

MARKER = b"[SEMO:DONE]"
MARKERS = 91
READ_SIZE = 65_536
_WORDS = b"the agent reads a file and writes tests for what it found in src/app.py line 42 return value None".split()
_SIGNS = ["⠂", "⠐"]


def tui_stream(megabytes: int, markers: int = MARKERS) -> bytes:
    """Frames of moves, colours and text; of the markers in it every third is split by escapes."""
    chance = random.Random(7)  # noqa: S311  nothing secret
    every = megabytes * 1_000_000 // max(markers, 1)
    frames: list[bytes] = []
    size = 0
    said = 0
    while size < megabytes * 1_000_000:
        frame = _frame(chance)
        if size >= said * every + every // 2 and said < markers:
            frame += b"\r\n  " + (MARKER if said % 3 else b"[SEMO\x1b[1m:\x1b[38;5;231mDO\x1b[0m\x1b[2CNE]") + b"\r\n"
            said += 1
        frames.append(frame)
        size += len(frame)
    return b"".join(frames)


def _frame(chance: random.Random) -> bytes:
    rows: list[bytes] = [b"\x1b[2D\x1b[3B\r\x1b[%dA" % chance.randint(1, 30)]
    for _ in range(chance.randint(1, 12)):
        rows.append(b"\x1b[38;5;%dm" % chance.randint(16, 255))
        column = 3
        for word in chance.choices(_WORDS, k=chance.randint(2, 14)):
            rows.append(word + b"\x1b[%dG" % column)
            column += len(word) + 1
        rows.append(b"\x1b[39m\x1b[K\r\r\n")
    if not chance.randrange(4):
        rows.append("─".encode() * 100 + b"\r\n")
    if not chance.randrange(40):
        rows.append(f"\x1b]0;{chance.choice(_SIGNS)} a title\x07".encode())
    return b"".join(rows)


def seconds_to_read(path: Path, take: Callable[[bytes], object]) -> float:
    """A child writes the file to a PTY as fast as it can be read; `take` gets what each read gave."""
    master, slave = pty.openpty()
    tty.setraw(slave, termios.TCSANOW)
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=slave) as writer:
        os.close(slave)
        try:
            data = os.read(master, READ_SIZE)
            began = time.perf_counter()
            while data:
                take(data)
                data = _read(master)
            seconds = time.perf_counter() - began
        finally:
            os.close(master)
        writer.wait()
    return seconds


def _read(master: int) -> bytes:
    try:
        return os.read(master, READ_SIZE)
    except OSError:  # EIO: the writer has closed its side
        return b""


_WRITER = """
import os, sys
data = memoryview(open(sys.argv[1], "rb").read())
while data:
    data = data[os.write(1, data[:65536]):]
"""
