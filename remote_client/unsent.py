"""What one terminal put out and the office has not got yet, and the pieces in which it goes there.

Pieces end between characters, and count the bytes that the terminal put out.
"""

from dataclasses import dataclass, field

from remote_client.office_records import OutputChunk
from remote_client.redaction import RedactedStream
from remote_client.utf8 import complete_length
from shared.ids import ByteOffset, OfficeId, SessionId

CHUNK_BYTES = 32_768


@dataclass
class Unsent:
    session_id: SessionId
    office_id: OfficeId
    start: ByteOffset
    redacted: RedactedStream
    data: bytearray = field(default_factory=bytearray)
    over: bool = False
    """No more will come: what is left of a cut character is sent too."""
    unsure: list[OutputChunk] = field(default_factory=list[OutputChunk])
    """The first of `data` as it went out with something that failed: the office may have it, in just these pieces."""

    @property
    def end(self) -> ByteOffset:
        """Up to where the terminal's output came here; the last of it may be held until it is known what it is."""
        return ByteOffset(self.start + len(self.data) + self.redacted.held_bytes)

    def chunks(self, room: int) -> list[OutputChunk]:
        """The first of it, in `room` bytes."""
        if room <= 0:
            return []
        chunks = list(self.unsure)
        place = sum(chunk.end - chunk.start for chunk in chunks)
        room -= place
        while room > 0 and place < len(self.data):
            piece = bytes(self.data[place : place + min(CHUNK_BYTES, max(room, 4))])
            at_end = place + len(piece) == len(self.data)
            length = len(piece) if self.over and at_end else complete_length(piece)
            if length == 0:
                break
            text = piece[:length].decode(errors="replace").replace("\x00", "\ufffd")
            begin = self.start + place
            chunks.append(OutputChunk(self.session_id, ByteOffset(begin), ByteOffset(begin + length), text))
            place += length
            room -= length
        return chunks

    def sent(self, chunk: OutputChunk) -> int:
        """The office has it: how many bytes wait no longer. Some may have been dropped while it was on its way."""
        self.unsure = [one for one in self.unsure if one.start > chunk.start]
        length = max(0, chunk.end - self.start)
        if length:
            del self.data[:length]
            self.start = chunk.end
        return length
