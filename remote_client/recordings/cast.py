"""Writes an asciicast v2: output, sizes, and as markers what else a person should know. Never what was typed.

What a person types may be a password, which the terminal does not show; what it shows is here anyway.
"""

import codecs
import json
from typing import Any, TextIO

from remote_client.recordings.spooled import Ended, Gap, Happened, Output, Resized, TakenOver


class CastWriter:
    """`began`: Unix time. What is no UTF-8 becomes U+FFFD; a character that came in pieces stays whole."""

    def __init__(self, file: TextIO, began: float, size: tuple[int, int], title: str) -> None:
        self._file = file
        self._began = began
        self._last = 0.0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        cols, rows = size
        header = {"version": 2, "width": cols, "height": rows, "timestamp": int(began), "title": title}
        self._line(header | {"env": {"TERM": "xterm-256color"}})

    def write(self, happened: Happened) -> None:
        self._last = max(self._last, happened.at - self._began)
        match happened:
            case Output():
                self._event("o", self._decoder.decode(happened.data))
            case Resized():
                self._event("r", f"{happened.cols}x{happened.rows}")
            case Gap():
                self._event("o", self._decoder.decode(b"", final=True))
                self._event("m", f"{happened.size} bytes were not kept")
            case TakenOver():
                self._event("m", f"{happened.by} types")
            case Ended():
                self._event("o", self._decoder.decode(b"", final=True))
                if happened.exit.status is not None:
                    self._event("x", str(happened.exit.status))
                else:
                    self._event("m", str(happened.exit))

    def _event(self, kind: str, text: str) -> None:
        if text:
            self._line([round(self._last, 6), kind, text])

    def _line(self, value: Any) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) + "\n")
