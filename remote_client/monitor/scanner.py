"""One pass over a terminal's output: each title, bell and pattern once, by absolute offset, whatever the chunking.

Looks at the bytes alone: what is echo, repainted or quoted is told apart by whoever knows the screen and the turn.
"""

from collections import deque
from collections.abc import Iterator

from remote_client.monitor.anchors import NEAR, Spot
from remote_client.monitor.escapes import BEGUN_SEQUENCE, plain_text, raw_place, raw_places
from remote_client.monitor.patterns import Hit, Pattern, PatternTable
from remote_client.monitor.search import MakeSearch, best_search
from remote_client.monitor.sightings import Sighting
from remote_client.monitor.strings import StringScanner
from remote_client.terminals import FIRST_BYTE
from shared.ids import ByteOffset

HISTORY_BYTES = 2048
"""A pattern, with all escapes in it, is not longer."""
AFTER_BYTES = 512
"""So much is read after an anchor at first; more when a pattern reaches to there."""
GOES_ON_BYTES = 256
"""What belongs to an anchor may come so much later."""

CLOSE_LOOKS = 48
"""With more spots than these in one piece, a wider look at all of them is cheaper."""
LITERAL_BYTES = 256
"""A literal is nearly always found whole in so much before and after."""


class StreamScanner:
    """Takes bytes in, gives sightings out, in the order in which they end within each piece."""

    def __init__(
        self, table: PatternTable, first_offset: ByteOffset = FIRST_BYTE, search: MakeSearch = best_search
    ) -> None:
        self.position = first_offset
        self._patterns = table.patterns
        self._search_for_anchors = search(table.patterns)
        self._strings = StringScanner()
        self._history: deque[bytes] = deque()
        self._history_bytes = 0
        self._goes_on_until = 0
        self._unfinished = False  # what may be a pattern touches the end of what came
        self._last_ends: dict[str, int] = {}

    def feed(self, data: bytes) -> list[Sighting]:
        start = self.position
        self.position = ByteOffset(start + len(data))
        found = self._strings.feed(data, start)
        spots = self._search_for_anchors.spots(data)
        goes_on = self._unfinished or start < self._goes_on_until
        if spots:
            self._goes_on_until = start + spots[-1].place + GOES_ON_BYTES
        if goes_on:
            spots.insert(0, Spot(0))
        if spots:
            found += self._read_near(spots, data, start, last=False)
            found.sort(key=lambda sighting: sighting.end)
        self._history.append(data)
        self._history_bytes += len(data)
        while self._history_bytes - len(self._history[0]) >= HISTORY_BYTES:
            self._history_bytes -= len(self._history.popleft())
        return found

    def flush(self) -> list[Sighting]:
        """Nothing more will come soon: what touches the end is taken as it is."""
        return list(self._read_near([Spot(0)], b"", self.position, last=True)) if self._unfinished else []

    def _read_near(self, spots: list[Spot], data: bytes, start: int, *, last: bool) -> Iterator[Sighting]:
        """The careful search, around the places where something may be."""
        history = b"".join(self._history)[-HISTORY_BYTES:]
        window = history + data
        window_start = start - len(history)
        self._unfinished = False
        read_to = 0
        close = len(spots) <= CLOSE_LOOKS
        for number, spot in enumerate(spots):
            place = spot.place + len(history)
            if place + AFTER_BYTES // 2 <= read_to:
                continue
            if spot.literal is not None and close:
                hit, reached = self._read_literal(spot.literal, window, place)
                if hit is not None:
                    yield from self._told_once(hit, window_start + reached)
                    continue
            # Spots so close that they would share what is read are read together.
            last_place = place
            for other in spots[number + 1 :]:
                if other.place + len(history) - HISTORY_BYTES > last_place + AFTER_BYTES:
                    break
                last_place = other.place + len(history)
            begin = max(place - HISTORY_BYTES, 0)
            is_start = window_start + begin == 0
            read_to, part, text, hits = self._read(window, begin, last_place + AFTER_BYTES, is_start, last)
            ends = sorted({hit.end - 1 for hit in hits})
            raw = dict(zip(ends, raw_places(part, ends, len(text)), strict=True))
            for hit in hits:
                if hit.end == len(text) and hit.pattern.literal is None and not last:
                    self._unfinished = True
                    continue
                reached = window_start + begin + raw[hit.end - 1] + 1
                # What ended well before this spot was read at a spot of its own.
                if reached > window_start + place - NEAR:
                    yield from self._told_once(hit, reached)

    def _read(
        self, window: bytes, begin: int, end: int, is_start: bool, last: bool
    ) -> tuple[int, bytes, str, list[Hit]]:
        """What is found from `begin` to `end`, or further when it goes on there; and how far it was read."""
        while True:
            end = min(end, len(window))
            part, text = _text_of(window[begin:end], is_start=is_start, last=last)
            hits = [hit for pattern in self._patterns for hit in pattern.hits(text)]
            if end == len(window) or all(hit.end < len(text) for hit in hits):
                return end, part, text, hits
            end += end - begin

    def _read_literal(self, literal: Pattern, window: bytes, place: int) -> tuple[Hit | None, int]:
        """The one that this place is in, and where it ends; no hit: a wider look is needed."""
        begin = max(place - LITERAL_BYTES, 0)
        escape = window.rfind(b"\x1b", max(begin - HISTORY_BYTES, 0), begin)
        if escape >= 0 and BEGUN_SEQUENCE.fullmatch(window, escape, begin):
            begin = escape  # what is inside of it is no text
        part, text = _text_of(window[begin : place + LITERAL_BYTES], is_start=False, last=False)
        for hit in literal.hits(text):
            reached = begin + raw_place(part, hit.end - 1, len(text)) + 1
            # Its beginning needs no search where its bare length reaches back to the place.
            if place < reached and (
                reached - len(hit.value) <= place or begin + raw_place(part, hit.start, len(text)) <= place
            ):
                return hit, reached
        return None, 0

    def _told_once(self, hit: Hit, reached: int) -> Iterator[Sighting]:
        if reached > self._last_ends.get(hit.pattern.name, -1):
            self._last_ends[hit.pattern.name] = reached
            yield Sighting("hit", ByteOffset(reached), hit.value, hit)


def _text_of(part: bytes, *, is_start: bool, last: bool) -> tuple[bytes, str]:
    """What is shown by it, and what of it that took: an escape sequence that its end cuts counts with what follows."""
    begun = part.rfind(b"\x1b")
    if begun >= 0 and not last and BEGUN_SEQUENCE.fullmatch(part, begun):
        part = part[:begun]
    text = plain_text(part)
    if text and not is_start:
        text = "x" + text[1:]  # this part begins anywhere: not at the start of a line
    return part, text
