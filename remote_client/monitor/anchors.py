"""Finds, cheaply, the few places in terminal output where a pattern may be, however escapes cut up its words.

What an escape sequence inside a word is made of is left out of the output and of the patterns' anchors alike, so that
each anchor stands in one piece: one pass that drops bytes and a few plain searches are enough, at memory speed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from remote_client.monitor.escapes import plain_text
from remote_client.monitor.patterns import Pattern

_ESCAPES = bytes(range(0x21)) + b"\x7f\x1b[0123456789;:<=>?ABCDEFGHJKPX@dfhlmsu"
TAIL = 256
NEAR = 64
CONTEXT = 256
"""What stands right before an anchor, with all escapes in it, is not longer."""
CLOSE = 16
ESCAPE = 0x1B
SPOTS = 16
"""After so many of one anchor, the rest of the piece is to be read with care."""
REST_APART = 1024


class Spot(NamedTuple):
    """`place`: of the last byte of what was found. `literal`: the one pattern whose whole text may be there, and none
    of another."""

    place: int
    literal: Pattern | None = None


class AnchorSearch:
    """Fed with one piece after the other; remembers enough of what came before to find what two pieces share."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        plain = [pattern for pattern in patterns if pattern.before is None]
        # What stands in no anchor is dropped as well, which leaves little to search.
        kept = {byte for pattern in plain for word in (*pattern.anchors, pattern.needs) for byte in word}
        self._dropped = bytes(set(range(256)) - kept | set(_ESCAPES))
        self._literals = literals_by_word((one for one in plain if one.literal is not None), self._reduced)
        others = [pattern for pattern in plain if pattern.literal is None]
        self._groups = [
            (
                self._reduced(needs),
                _shortest(literals_by_word((one for one in others if one.needs == needs), self._reduced)),
            )
            for needs in {pattern.needs for pattern in others}
        ]
        self._near = NearAnchors(patterns)
        self._tail = b""

    def spots(self, data: bytes) -> list[Spot]:
        """Where in `data` to look, in order; 0 also for what began before it. Seldom any."""
        reduced = self._tail + data.translate(None, self._dropped)
        found = self._near.spots(data)
        whole = 0
        for word, literal in self._literals.items():
            if word in reduced:
                found += self._spots_of(word, literal, data, reduced)
                whole = max(whole, reduced.rfind(word) + len(word))
        for needs, anchors in self._groups:
            if needs in reduced:
                for anchor in anchors:
                    if anchor in reduced:
                        found += self._spots_of(anchor, None, data, reduced)
        # A literal that was found is whole: it is not looked for again with the next piece.
        self._tail = reduced[whole:][-TAIL:]
        return in_order(found)

    def _reduced(self, word: bytes) -> bytes:
        return word.translate(None, self._dropped)

    def _spots_of(self, anchor: bytes, literal: Pattern | None, data: bytes, reduced: bytes) -> list[Spot]:
        found: list[Spot] = []
        place = reduced.find(anchor)
        while place >= 0:
            raw = self._raw_place(data, place + len(anchor) - 1 - len(self._tail))
            if len(found) == SPOTS:
                return found + [Spot(at) for at in (*range(raw, len(data), REST_APART), len(data) - 1)]
            found.append(Spot(raw, literal))
            place = reduced.find(anchor, place + 1)
        return found

    def _raw_place(self, data: bytes, place: int) -> int:
        """Where the byte at `place` of the reduced data comes from."""
        if place < 0:
            return 0
        begin, end = 0, len(data)
        while end - begin > 1:
            middle = (begin + end) // 2
            kept = len(data[begin:middle].translate(None, self._dropped))
            if kept > place:
                end = middle
            else:
                begin = middle
                place -= kept
        return begin


class NearAnchors:
    """Looks for anchors that are common, and count only with the right thing before them."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._anchors = [(pattern.anchors[0], pattern.before) for pattern in patterns if pattern.before is not None]
        self._last_bytes = b""

    def spots(self, data: bytes) -> list[Spot]:
        found = [Spot(place) for place in self._places(data)]
        self._last_bytes = (self._last_bytes + data[-CONTEXT:])[-CONTEXT:]
        return found

    def _places(self, data: bytes) -> Iterator[int]:
        for anchor, before in self._anchors:
            cut_up = 0
            place = data.find(anchor)
            while place >= 0:
                close = self._context(data, place, NEAR)
                # What follows an escape character is no text.
                if not close.endswith(b"\x1b"):
                    if before.search(close) is not None:
                        yield place
                    elif b"\x1b" in close[-CLOSE:]:
                        # With many of them, to look at the whole piece is cheaper than at what is before each.
                        cut_up += 1
                        if cut_up > SPOTS or before.search(_visible(self._context(data, place, CONTEXT))):
                            yield place
                place = data.find(anchor, place + 1)

    def _context(self, data: bytes, place: int, size: int) -> bytes:
        return data[place - size : place] if place >= size else (self._last_bytes + data[:place])[-size:]


def _visible(data: bytes) -> bytes:
    return plain_text(data).encode("latin-1")


def in_order(spots: list[Spot]) -> list[Spot]:
    return sorted(spots, key=lambda spot: spot.place) if len(spots) > 1 else spots


def literals_by_word(patterns: Iterable[Pattern], form: Callable[[bytes], bytes]) -> dict[bytes, Pattern | None]:
    """Each anchor in the form in which it is searched for, and the literal that it is; None: of more or of another."""
    found: dict[bytes, Pattern | None] = {}
    for pattern in patterns:
        for word in map(form, pattern.anchors):
            found[word] = pattern if pattern.literal is not None and word not in found else None
    return found


def _shortest(words: Iterable[bytes]) -> list[bytes]:
    """Without those that contain another."""
    return [one for one in words if not any(other != one and other in one for other in words)]
