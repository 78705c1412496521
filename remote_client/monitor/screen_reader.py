"""Keeps the rendered screen of one terminal, lazily: output waits here until somebody needs to look.

Rendering is slow next to scanning, and the screen matters at few moments. What waits is bounded: a flood loses its
oldest part, and the screen is then right again with the program's next full repaint.
"""

import re
from collections import deque

from remote_client.monitor.patterns import Pattern
from remote_client.monitor.profile import Profile
from remote_client.monitor.reading import Block, Look, look_at
from remote_client.monitor.screen import Screen

WAITING_BYTES = 262_144
FLOOD_BYTES = 65_536
ALIKE_CHARACTERS = 12
SLICE_BYTES = 4096
"""Rendered in one go: a millisecond or two."""


class ScreenReader:
    """Fed with all output; looks at the screen when asked, and notes each marker that an agent spoke meanwhile."""

    def __init__(self, profile: Profile, markers: tuple[Pattern, ...], rows: int) -> None:
        self._profile = profile
        self._markers = markers
        self._screen = Screen(rows)
        self._waiting: deque[bytes | memoryview] = deque()
        self._waiting_bytes = 0
        self._spoken: set[str] = set()
        self._prompt_before: str | None = None
        self.prompt = ""
        """What was typed for the turn that runs, as far as known."""
        if profile.full_screen:
            words = tuple(pattern.literal for pattern in markers if pattern.literal)
            self._screen.watch(words, self._frame_ended)

    @property
    def tells_speakers(self) -> bool:
        """Whether the screen shows who said what."""
        return bool(self._profile.bullet_glyphs)

    @property
    def behind(self) -> bool:
        """Something waits to be rendered."""
        return bool(self._waiting)

    @property
    def flooded(self) -> bool:
        """So much waits that to render it now would be in vain: more will come, and part of it be dropped."""
        return self._waiting_bytes > FLOOD_BYTES

    def push(self, data: bytes | memoryview) -> None:
        if not data:
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        while self._waiting_bytes > WAITING_BYTES and len(self._waiting) > 1:
            self._waiting_bytes -= len(self._waiting.popleft())

    def render_some(self) -> None:
        """One slice, so that nobody else waits long."""
        left = SLICE_BYTES
        while self._waiting and left > 0:
            piece = self._waiting.popleft()
            if len(piece) > left:
                self._waiting.appendleft(piece[left:])
                piece = piece[:left]
            left -= len(piece)
            self._waiting_bytes -= len(piece)
            self._screen.feed(piece)

    def look(self) -> Look:
        while self._waiting:
            self.render_some()
        return self._look()

    def lines(self) -> list[str]:
        while self._waiting:
            self.render_some()
        return self._screen.visible_lines()

    def resize(self, rows: int) -> None:
        self.look()
        self._screen.resize(rows)

    # Markers --------------------------------------------------------------------------------------------------------

    def begin_turn(self, prompt: str) -> None:
        """What is spoken from here on counts for this turn; `prompt` is what was typed, as far as known."""
        self._prompt_before = self.look().prompt  # what was painted until now is not spoken in this turn
        self._spoken.clear()
        self.prompt = prompt

    def spoken(self) -> set[str]:
        """The names of the markers that the agent itself said in this turn."""
        self.look()
        self._frame_ended()
        return self._spoken

    def _frame_ended(self) -> None:
        look = self._look()
        if look.prompt is None or look.prompt != self._prompt_before or alike(look.prompt, self.prompt):
            self._listen(look)

    def _look(self) -> Look:
        canvas = self._screen.last_used
        lines = [line.replace("\0", "") for line in canvas.lines]
        return look_at(lines, canvas.styles, self._profile)

    def _listen(self, look: Look) -> None:
        for block in look.said:
            for pattern in self._markers:
                if pattern.name not in self._spoken and self._counts(block, pattern):
                    self._spoken.add(pattern.name)

    def _counts(self, block: Block, pattern: Pattern) -> bool:
        """Where the beginning is not on view it may be the prompt that is read: then the marker must not be in it."""
        if not any(True for _ in pattern.hits(block.text)):
            return False
        return not (block.headless and pattern.regex.search(self.prompt))


def alike(shown: str, typed: str) -> bool:
    """Whether the prompt on the screen may be the one that was typed: its beginning is."""
    one, other = "".join(shown.split())[:ALIKE_CHARACTERS], "".join(typed.split())[:ALIKE_CHARACTERS]
    return not other or one.startswith(other) or other.startswith(one)


def found_in(look: Look, pattern: Pattern) -> list[str]:
    """What a pattern finds in all that was said and done since the last prompt, long words that were broken at the
    screen's edge in one piece."""
    found: list[str] = []
    for block in look.blocks:
        for text in (_unbroken(block, look.width), block.text):
            found += [hit.value for hit in pattern.hits(text) if hit.value not in found]
    return [one for one in found if not any(other != one and other.startswith(one) for other in found)]


def _unbroken(block: Block, width: int) -> str:
    if not width:
        return block.text
    pieces: list[str] = []
    for line in block.lines:
        full = len(line) >= width - 6 and re.search(r"\S{20,}$", line) is not None
        pieces += [line, "" if full else "\n"]
    return "".join(pieces)
