"""Finds the strings that a program sends to the terminal itself (titles, notices) and its bells, in any chunking."""

from remote_client.monitor.escapes import BEGUN_SEQUENCE, SEQUENCE, STRING_KEPT_BYTES
from remote_client.monitor.sightings import Sighting
from shared.ids import ByteOffset

BELLS_APART_BYTES = 4096
ESCAPE = 0x1B
_TITLES = (b"0", b"2")
_NOTICES = (b"9", b"99", b"777")


class StringScanner:
    """Fed with all output. Of a flood of bells one is told."""

    def __init__(self) -> None:
        self._rest = b""  # a begun string
        self._next_bell = 0

    def feed(self, data: bytes, start: int) -> list[Sighting]:
        """`data` begins at offset `start`, where the last piece ended."""
        if not self._rest and b"]" not in data and b"\x07" not in data and not data.endswith(b"\x1b"):
            return []
        begin = start - len(self._rest)
        data, self._rest = self._rest + data, b""
        found: list[Sighting] = []
        place = 0
        while (string := _introducer(data, place)) >= 0:
            found += self._bells(data, place, string, begin)
            sequence = SEQUENCE.match(data, string)
            if sequence is not None:
                place = sequence.end()
                if (told := _told(sequence["osc"], ByteOffset(begin + place))) is not None:
                    found.append(told)
            elif len(data) - string < STRING_KEPT_BYTES and BEGUN_SEQUENCE.fullmatch(data, string):
                self._rest = data[string:]
                return found
            else:
                place = string + 2
        found += self._bells(data, place, len(data), begin)
        if data.endswith(b"\x1b"):
            self._rest = b"\x1b"
        return found

    def _bells(self, data: bytes, place: int, end: int, begin: int) -> list[Sighting]:
        found: list[Sighting] = []
        while (bell := data.find(b"\x07", max(place, self._next_bell - begin), end)) >= 0:
            place = bell + 1
            self._next_bell = begin + bell + BELLS_APART_BYTES
            found.append(Sighting("bell", ByteOffset(begin + place), ""))
        return found


def _told(osc: bytes | None, end: ByteOffset) -> Sighting | None:
    number, _, text = (osc or b"").partition(b";")
    if number in _TITLES:
        return Sighting("title", end, text.decode("utf-8", "replace"))
    if number in _NOTICES:
        return Sighting("notice", end, text.decode("utf-8", "replace"))
    return None


def _introducer(data: bytes, place: int) -> int:
    """Where the next string begins; -1: nowhere. The bracket is found at once, while escapes are everywhere."""
    bracket = data.find(b"]", place + 1)
    while bracket > place and data[bracket - 1] != ESCAPE:
        bracket = data.find(b"]", bracket + 1)
    return bracket - 1 if bracket > place else -1
