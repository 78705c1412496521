"""Writes what a person would have read in a terminal as plain text: no escapes, and a line that wrapped is one line."""

from typing import TextIO

from remote_client.monitor.screen import Screen
from remote_client.recordings.spooled import Ended, Gap, Happened, Output, Resized, TakenOver

_STEP_BYTES = 1024
_SETTLED_LINES = 3000
_KEPT_LINES = 1000
"""Lines that scrolled off so far are written for good; the program may still take back the later ones (ESC[3J)."""

_WRAPPED = "\ue0b0\ue0b1\ue0b0"
"""At the end of a line that goes on in the next one; no program writes this."""


class _WrappingScreen(Screen):
    """A screen with a right margin."""

    def __init__(self, cols: int, rows: int) -> None:
        super().__init__(rows)
        self.cols = cols

    def write(self, text: str) -> None:
        while text:
            if self.canvas.column >= self.cols:
                super().write(_WRAPPED)
                self.canvas.column = 0
                self._line_feed()
            room = self.cols - self.canvas.column
            super().write(text[:room])
            text = text[room:]

    def settled(self, keep: int) -> list[str]:
        """Takes off the lines that scrolled off the main screen, but for the last `keep`."""
        canvas = self._main
        count = max(0, canvas.top - keep)
        while count > 0 and canvas.lines[count - 1].endswith(_WRAPPED):
            count -= 1
        lines = canvas.lines[:count]
        del canvas.lines[:count]
        del canvas.styles[:count]
        canvas.top -= count
        canvas.row -= count
        canvas.saved = (max(canvas.saved[0] - count, 0), canvas.saved[1])
        return lines

    @property
    def scrolled_off(self) -> int:
        return self._main.top

    def rest(self) -> list[str]:
        """What stands there in the end; of a full-screen program the last that it showed."""
        full_screen = self.last_used.lines if self.last_used is not self._main else []
        return self._main.lines + full_screen


class TranscriptWriter:
    def __init__(self, file: TextIO, size: tuple[int, int]) -> None:
        self._file = file
        self._screen = _WrappingScreen(*size)

    def write(self, happened: Happened) -> None:
        match happened:
            case Output():
                for start in range(0, len(happened.data), _STEP_BYTES):
                    self._screen.feed(happened.data[start : start + _STEP_BYTES])
                    if self._screen.scrolled_off > _SETTLED_LINES:
                        self._write(self._screen.settled(_KEPT_LINES))
            case Resized():
                self._screen.cols = happened.cols
                self._screen.resize(happened.rows)
            case Gap():
                self._screen.feed(f"\r\n[{happened.size} bytes were not kept]\r\n".encode())
            case TakenOver():
                pass  # what they typed shows up as the program shows it
            case Ended():
                lines = self._screen.rest()
                while lines and not lines[-1].strip():
                    lines.pop()
                self._write(lines)

    def _write(self, lines: list[str]) -> None:
        text = "".join(f"{line.rstrip()}\n" for line in lines).replace("\0", "")
        self._file.write(text.replace(f"{_WRAPPED}\n", ""))
