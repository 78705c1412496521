"""What each control of a terminal does to the text on a screen. Which bytes are controls is known to `screen`."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

KEPT_LINES = 6000
FORGOTTEN_AT_ONCE = 1000
MAX_COLUMN = 2000
INDENT = 8
"""What begins further to the right is no line of its own, but a column beside another."""

_NOT_ONE_COLUMN = re.compile(
    "[\u0300-\u036f\u1100-\u115f\u200b-\u200f\u20d0-\u20ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe00-\ufe6f"
    "\uff00-\uff60\uffe0-\uffe6\U0001f000-\U0001faff\U00020000-\U0003fffd]"
    "|[\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd"
    "\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e\u2753-\u2755"
    "\u2757\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55]"
)


@dataclass(frozen=True)
class Style:
    """How a line's first visible character was painted: its colour as SGR parameters ("": the default), and whether on
    a background of its own."""

    ink: str
    on_background: bool


PLAIN = Style("", on_background=False)


@dataclass
class Canvas:
    """The lines of one screen (there is a main and an alternate one). `top` is the first line on view."""

    lines: list[str] = field(default_factory=lambda: [""])
    styles: list[Style] = field(default_factory=lambda: [PLAIN])
    top: int = 0
    row: int = 0
    column: int = 0
    saved: tuple[int, int] = (0, 0)

    def reach(self, row: int) -> None:
        missing = row + 1 - len(self.lines)
        if missing > 0:
            self.lines += [""] * missing
            self.styles += [PLAIN] * missing

    def clear(self, first: int, last: int | None = None) -> None:
        """Empties the lines from `first` to before `last`; without it, to the end."""
        end = len(self.lines) if last is None else min(last, len(self.lines))
        for row in range(max(first, 0), end):
            self.lines[row] = ""
            self.styles[row] = PLAIN

    def forget(self) -> None:
        """Drops the oldest of what scrolled off when too much is kept."""
        if len(self.lines) > KEPT_LINES and self.top > FORGOTTEN_AT_ONCE:
            del self.lines[:FORGOTTEN_AT_ONCE]
            del self.styles[:FORGOTTEN_AT_ONCE]
            self.top -= FORGOTTEN_AT_ONCE
            self.row = max(self.row - FORGOTTEN_AT_ONCE, self.top)
            self.saved = (max(self.saved[0] - FORGOTTEN_AT_ONCE, 0), self.saved[1])


class ScreenMoves:
    """The state of a terminal, and one method for each thing that can be done to it."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.canvas = Canvas()
        self._main = self.canvas
        self.last_used = self.canvas
        """The full screen of a program is still there to be read when the program has left it."""
        self._style = PLAIN
        self._last_written = " "
        self._watched: tuple[str, ...] = ()
        self._watched_came = False
        self._frame_ended: Callable[[], None] = _nothing
        self._region: tuple[int, int] | None = None
        self._handlers: dict[str, Callable[[list[int]], None]] = {
            "A": self._up,
            "B": self._down,
            "C": self._right,
            "D": self._left,
            "E": self._next_line,
            "F": self._previous_line,
            "G": self._to_column,
            "`": self._to_column,
            "H": self._to_place,
            "f": self._to_place,
            "d": self._to_row,
            "J": self._erase_in_screen,
            "K": self._erase_in_line,
            "L": self._insert_lines,
            "M": self._delete_lines,
            "P": self._delete_characters,
            "@": self._insert_blanks,
            "X": self._erase_characters,
            "S": self._scroll_up,
            "T": self._scroll_down,
            "b": self._repeat,
            "r": self._set_region,
            "s": self._save,
            "u": self._restore,
        }

    def watch(self, words: tuple[str, ...], frame_ended: Callable[[], None]) -> None:
        """Calls back at the end of each frame of a full-screen program in which one of the words was painted: such a
        program scrolls by painting anew, and what left the screen is nowhere else."""
        self._watched = words
        self._frame_ended = frame_ended

    @property
    def alternate(self) -> bool:
        return self.canvas is not self._main

    def resize(self, rows: int) -> None:
        self.rows = rows
        self._show(self.canvas.row)

    def wipe(self, rows: int) -> None:
        """Each row erased, from the top: so high is the screen now. When it was higher, what did not fit any more has
        scrolled off, and is not what the program erased."""
        canvas = self.canvas
        self.rows = rows
        used = max((row for row in range(canvas.top, len(canvas.lines)) if canvas.lines[row]), default=canvas.row)
        canvas.top = max(canvas.top, used - rows + 1)
        canvas.clear(canvas.top)
        self._move_to(canvas.top + rows - 1, 0)

    def write(self, text: str) -> None:
        canvas = self.canvas
        if _NOT_ONE_COLUMN.search(text):
            text = _columns(text)
            if not text:
                return
        row, column = canvas.row, canvas.column
        if column > MAX_COLUMN:
            return
        canvas.reach(row)
        line = canvas.lines[row]
        if column > len(line):
            line += " " * (column - len(line))
        end = column + len(text)
        canvas.lines[row] = line[:column] + text + line[end:]
        canvas.column = end
        if column <= INDENT and not line[:column].strip() and not text.isspace():
            canvas.styles[row] = self._style
        self._last_written = text[-1]
        if self._watched and not self._watched_came:
            self._watched_came = any(word in canvas.lines[row] for word in self._watched)

    def control(self, character: str) -> None:
        canvas = self.canvas
        if character == "\r":
            canvas.column = 0
        elif character in "\n\x0b\x0c":
            self._line_feed()
        elif character == "\b":
            canvas.column = max(canvas.column - 1, 0)
        elif character == "\t":
            canvas.column = canvas.column // 8 * 8 + 8

    def short_escape(self, letter: str) -> None:
        if letter == "7":
            self._save([])
        elif letter == "8":
            self._restore([])
        elif letter == "D":
            self._line_feed()
        elif letter == "E":
            self.canvas.column = 0
            self._line_feed()
        elif letter == "M":
            self.canvas.row = max(self.canvas.row - 1, self.canvas.top)
        elif letter == "c":
            self.canvas = self._main = self.last_used = Canvas()

    def control_sequence(self, final: str, parameters: str) -> None:
        if final == "m":
            self._style = _styled(self._style, parameters)
            return
        if parameters and not (parameters[0].isdigit() or parameters[0] == ";"):
            if parameters in ("?1049", "?1047", "?47") and final in "hl":
                self._switch(to_alternate=final == "h")
            return
        handler = self._handlers.get(final)
        if handler is not None:
            handler(_numbers(parameters))

    # Moves ----------------------------------------------------------------------------------------------------------

    def _show(self, row: int) -> None:
        """The screen is at least as high as the place that is used."""
        canvas = self.canvas
        if row - canvas.top >= self.rows:
            canvas.top = row - self.rows + 1

    def _line_feed(self) -> None:
        canvas = self.canvas
        region = self._region
        if region is not None and canvas.row - canvas.top == region[1]:
            self._scroll_up([1])
            return
        canvas.row += 1
        canvas.reach(canvas.row)
        self._show(canvas.row)
        canvas.forget()

    def _move_to(self, row: int, column: int) -> None:
        """A place that the program names is on its screen, however high we believed it to be."""
        canvas = self.canvas
        canvas.row = min(max(row, canvas.top), canvas.top + 500)
        canvas.column = min(max(column, 0), MAX_COLUMN)
        self.rows = max(self.rows, canvas.row - canvas.top + 1)
        canvas.reach(canvas.row)

    def _up(self, numbers: list[int]) -> None:
        self._move_to(self.canvas.row - max(_first(numbers), 1), self.canvas.column)

    def _down(self, numbers: list[int]) -> None:
        steps = max(_first(numbers), 1)
        row = self.canvas.row + steps
        if not self.alternate:
            # On the main screen a move down stops at the bottom; on the other, programs know how high it is.
            row = max(min(row, self.canvas.top + self.rows - 1), self.canvas.row)
        self._move_to(row, self.canvas.column)

    def _right(self, numbers: list[int]) -> None:
        self.canvas.column = min(self.canvas.column + max(_first(numbers), 1), MAX_COLUMN)

    def _left(self, numbers: list[int]) -> None:
        self.canvas.column = max(self.canvas.column - max(_first(numbers), 1), 0)

    def _next_line(self, numbers: list[int]) -> None:
        self._move_to(self.canvas.row + max(_first(numbers), 1), 0)

    def _previous_line(self, numbers: list[int]) -> None:
        self._move_to(self.canvas.row - max(_first(numbers), 1), 0)

    def _to_column(self, numbers: list[int]) -> None:
        self.canvas.column = min(max(_first(numbers), 1) - 1, MAX_COLUMN)

    def _to_row(self, numbers: list[int]) -> None:
        self._move_to(self.canvas.top + max(_first(numbers), 1) - 1, self.canvas.column)

    def _to_place(self, numbers: list[int]) -> None:
        row = max(_first(numbers), 1) - 1
        column = max(numbers[1], 1) - 1 if len(numbers) > 1 else 0
        if self._watched_came and (row, column) == (0, 0):
            self._watched_came = False
            if self.alternate:
                self._frame_ended()
        self._move_to(self.canvas.top + row, column)

    def _save(self, _: list[int]) -> None:
        self.canvas.saved = (self.canvas.row, self.canvas.column)

    def _restore(self, _: list[int]) -> None:
        self._move_to(*self.canvas.saved)

    def _set_region(self, numbers: list[int]) -> None:
        if len(numbers) > 1 and 0 < numbers[1] < self.rows:
            self._region = (max(numbers[0], 1) - 1, numbers[1] - 1)
        else:
            self._region = None
        self._move_to(self.canvas.top, 0)

    def _switch(self, *, to_alternate: bool) -> None:
        self._region = None
        if to_alternate and not self.alternate:
            self.canvas = self.last_used = Canvas()
        elif not to_alternate:
            self.canvas = self._main

    # Erasing and shifting -------------------------------------------------------------------------------------------

    def _erase_in_screen(self, numbers: list[int]) -> None:
        canvas = self.canvas
        what = _first(numbers)
        if what == 0:
            canvas.reach(canvas.row)
            canvas.lines[canvas.row] = canvas.lines[canvas.row][: canvas.column]
            canvas.clear(canvas.row + 1)
        elif what == 1:
            canvas.clear(canvas.top, canvas.row)
        elif what == 2:
            canvas.clear(canvas.top)
        elif what == 3:
            del canvas.lines[: canvas.top]
            del canvas.styles[: canvas.top]
            canvas.row -= canvas.top
            canvas.top = 0

    def _erase_in_line(self, numbers: list[int]) -> None:
        canvas = self.canvas
        canvas.reach(canvas.row)
        line = canvas.lines[canvas.row]
        what = _first(numbers)
        if what == 0:
            canvas.lines[canvas.row] = line[: canvas.column]
        elif what == 1:
            canvas.lines[canvas.row] = " " * (canvas.column + 1) + line[canvas.column + 1 :]
        elif what == 2:
            canvas.lines[canvas.row] = ""

    def _insert_lines(self, numbers: list[int]) -> None:
        self._shift(self.canvas.row, max(_first(numbers), 1))

    def _delete_lines(self, numbers: list[int]) -> None:
        self._shift(self.canvas.row, -max(_first(numbers), 1))

    def _scroll_up(self, numbers: list[int]) -> None:
        first = self._region[0] if self._region else 0
        self._shift(self.canvas.top + first, -max(_first(numbers), 1))

    def _scroll_down(self, numbers: list[int]) -> None:
        first = self._region[0] if self._region else 0
        self._shift(self.canvas.top + first, max(_first(numbers), 1))

    def _shift(self, first: int, by: int) -> None:
        """Moves the lines from `first` to the end of the region down, or up when negative."""
        canvas = self.canvas
        last = canvas.top + (self._region[1] if self._region else self.rows - 1)
        canvas.reach(last)
        count = min(abs(by), max(last - first + 1, 0))
        if by > 0:
            kept = slice(first, last + 1 - count)
            canvas.lines[first : last + 1] = [""] * count + canvas.lines[kept]
            canvas.styles[first : last + 1] = [PLAIN] * count + canvas.styles[kept]
        else:
            kept = slice(first + count, last + 1)
            canvas.lines[first : last + 1] = canvas.lines[kept] + [""] * count
            canvas.styles[first : last + 1] = canvas.styles[kept] + [PLAIN] * count

    def _delete_characters(self, numbers: list[int]) -> None:
        line, column = self._line()
        self._set_line(line[:column] + line[column + max(_first(numbers), 1) :])

    def _insert_blanks(self, numbers: list[int]) -> None:
        line, column = self._line()
        self._set_line(line[:column] + " " * min(max(_first(numbers), 1), MAX_COLUMN) + line[column:])

    def _erase_characters(self, numbers: list[int]) -> None:
        line, column = self._line()
        count = min(max(_first(numbers), 1), max(len(line) - column, 0))
        self._set_line(line[:column] + " " * count + line[column + count :])

    def _repeat(self, numbers: list[int]) -> None:
        self.write(self._last_written * min(max(_first(numbers), 1), MAX_COLUMN))

    def _line(self) -> tuple[str, int]:
        self.canvas.reach(self.canvas.row)
        return self.canvas.lines[self.canvas.row], self.canvas.column

    def _set_line(self, line: str) -> None:
        self.canvas.lines[self.canvas.row] = line


