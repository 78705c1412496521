"""What a terminal shows, as rows of equally inked text: an emulator takes the bytes, its picture is read back."""

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

import pyghostty  # pyright: ignore[reportMissingTypeStubs]
import pyghostty.core  # pyright: ignore[reportMissingTypeStubs]

SCROLLBACK_LINES = 2000
_lib: Any = pyghostty.lib
_core: Any = pyghostty.core  # pyright: ignore[reportUnknownMemberType]
_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_OTHER = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-ln-~]|\x1b[^\[\]]")

Color = int | tuple[int, int, int] | None
"""A place in the palette, red, green and blue, or the terminal's own."""


@dataclass(frozen=True)
class Ink:
    front: Color = None
    back: Color = None
    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False
    inverse: bool = False


PLAIN = Ink()
_ON: dict[int, dict[str, bool]] = {
    1: {"bold": True}, 2: {"faint": True}, 3: {"italic": True}, 4: {"underline": True}, 7: {"inverse": True},
    22: {"bold": False, "faint": False}, 23: {"italic": False}, 24: {"underline": False}, 27: {"inverse": False},
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """`column`: where it begins, in cells."""

    column: int
    text: str
    ink: Ink
    cells: int


class Screen:
    """One session's. Closed by whoever made it."""

    def __init__(self, cols: int, rows: int) -> None:
        self._terminal: Any = pyghostty.Terminal(max(cols, 2), max(rows, 2), scrollback=SCROLLBACK_LINES)

    def feed(self, data: bytes) -> None:
        self._terminal.feed(data)

    def resize(self, cols: int, rows: int) -> None:
        self._terminal.resize(max(cols, 2), max(rows, 2))

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self._terminal.size

    @property
    def cursor(self) -> tuple[int, int] | None:
        """Column and row; None while it is hidden."""
        return self._terminal.cursor if self._terminal.mode(25) else None

    @property
    def wants_application_keys(self) -> bool:
        return bool(self._terminal.mode(1))

    @property
    def wants_bracketed_paste(self) -> bool:
        return bool(self._terminal.mode(2004))

    def text(self) -> str:
        return str(self._terminal.text())

    @property
    def above(self) -> int:
        """How many lines have left the screen and are still known."""
        return int(self._terminal.get("scrollback_rows"))

    def rows(self) -> list[list[Run]]:
        """Of the screen."""
        return self.lines(self.above, self.size[1])

    def lines(self, first: int, count: int) -> list[list[Run]]:
        """`first`: of all that is known, counted from the oldest."""
        cols = self.size[0]
        selection: Any = _core.init_sized("GhosttySelection")
        selection.start = self._terminal.ref(0, first, "screen")[0]
        selection.end = self._terminal.ref(cols - 1, first + count - 1, "screen")[0]
        options: Any = _core.init_sized("GhosttyTerminalSelectionFormatOptions")
        options.emit = _lib.GHOSTTY_FORMATTER_FORMAT_VT
        options.unwrap, options.trim, options.selection = False, True, selection

        def formatted(buffer: Any, size: int, written: Any) -> Any:
            return _lib.ghostty_terminal_selection_format_buf(
                self._terminal._t[0],  # noqa: SLF001  the package has no other way
                options[0],
                buffer,
                size,
                written,
            )

        return inked_rows(_core.read_buf(formatted))

    def close(self) -> None:
        self._terminal.close()


def inked_rows(told: str) -> list[list[Run]]:
    """Reads text with colours and nothing else in it."""
    found: list[list[Run]] = []
    ink = PLAIN
    for line in _OTHER.sub("", told).split("\n"):
        row: list[Run] = []
        column = place = 0
        for mark in (*_SGR.finditer(line), None):
            text = line[place : mark.start() if mark else len(line)].rstrip("\r")
            if text:
                cells = width_of(text)
                row.append(Run(column, text, ink, cells))
                column += cells
            if mark is not None:
                ink, place = _after(ink, mark[1]), mark.end()
        found.append(row)
    return found


def width_of(text: str) -> int:
    """In cells."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) or char == "\u200d" or "\ufe00" <= char <= "\ufe0f"
        else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )  # fmt: skip


def _after(ink: Ink, told: str) -> Ink:
    numbers = [int(number or 0) for number in re.split("[;:]", told)] if told else [0]
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            ink = PLAIN
        elif number in _ON:
            ink = replace(ink, **_ON[number])
        elif number in (38, 48):
            color, numbers = _color(numbers)
            ink = replace(ink, front=color) if number == 38 else replace(ink, back=color)
        elif number in (39, 49):
            ink = replace(ink, front=None) if number == 39 else replace(ink, back=None)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            ink = replace(ink, front=number - 30 if number < 90 else number - 82)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            ink = replace(ink, back=number - 40 if number < 100 else number - 92)
    return ink


def _color(numbers: list[int]) -> tuple[Color, list[int]]:
    if numbers[:1] == [5] and len(numbers) > 1:
        return numbers[1], numbers[2:]
    if numbers[:1] == [2] and len(numbers) > 3:
        return (numbers[1], numbers[2], numbers[3]), numbers[4:]
    return None, []
