"""One pass over a terminal's output: each title, bell and pattern once, by absolute offset, whatever the chunking.

Looks at the bytes alone: what is echo, repainted or quoted is told apart by whoever knows the screen and the turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from remote_client.monitor.escapes import BEGUN_SEQUENCE, SEQUENCE, STRING_KEPT_BYTES, plain_text
from remote_client.monitor.patterns import Hit, Pattern, PatternTable
from remote_client.terminals import FIRST_BYTE
from shared.ids import ByteOffset

HISTORY_BYTES = 4096
"""A pattern, with all escapes in it, is not longer."""
BELLS_APART_BYTES = 4096

# What an escape sequence inside a word is made of. Without these bytes an anchor stands in one piece, so that one
# search finds it however it was painted; the anchors lose the same bytes. Only a hit is then read with care.
_DROPPED = bytes(range(0x21)) + b"\x7f\x1b[0123456789;:<=>?ABCDEFGHJKPX@dfhlmsu"
_TAIL = 96
_NEAR = 64

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
        self._anchors = _reduced_anchors(table.patterns)
        self._near = [(pattern.anchors[0], pattern) for pattern in table.patterns if pattern.before is not None]
        self._rest = b""  # a begun escape sequence
        self._history = b""
        self._tail = b""
        self._unfinished = False  # what may be a pattern touches the end of what came
        self._last_ends: dict[str, int] = {}
        self._next_bell = first_offset

    def feed(self, data: bytes) -> list[Sighting]:
        data = self._rest + data
        self._rest = b""
        if data.endswith(b"\x1b"):
            data, self._rest = data[:-1], b"\x1b"
        if b"\x1b]" not in data and b"\x07" not in data:
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
        self._history = (self._history + sequence)[-HISTORY_BYTES:]
        number, _, text = (osc or b"").partition(b";")
        if number in (b"0", b"2"):
            yield Sighting("title", self.position, text.decode("utf-8", "replace"))
        elif number in (b"9", b"777", b"99"):
            yield Sighting("notice", self.position, text.decode("utf-8", "replace"))

    def _text(self, data: bytes, *, last: bool) -> list[Sighting]:
        start = self.position
        self.position = ByteOffset(start + len(data))
        reduced = self._tail + data.translate(None, _DROPPED)
        self._tail = reduced[-_TAIL:]
        sightings: list[Sighting] = []
        if self._unfinished or any(anchor in reduced for anchor in self._anchors) or self._has_near_anchor(data):
            sightings = self._read(data, start, last=last)
        self._history = (self._history + data)[-HISTORY_BYTES:] if len(data) < HISTORY_BYTES else data[-HISTORY_BYTES:]
        return sightings

    def _has_near_anchor(self, data: bytes) -> bool:
        for anchor, pattern in self._near:
            assert pattern.before is not None  # noqa: S101  by construction
            place = data.find(anchor)
            if place < 0:
                continue
            before = self._history[-_NEAR:]
            joined = before + data
            place += len(before)
            while place >= 0:
                context = joined[max(place - _NEAR, 0) : place]
                if pattern.before.search(context) or b"\x1b" in context[-16:]:
                    return True
                place = joined.find(anchor, place + 1)
        return False

    def _read(self, data: bytes, start: int, *, last: bool) -> list[Sighting]:
        """The careful search, in what came and a little before it."""
        window = self._history + data
        begun = window.rfind(b"\x1b")
        if begun >= 0 and not last and BEGUN_SEQUENCE.fullmatch(window, begun):
            window = window[:begun]
        plain = plain_text(window, start - len(self._history))
        text = plain.text
        if start > len(self._history) and text:
            text = "x" + text[1:]  # the window begins anywhere: not at the start of a line
        self._unfinished = False
        sightings: list[Sighting] = []
        for pattern in self._patterns:
            for hit in pattern.hits(text):
                if hit.end == len(text) and pattern.literal is None and not last:
                    self._unfinished = True
                    continue
                end = plain.raw_place(hit.end - 1) + 1
                if end > self._last_ends.get(pattern.name, -1):
                    self._last_ends[pattern.name] = end
                    sightings.append(Sighting("hit", ByteOffset(end), hit.value, hit))
        return sorted(sightings, key=lambda sighting: sighting.end)


def _reduced_anchors(patterns: tuple[Pattern, ...]) -> tuple[bytes, ...]:
    """Without doubles, and without those that stand within another."""
    reduced = {
        anchor.translate(None, _DROPPED) for pattern in patterns if pattern.before is None for anchor in pattern.anchors
    }
    return tuple(one for one in reduced if not any(other != one and other in one for other in reduced))
