"""Makes out of the bytes typed into an agent what they mean to it: prompts that are sent, and interrupts."""

import re
from dataclasses import dataclass
from typing import Literal

_PASTE = re.compile(rb"\x1b\[200~(.*?)\x1b\[201~", re.DOTALL)
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\[O\x1b])", re.DOTALL)
_SHIFT_ENTER = (b"\x1b\r", b"\x1b\n")
PASTE_BEGINS = b"\x1b[200~"
ESCAPE_KEY = b"\x1b"
KEPT_BYTES = 1_000_000

KeyKind = Literal["submit", "escape", "ctrl-c", "clear"]


@dataclass(frozen=True)
class Key:
    """`text` is what was sent by a `submit`: what was typed since the last one, as far as it can be told."""

    kind: KeyKind
    text: str = ""


class KeyReader:
    """Remembers what was typed and not yet sent."""

    def __init__(self) -> None:
        self._typed = bytearray()
        self._paste = b""

    def read(self, data: bytes) -> list[Key]:
        data, self._paste = self._paste + data, b""
        begun = data.rfind(PASTE_BEGINS)
        if begun >= 0 and b"\x1b[201~" not in data[begun:] and len(data) < KEPT_BYTES:
            data, self._paste = data[:begun], data[begun:]
        keys: list[Key] = []
        place = 0
        while place < len(data):
            paste = _PASTE.match(data, place)
            if paste is not None:
                self._typed += paste[1]
                place = paste.end()
                continue
            sequence = _SEQUENCE.match(data, place)
            if sequence is not None:
                if sequence[0] in _SHIFT_ENTER:
                    self._typed += b"\n"
                place = sequence.end()
                continue
            keys += self._key(data[place : place + 1])
            place += 1
        del self._typed[:-KEPT_BYTES]
        return keys

    def _key(self, byte: bytes) -> list[Key]:
        if byte == b"\r":
            text = self._typed.decode("utf-8", "replace").strip()
            self._typed.clear()
            return [Key("submit", text)]
        if byte == ESCAPE_KEY:
            return [Key("escape")]
        if byte in b"\x03":
            self._typed.clear()
            return [Key("ctrl-c")]
        if byte in b"\x15":
            self._typed.clear()
            return [Key("clear")]
        if byte in b"\x7f\x08":
            del self._typed[-1:]
        elif byte >= b" " or byte in b"\n\t":
            self._typed += byte
        return []
