"""One pass over a terminal's output: each title, bell and pattern once, by absolute offset, whatever the chunking.

Looks at the bytes alone: what is echo, repainted or quoted is told apart by whoever knows the screen and the turn.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from remote_client.monitor.anchors import SPOTS, AnchorSearch
from remote_client.monitor.escapes import BEGUN_SEQUENCE, SEQUENCE, STRING_KEPT_BYTES, plain_text, raw_place
from remote_client.monitor.patterns import Hit, PatternTable
from remote_client.terminals import FIRST_BYTE
from shared.ids import ByteOffset

HISTORY_BYTES = 2048
"""A pattern, with all escapes in it, is not longer."""
BELLS_APART_BYTES = 4096

GOES_ON_BYTES = 256
AROUND_BYTES = 1024
"""So much after a spot must have been read for it to need no reading of its own."""

SightingKind = Literal["title", "bell", "notice", "hit"]


@dataclass(frozen=True)
class Sighting:
    """`end` is the offset right after its last byte."""

    kind: SightingKind
    end: ByteOffset
    text: str
    hit: Hit | None = None


class StreamScanner:
    """Takes bytes in, gives sightings out, in the order in which they end within each piece."""

    def __init__(self, table: PatternTable, first_offset: ByteOffset = FIRST_BYTE) -> None:
        self.position = first_offset
        self._patterns = table.patterns
        self._anchors = AnchorSearch(table.patterns)
        self._rest = b""  # a begun escape sequence
        self._history: deque[bytes] = deque()
        self._history_bytes = 0
        self._goes_on_until = 0
        self._unfinished = False  # what may be a pattern touches the end of what came
        self._last_ends: dict[str, int] = {}
        self._next_bell = first_offset

    def feed(self, data: bytes) -> list[Sighting]:
        data = self._rest + data
        self._rest = b""
        if data.endswith(b"\x1b"):
            data, self._rest = data[:-1], b"\x1b"
        # The bracket alone is found much sooner than the two together, since escapes are everywhere.
        if (b"]" not in data or b"\x1b]" not in data) and b"\x07" not in data:
            return self._text(data, last=False) if data else []
        return sorted(self._mixed(data), key=lambda sighting: sighting.end)

    def flush(self) -> list[Sighting]:
        """Nothing more will come soon: what touches the end is taken as it is."""
        return self._text(b"", last=True) if self._unfinished else []

    def _mixed(self, data: bytes) -> Iterator[Sighting]:
        """Output with strings or bells in it."""
        place = 0
        while (found := data.find(b"\x1b]", place)) >= 0:
            yield from self._plain(data[place:found])
            sequence = SEQUENCE.match(data, found)
            if sequence is not None:
                place = sequence.end()
                yield from self._string(sequence["osc"], sequence[0])
            elif len(data) - found < STRING_KEPT_BYTES and BEGUN_SEQUENCE.fullmatch(data, found):
                self._rest = data[found:] + self._rest
                return
            else:
                place = found + 2
                yield from self._plain(data[found:place])
        yield from self._plain(data[place:])

    def _plain(self, data: bytes) -> Iterator[Sighting]:
        start = self.position
        bell = data.find(b"\x07")
        while bell >= 0:
            if start + bell >= self._next_bell:
                self._next_bell = ByteOffset(start + bell + BELLS_APART_BYTES)
                yield Sighting("bell", ByteOffset(start + bell + 1), "")
            bell = data.find(b"\x07", max(bell + 1, self._next_bell - start))
        if data:
            yield from self._text(data, last=False)

    def _string(self, osc: bytes | None, sequence: bytes) -> Iterator[Sighting]:
        """A title or a notice. To the search for patterns a string is no text."""
        self.position = ByteOffset(self.position + len(sequence))
        self._remember(sequence)
        number, _, text = (osc or b"").partition(b";")
        if number in (b"0", b"2"):
            yield Sighting("title", self.position, text.decode("utf-8", "replace"))
        elif number in (b"9", b"777", b"99"):
            yield Sighting("notice", self.position, text.decode("utf-8", "replace"))

    def _text(self, data: bytes, *, last: bool) -> list[Sighting]:
        start = self.position
        self.position = ByteOffset(start + len(data))
        spots = self._anchors.spots(data)
        goes_on = self._unfinished or start < self._goes_on_until
        if spots:  # what follows an anchor may come with the next piece
            self._goes_on_until = start + spots[-1] + GOES_ON_BYTES
        if goes_on:
            spots.insert(0, 0)
        sightings: list[Sighting] = []
        if spots or last:
            sightings = sorted(self._read_near(spots, data, start, last=last), key=lambda sighting: sighting.end)
        self._remember(data)
        return sightings

    def _remember(self, data: bytes) -> None:
        self._history.append(data)
        self._history_bytes += len(data)
        while self._history_bytes - len(self._history[0]) >= HISTORY_BYTES:
            self._history_bytes -= len(self._history.popleft())

    def _read_near(self, spots: list[int], data: bytes, start: int, *, last: bool) -> Iterator[Sighting]:
        """The careful search, around the places where something may be."""
        history = b"".join(self._history)[-HISTORY_BYTES:]
        window = history + data
        begun = window.rfind(b"\x1b")
        if begun >= 0 and not last and BEGUN_SEQUENCE.fullmatch(window, begun):
            window = window[:begun]
        window_start = start - len(history)
        self._unfinished = False
        read_to = 0
        for spot in spots or [0]:
            place = spot + len(history)
            if place + AROUND_BYTES <= read_to:
                continue
            begin = max(place - HISTORY_BYTES, 0)
            end = place + HISTORY_BYTES
            if len(spots) > SPOTS or end >= len(window) or not self._ends_whole(window, begin, end):
                end = len(window)
            read_to = end
            yield from self._read(window[begin:end], window_start + begin, to_the_end=end == len(window), last=last)

    def _ends_whole(self, window: bytes, begin: int, end: int) -> bool:
        """No pattern reaches over the end of this part."""
        part = window[begin:end]
        return not BEGUN_SEQUENCE.fullmatch(part, max(part.rfind(b"\x1b"), 0)) and all(
            hit.end < len(text) for text in [plain_text(part)] for one in self._patterns for hit in one.hits(text)
        )

    def _read(self, window: bytes, window_start: int, *, to_the_end: bool, last: bool) -> Iterator[Sighting]:
        text = plain_text(window)
        if window_start > 0 and text:
            text = "x" + text[1:]  # the window begins anywhere: not at the start of a line
        for pattern in self._patterns:
            for hit in pattern.hits(text):
                if to_the_end and not last and hit.end == len(text) and pattern.literal is None:
                    self._unfinished = True
                    continue
                end = window_start + raw_place(window, hit.end - 1) + 1
                if end > self._last_ends.get(pattern.name, -1):
                    self._last_ends[pattern.name] = end
                    yield Sighting("hit", ByteOffset(end), hit.value, hit)
