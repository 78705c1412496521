"""The last bytes of a terminal, by absolute offset. Bounded: what falls out is gone."""

from collections import deque

from remote_client.terminals import FIRST_BYTE, Chunk
from shared.ids import ByteOffset

PAGES = 128
"""About so many; small reads share one: kept one by one, they would leave a long-lived host's memory full of holes. A
whole read of a terminal, in a ring beside a disk, is a page of its own, and is not copied."""


class OutputRing:
    """Drops whole pages, so that it keeps up to one more than it must."""

    def __init__(self, keep_bytes: int, first_offset: ByteOffset = FIRST_BYTE) -> None:
        self._keep_bytes = keep_bytes
        self._page_bytes = keep_bytes // PAGES
        self._pieces: deque[bytes | bytearray] = deque()
        self.start = first_offset
        self.end = first_offset

    def append(self, data: bytes) -> None:
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, bytearray) and len(last) + len(data) <= self._page_bytes:
            last += data
        else:
            self._pieces.append(data if len(data) >= self._page_bytes else bytearray(data))
        self.end = ByteOffset(self.end + len(data))
        while self.end - self.start - len(self._pieces[0]) >= self._keep_bytes:
            self.start = ByteOffset(self.start + len(self._pieces.popleft()))

    @property
    def pages(self) -> int:
        return len(self._pieces)

    def read(self, offset: ByteOffset, limit: int) -> Chunk:
        """At most `limit` bytes from `offset`, or from the oldest that is kept."""
        begin = min(max(offset, self.start), self.end)
        last = self._pieces[-1] if self._pieces else b""
        if begin == self.end - len(last) and len(last) <= limit:
            return Chunk(ByteOffset(begin), bytes(last))
        found: list[bytes | bytearray] = []
        size = 0
        position = self.end
        # Readers are nearly always close to the end: walk back from there.
        needed: list[bytes | bytearray] = []
        for piece in reversed(self._pieces):
            if position <= begin:
                break
            needed.append(piece)
            position = ByteOffset(position - len(piece))
        skip = begin - position
        for piece in reversed(needed):
            part = piece[skip : skip + limit - size]
            skip = 0
            found.append(part)
            size += len(part)
            if size >= limit:
                break
        return Chunk(ByteOffset(begin), b"".join(found))
