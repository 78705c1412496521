"""Finds the strings that a program sends to the terminal itself (titles, notices) and its bells, in any chunking."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from remote_client.monitor.escapes import BEGUN_SEQUENCE, SEQUENCE, STRING_KEPT_BYTES

BELLS_APART_BYTES = 4096
ESCAPE = 0x1B
_TITLES = (b"0", b"2")
_NOTICES = (b"9", b"99", b"777")


@dataclass(frozen=True)
class Message:
    """`end` is the offset right after its last byte."""

    kind: Literal["title", "bell", "notice"]
    end: int
    text: str


class StringScanner:
    """Fed with all output. Of a flood of bells one is told."""

    def __init__(self) -> None:
        self._rest = b""  # a begun string
        self._next_bell = 0

    def feed(self, data: bytes, start: int) -> list[Message]:
        """`data` begins at offset `start`, where the last piece ended."""
        if not self._rest and b"]" not in data and b"\x07" not in data and not data.endswith(b"\x1b"):
            return []
        begin = start - len(self._rest)
        data, self._rest = self._rest + data, b""
        return list(self._walk(data, begin))

    def _walk(self, data: bytes, begin: int) -> Iterator[Message]:
        place = 0
        while (found := _introducer(data, place)) >= 0:
            yield from self._bells(data, place, found, begin)
            sequence = SEQUENCE.match(data, found)
            if sequence is not None:
                place = sequence.end()
                yield from self._message(sequence["osc"], begin + place)
            elif len(data) - found < STRING_KEPT_BYTES and BEGUN_SEQUENCE.fullmatch(data, found):
                self._rest = data[found:]
                return
            else:
                place = found + 2
        yield from self._bells(data, place, len(data), begin)
        if data.endswith(b"\x1b"):
            self._rest = b"\x1b"

    def _bells(self, data: bytes, place: int, end: int, begin: int) -> Iterator[Message]:
        while (bell := data.find(b"\x07", max(place, self._next_bell - begin), end)) >= 0:
            place = bell + 1
            self._next_bell = begin + bell + BELLS_APART_BYTES
            yield Message("bell", begin + place, "")

    def _message(self, osc: bytes | None, end: int) -> Iterator[Message]:
        number, _, text = (osc or b"").partition(b";")
        if number in _TITLES:
            yield Message("title", end, text.decode("utf-8", "replace"))
        elif number in _NOTICES:
            yield Message("notice", end, text.decode("utf-8", "replace"))


def _introducer(data: bytes, place: int) -> int:
    """Where the next string begins; -1: nowhere. The bracket is found at once, while escapes are everywhere."""
    bracket = data.find(b"]", place + 1)
    while bracket > place and data[bracket - 1] != ESCAPE:
        bracket = data.find(b"]", bracket + 1)
    return bracket - 1 if bracket > place else -1
