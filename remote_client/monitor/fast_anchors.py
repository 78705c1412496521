"""What `anchors` does, by Hyperscan (the extra `fast`). It follows the stream itself: nothing is kept from before."""

import re
import weakref
from collections.abc import Sequence
from functools import lru_cache

import hyperscan

from remote_client.monitor.anchors import NearAnchors, Spot, in_order, literals_by_word
from remote_client.monitor.patterns import Pattern

_GAP = rb"(?:[\x00-\x1a\x1c-\x20\x7f]|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-OQ-WYZ\\`-~])*"
"""What a terminal may put between two characters of a word."""
_EDGES = b"[]"
"""Every escape sequence has them: a word is found much sooner without."""


class FastAnchorSearch:
    """The same as AnchorSearch, in what it takes and gives."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        literals = literals_by_word((one for one in patterns if one.before is None), _cut_up)
        expressions = tuple(sorted(literals))
        database = _database(expressions)
        found: list[tuple[int, Pattern | None]] = []

        def take(expression: int, _start: int, end: int, _flags: int, _context: object) -> None:
            found.append((end, literals[expressions[expression]]))

        self._found = found
        self._near = NearAnchors(patterns)
        self._read = 0
        self._stream = database.stream(match_event_handler=take)
        self._stream.__enter__()
        # The stream itself keeps neither of the two alive, and is never closed by itself.
        weakref.finalize(self, _close, self._stream, database, take)

    def spots(self, data: bytes) -> list[Spot]:
        """Where in `data` to look, in order. Seldom any."""
        self._stream.scan(data)
        spots = self._near.spots(data)
        if self._found:
            spots += [Spot(max(end - self._read - 1, 0), literal) for end, literal in self._found]
            self._found.clear()
        self._read += len(data)
        return in_order(spots)


def _close(stream: hyperscan.Stream, _database: object, _handler: object) -> None:
    stream.close()


def _cut_up(word: bytes) -> bytes:
    return _GAP.join(re.escape(bytes([byte])) for byte in word.strip(_EDGES) or word)


@lru_cache
def _database(expressions: tuple[bytes, ...]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_STREAM)
    ids = tuple(range(len(expressions)))
    database.compile(expressions=expressions, ids=ids, flags=hyperscan.HS_FLAG_DOTALL)
    return database
