"""The grammar of terminal output, in bytes: which sequences there are, and what a reader makes of them."""

import re

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
    """Where in `data` the character at `place` of its plain text, of so many characters, comes from.

    Looks from the end, where what was found nearly always is.
    """
    end = len(data)
    while (begin := data.rfind(b"\x1b[", 1, max(end - NEAR_BYTES, 0))) > 0:
        before = characters - len(plain_text(data[begin:end]))
        if before <= place:
            return begin + _raw_place_near(data[begin:end], place - before)
        characters, end = before, begin
    return _raw_place_near(data[:end], place)


def _raw_place_near(data: bytes, place: int) -> int:
    raw = 0
    for found in _ANY.finditer(data):
        if place < found.start() - raw:
            break
        place -= found.start() - raw
        raw = found.end()
        if found["space"] is not None or found["end"] is not None:
            if place == 0:
                return found.start()
            place -= 1
    return raw + place
