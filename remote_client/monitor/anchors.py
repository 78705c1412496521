"""Finds, cheaply, the few places in terminal output where a pattern may be, however escapes cut up its words.

What an escape sequence inside a word is made of is left out of the output and of the patterns' anchors alike, so that
each anchor stands in one piece: one pass that drops bytes and a few plain searches are enough, at memory speed.
"""

from collections.abc import Iterable, Iterator, Sequence

from remote_client.monitor.patterns import Pattern

_ESCAPES = bytes(range(0x21)) + b"\x7f\x1b[0123456789;:<=>?ABCDEFGHJKPX@dfhlmsu"
TAIL = 256
NEAR = 64
SPOTS = 8
"""With more of them, the whole piece is to be read with care."""


class AnchorSearch:
    """Fed with one piece after the other; remembers enough of what came before to find what two pieces share."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        plain = [pattern for pattern in patterns if pattern.before is None]
        # What stands in no anchor is dropped as well, which leaves little to search.
        kept = {byte for pattern in plain for word in (*pattern.anchors, pattern.needs) for byte in word}
        self._dropped = bytes(set(range(256)) - kept | set(_ESCAPES))
        self._groups = [
            (needs.translate(None, self._dropped), self._reduced(one for one in plain if one.needs == needs))
            for needs in {pattern.needs for pattern in plain}
        ]
        self._literals = self._reduced(pattern for pattern in plain if pattern.literal is not None)
        self._near = NearAnchors(patterns)
        self._tail = b""

    def spots(self, data: bytes) -> list[int]:
        """Where in `data` to look, in order; 0 also for what began before it. Seldom any."""
        reduced = self._tail + data.translate(None, self._dropped)
        found: list[int] = []
        for needs, anchors in self._groups:
            if needs in reduced:
                for anchor in anchors:
                    if anchor in reduced:
                        found += self._places(data, reduced, anchor)
        found += self._near.spots(data)
        # A literal that was found is whole: it is not looked for again with the next piece.
        self._tail = reduced[max((_end_of(word, reduced) for word in self._literals), default=0) :][-TAIL:]
        return sorted(found)

    def _reduced(self, patterns: Iterable[Pattern]) -> list[bytes]:
        """Without doubles, and without those that contain another."""
        words = {word.translate(None, self._dropped) for pattern in patterns for word in pattern.anchors}
        return [one for one in words if not any(other != one and other in one for other in words)]

    def _places(self, data: bytes, reduced: bytes, anchor: bytes) -> Iterator[int]:
        place = reduced.find(anchor)
        for _ in range(SPOTS + 1):
            if place < 0:
                return
            yield self._raw_place(data, place - len(self._tail))
            place = reduced.find(anchor, place + 1)

    def _raw_place(self, data: bytes, place: int) -> int:
        """Where the byte at `place` of the reduced data comes from, to within some bytes."""
        begin, end = 0, len(data)
        while end - begin > NEAR and place > 0:
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

    def spots(self, data: bytes) -> list[int]:
        found = list(self._places(data))
        self._last_bytes = (self._last_bytes + data[-NEAR:])[-NEAR:]
        return found

    def _places(self, data: bytes) -> Iterator[int]:
        for anchor, before in self._anchors:
            if anchor not in data:
                continue
            joined = self._last_bytes + data
            place = joined.find(anchor, len(self._last_bytes))
            while place >= 0:
                context = joined[max(place - NEAR, 0) : place]
                begins_string = anchor == b"]" and context.endswith(b"\x1b")
                if not begins_string and (before.search(context) or b"\x1b" in context[-16:]):
                    yield place - len(self._last_bytes)
                place = joined.find(anchor, place + 1)


def _end_of(word: bytes, text: bytes) -> int:
    place = text.rfind(word)
    return place + len(word) if place >= 0 else 0
