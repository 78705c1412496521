"""An asciicast v2 recording as bytes, keys and sizes in time. Where it comes from is not known here."""

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from shared.errors import InvalidPayload

EventKind = Literal["output", "input", "resize", "exit"]
_KINDS: dict[str, EventKind] = {"o": "output", "i": "input", "r": "resize", "x": "exit"}


@dataclass(frozen=True)
class Event:
    """`time` in seconds since the recording began; `data` as the terminal had it."""

    time: float
    kind: EventKind
    data: bytes


@dataclass(frozen=True)
class Recording:
    """`cut_off`: its last line is not whole, as when the recorder was killed."""

    cols: int
    rows: int
    events: list[Event]
    cut_off: bool

    def output_in_pieces_of(self, size: int) -> "Recording":
        """The same with all output between two other events joined, and cut into pieces of `size` bytes (0: not cut).

        A piece comes when its last byte came.
        """
        return Recording(self.cols, self.rows, list(_cut(self.events, size)), self.cut_off)


def read_recording(text: str) -> Recording:
    """
    Raises:
        InvalidPayload: this is no asciicast v2.
    """
    lines = [line for line in text.split("\n") if line.strip()]  # splitlines would split within events, too
    header = _parsed(lines[0]) if lines else None
    if not isinstance(header, dict):
        raise InvalidPayload("this is no recording: its first line is not the header of an asciicast")
    header = cast(dict[str, Any], header)
    if header.get("version") != 2:
        raise InvalidPayload(f"this recording is of version {header.get('version')!r}, not asciicast v2")
    cols, rows = header.get("width"), header.get("height")
    if not isinstance(cols, int) or not isinstance(rows, int) or cols < 1 or rows < 1:
        raise InvalidPayload("the header of this recording does not tell its width and height")
    told: list[tuple[float, EventKind, str]] = []
    cut_off = False
    for number, line in enumerate(lines[1:], start=2):
        event = _event(_parsed(line))
        if event is None and number == len(lines):
            cut_off = True
        elif event is None:
            raise InvalidPayload(f"line {number} of this recording is no event: [time, kind, text] is expected")
        elif event[1] in _KINDS:
            told.append((event[0], _KINDS[event[1]], event[2]))
    encoding = _encoding_of([text for _, kind, text in told if kind == "output"])
    events = [Event(time, kind, text.encode(encoding, "replace")) for time, kind, text in told]
    return Recording(cols, rows, events, cut_off)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _event(parsed: Any) -> tuple[float, str, str] | None:
    if not isinstance(parsed, list):
        return None
    parts = cast(list[Any], parsed)
    if len(parts) < 3 or not isinstance(parts[0], int | float) or not all(isinstance(one, str) for one in parts[1:3]):
        return None
    return float(parts[0]), parts[1], parts[2]


def _encoding_of(texts: Iterable[str]) -> str:
    """Some recorders write each byte as the character of its number, so that nothing is lost; most write text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoded = "".join(decoder.decode(text.encode("latin-1")) for text in texts)
    except UnicodeError:
        return "utf-8"
    begun, _ = decoder.getstate()
    return "utf-8" if begun and decoded.isascii() else "latin-1"


def _cut(events: list[Event], size: int) -> Iterator[Event]:
    waiting = b""
    time = 0.0
    for event in events:
        if event.kind != "output":
            if waiting:
                yield Event(time, "output", waiting)
            waiting = b""
            yield event
            continue
        waiting += event.data
        time = event.time
        while size and len(waiting) >= size:
            yield Event(time, "output", waiting[:size])
            waiting = waiting[size:]
    if waiting:
        yield Event(time, "output", waiting)
