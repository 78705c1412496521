"""The grammar of terminal output, in bytes: which sequences there are, and what a reader makes of them."""

import re
from collections.abc import Iterator, Sequence

STRING_KEPT_BYTES = 4096
"""An OSC, DCS, APC or PM string that is longer is not one: its introducer is skipped."""

NEAR_BYTES = 256
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

_ALL_BUT_CSI = rb"\x1b(?:\][^\x07\x1b]{0,%d}%b|[PX^_][^\x07\x1b]{0,%d}%b|[ -/]*[0-OQ-WYZ\\`-~])" % (
    STRING_KEPT_BYTES,
    _STRING_END,
    STRING_KEPT_BYTES,
    _STRING_END,
)
_SPACES = re.compile(rb"\x1b\[[0-?]*[ -/]*[CGaI`]|\t")
_LINE_ENDS = re.compile(rb"\x1b\[[0-?]*[ -/]*[ABEFHJSTLMdfr]|\x1b[cDEM]|[\n\r\x0b\x0c]")
_NOTHING = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|" + _ALL_BUT_CSI + rb"|[\x00-\x09\x0e-\x1f\x7f]")
_ANY = re.compile(rb"(?P<space>" + _SPACES.pattern + rb")|(?P<end>" + _LINE_ENDS.pattern + rb")|" + _NOTHING.pattern)


def plain_text(data: bytes) -> str:
    """What remains of terminal output when its escapes are read as a person's eye would: gaps and line ends.

    One byte became one character (latin-1), so that places can be told.
    """
    return _NOTHING.sub(b"", _LINE_ENDS.sub(b"\n", _SPACES.sub(b" ", data))).decode("latin-1")


def raw_place(data: bytes, place: int, characters: int) -> int:
    """Where in `data` the character at `place` of its plain text, of so many characters, comes from."""
    return raw_places(data, [place], characters)[0]


def raw_places(data: bytes, places: Sequence[int], characters: int) -> list[int]:
    """The same for many places, in order.

    Looks from the end, where what was found nearly always is.
    """
    found: list[int] = []
    waiting = list(places)
    end = len(data)
    while waiting:
        begin = max(data.rfind(b"\x1b[", 1, max(end - NEAR_BYTES, 0)), 0)
        before = characters - len(plain_text(data[begin:end])) if begin else 0
        here: list[int] = []
        while waiting and (waiting[-1] >= before or not begin):
            here.append(waiting.pop() - before)
        if here:
            found[:0] = [begin + raw for raw in _raw_places_near(data[begin:end], here[::-1])]
        characters, end = before, begin
    return found


def _raw_places_near(data: bytes, places: Sequence[int]) -> Iterator[int]:
    sequences = _ANY.finditer(data)
    sequence = next(sequences, None)
    raw = text = 0  # so much of either is passed
    for place in places:
        while sequence is not None and place - text >= sequence.start() - raw:
            if sequence.lastgroup is not None and place - text == sequence.start() - raw:
                break  # it stands for this character
            text += sequence.start() - raw + (sequence.lastgroup is not None)
            raw = sequence.end()
            sequence = next(sequences, None)
        yield raw + place - text
