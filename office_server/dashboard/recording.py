"""A session's output as a recording: what was put out when, and the moments worth jumping to. No I/O."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from office_server.backend.pages import SessionEvent, TimedChunk
from shared.terminal_text import TerminalText

_LONGEST_PAUSE_SECONDS = 3.0
"""Nobody wants to watch a terminal in which nothing happens."""


@dataclass(frozen=True)
class Moment:
    """Something that happened at `seconds` of the recording."""

    seconds: float
    kind: str
    at: datetime
    detail: Mapping[str, Any]


class Recording:
    """Long pauses are shortened; `seconds` are those of the recording, not of the clock."""

    def __init__(self, chunks: Sequence[TimedChunk], events: Sequence[SessionEvent]) -> None:
        self._chunks = list(chunks)
        self._seconds: list[float] = []
        now = 0.0
        for place, chunk in enumerate(self._chunks):
            if place:
                pause = (chunk.at - self._chunks[place - 1].at).total_seconds()
                now += min(max(pause, 0.0), _LONGEST_PAUSE_SECONDS)
            self._seconds.append(now)
        self.length_seconds = now
        found = [Moment(self._second_of(event.at), event.kind, event.at, event.detail) for event in reversed(events)]
        self.moments = sorted(found, key=lambda moment: moment.at)
        """In the order in which they happened; of commits one learns later."""

    @property
    def is_empty(self) -> bool:
        return not self._chunks

    def between(self, after: float, until: float) -> str:
        """What was put out after one second and until another; from before the first with `after` below 0."""
        return "".join(chunk.text for chunk, at in zip(self._chunks, self._seconds, strict=True) if after < at <= until)

    def text(self, agent: str) -> str:
        """All of it as lines to read."""
        reader = TerminalText(agent, shells=True)
        return reader.feed("".join(chunk.text for chunk in self._chunks)) + reader.finish()

    def asciicast(self, cols: int, rows: int, title: str) -> str:
        """An asciicast v2 file, with the true times."""
        if not self._chunks:
            return ""
        began = self._chunks[0].at
        head = {"version": 2, "width": cols, "height": rows, "timestamp": int(began.timestamp()), "title": title}
        told = [[round((chunk.at - began).total_seconds(), 3), "o", chunk.text] for chunk in self._chunks]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in [head, *told])

    def _second_of(self, at: datetime) -> float:
        """Where in the recording something is that happened at `at`: with the last output before it."""
        found = 0.0
        for chunk, second in zip(self._chunks, self._seconds, strict=True):
            if chunk.at > at:
                break
            found = second
        return found