def _nothing() -> None:
    pass


def _first(numbers: list[int]) -> int:
    return numbers[0] if numbers else 0


@lru_cache(maxsize=1024)
def _numbers(parameters: str) -> list[int]:
    return [min(int(part), 100_000) if part.isdecimal() and len(part) < 9 else 0 for part in parameters.split(";")]


@lru_cache(maxsize=4096)
def _styled(style: Style, parameters: str) -> Style:
    """The style after an SGR sequence."""
    parts = parameters.split(";")
    ink, on_background = style.ink, style.on_background
    place = 0
    while place < len(parts):
        part = parts[place]
        if part in ("", "0"):
            ink, on_background = "", False
        elif part in ("39", "49"):
            ink = "" if part == "39" else ink
            on_background = on_background and part != "49"
        elif part in ("38", "48"):
            length = {"5": 3, "2": 5}.get(parts[place + 1] if place + 1 < len(parts) else "", 1)
            if part == "38":
                ink = ";".join(parts[place : place + length])
            on_background = on_background or part == "48"
            place += length - 1
        elif part.isdecimal() and (30 <= int(part) <= 37 or 90 <= int(part) <= 97):
            ink = part
        elif part.isdecimal() and (40 <= int(part) <= 47 or 100 <= int(part) <= 107):
            on_background = True
        place += 1
    return Style(ink, on_background)


def _columns(text: str) -> str:
    """One character for each column: a wide one is followed by a filler, one without width is left out."""
    columns: list[str] = []
    for character in text:
        if unicodedata.combining(character) or "\u200b" <= character <= "\u200f" or "\ufe00" <= character <= "\ufe0f":
            continue
        columns.append(character)
        if unicodedata.east_asian_width(character) in "WF":
            columns.append("\0")
    return "".join(columns)
