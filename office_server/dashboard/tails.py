"""The last lines that a terminal shows, for cards; rendered once for all browsers."""

from typing import Any

import pyghostty  # pyright: ignore[reportMissingTypeStubs]

from office_server.backend.pages import SessionChunk
from shared.ids import ByteOffset

TAIL_LINES = 8
_KEPT_BYTES = 262_144


class Stream:
    """What one session puts out: the recent text, for terminals that follow it, and its screen, for cards."""

    def __init__(self, cols: int, rows: int) -> None:
        self.next = ByteOffset(-1)
        self.tail = ""
        self._recent: list[SessionChunk] = []
        self._recent_bytes = 0
        self._screen: Any = pyghostty.Terminal(cols, rows, scrollback=0)
        self._size = cols, rows

    def add(self, chunk: SessionChunk) -> None:
        self._screen.feed(chunk.text.encode())
        self._recent.append(chunk)
        self._recent_bytes += len(chunk.text)
        while self._recent_bytes > _KEPT_BYTES and len(self._recent) > 1:
            self._recent_bytes -= len(self._recent.pop(0).text)
        self.next = chunk.end_offset

    def rendered(self, cols: int, rows: int) -> None:
        """Brings `tail` up to date, once for all that was added."""
        if self._size != (cols, rows):
            self._size = cols, rows
            self._screen.resize(cols, rows)
        lines = [line.rstrip() for line in str(self._screen.text()).splitlines()]
        self.tail = "\n".join([line for line in lines if line][-TAIL_LINES:])

    def after(self, offset: ByteOffset) -> tuple[list[SessionChunk], bool]:
        """The chunks that end after `offset`, and whether nothing between was forgotten already."""
        found = [chunk for chunk in self._recent if chunk.end_offset > offset]
        whole = not self._recent or self._recent[0].start_offset <= offset
        return found, whole

    def close(self) -> None:
        self._screen.close()
