"""The grammar of terminal output, in bytes: which sequences there are, and what a reader makes of them."""

import re
from bisect import bisect_right
from dataclasses import dataclass

STRING_KEPT_BYTES = 4096
"""An OSC, DCS, APC or PM string that is longer is not one: its introducer is skipped."""

_STRING_END = rb"(?:\x07|\x1b\\)"
SEQUENCE = re.compile(
    rb"\x1b(?:"
    rb"\](?P<osc>[^\x07\x1b]{0,%d})%b"
    % (STRING_KEPT_BYTES, _STRING_END)
    + rb"|[PX^_][^\x07\x1b]{0,%d}%b" % (STRING_KEPT_BYTES, _STRING_END)
    + rb"|\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    rb"|(?P<short>[ -/]*[0-OQ-WYZ\\`-~])"
    rb")"
)
BEGUN_SEQUENCE = re.compile(rb"\x1b(?:\][^\x07\x1b]*\x1b?|[PX^_][^\x07\x1b]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)")
"""An escape sequence that may go on in bytes still to come."""

_NOT_TEXT = re.compile(SEQUENCE.pattern + rb"|[\x00-\x1f\x7f]")
_SPACES_BETWEEN = frozenset(b"CG`aI")
_ROWS_BETWEEN = frozenset(b"ABEFHJSTLMdfr")


@dataclass(frozen=True)
class PlainText:
    """What remains of terminal output when its escapes are read as a person's eye would: gaps and line ends.

    One byte became one character (latin-1), so that places can be told.
    """

    text: str
    _text_starts: list[int]
    _raw_starts: list[int]

    def raw_place(self, place: int) -> int:
        """Where in the output the character at `place` begins."""
        index = bisect_right(self._text_starts, place) - 1
        return self._raw_starts[index] + place - self._text_starts[index]


def plain_text(data: bytes, start: int) -> PlainText:
    """`data` begins at offset `start` of the output."""
    pieces: list[bytes] = []
    text_starts: list[int] = [0]
    raw_starts: list[int] = [start]
    size = 0
    place = 0
    for found in _NOT_TEXT.finditer(data):
        gap = _what_it_leaves(found)
        begin, end = found.span()
        if begin > place:
            text_starts.append(size)
            raw_starts.append(start + place)
            pieces.append(data[place:begin])
            size += begin - place
        if gap:
            text_starts.append(size)
            raw_starts.append(start + begin)
            pieces.append(gap)
            size += 1
        place = end
    if place < len(data):
        text_starts.append(size)
        raw_starts.append(start + place)
        pieces.append(data[place:])
    return PlainText(b"".join(pieces).decode("latin-1"), text_starts, raw_starts)


def _what_it_leaves(found: re.Match[bytes]) -> bytes:
    final = found["final"]
    if final is not None:
        if final[0] in _SPACES_BETWEEN:
            return b" "
        return b"\n" if final[0] in _ROWS_BETWEEN else b""
    if found["short"] is not None:
        return b"\n" if found["short"] in (b"c", b"D", b"E", b"M") else b""
    control = found[0]
    if control in (b"\n", b"\r", b"\x0b", b"\x0c"):
        return b"\n"
    return b" " if control == b"\t" else b""
