"""The last bytes of a terminal, by absolute offset. Bounded: what falls out is gone."""

from collections import deque

from remote_client.terminals import FIRST_BYTE, Chunk
from shared.ids import ByteOffset


class OutputRing:
    """Keeps whole reads, so that appending copies nothing."""

    def __init__(self, keep_bytes: int, first_offset: ByteOffset = FIRST_BYTE) -> None:
        self._keep_bytes = keep_bytes
        self._pieces: deque[bytes] = deque()
        self.start = first_offset
        self.end = first_offset

    def append(self, data: bytes) -> None:
        self._pieces.append(data)
        self.end = ByteOffset(self.end + len(data))
        while self.end - self.start - len(self._pieces[0]) >= self._keep_bytes:
            self.start = ByteOffset(self.start + len(self._pieces.popleft()))

    def read(self, offset: ByteOffset, limit: int) -> Chunk:
        """At most `limit` bytes from `offset`, or from the oldest that is kept."""
        begin = min(max(offset, self.start), self.end)
        found: list[bytes] = []
        size = 0
        position = self.end
        # Readers are nearly always close to the end: walk back from there.
        needed: list[bytes] = []
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
