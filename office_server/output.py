"""Puts the stored chunks of a terminal's output together again, from any byte to any other."""

from dataclasses import dataclass

from office_server.rows import OutputChunk
from shared.ids import ByteOffset


@dataclass(frozen=True)
class Page:
    """Output from `start` to `next`. `start` lies behind what was asked for where older output is gone, and before it
    where it lies in a chunk whose bytes were not all text and which can only be shown whole."""

    text: str
    start: ByteOffset
    next: ByteOffset


def stitch(chunks: list[OutputChunk], after: ByteOffset, limit: int) -> Page:
    """Output after byte `after`, about `limit` bytes at most, without a gap. `chunks` are in order and end after it."""
    start: int | None = None
    at: int = after
    texts: list[str] = []
    taken = 0
    for chunk in chunks:
        if chunk.end_offset <= at:
            continue
        if start is not None and (chunk.start_offset > at or taken >= limit):
            break
        text, begin, end = _part(chunk, at, limit - taken)
        if start is None:
            start = begin
        texts.append(text)
        taken += end - begin
        at = end
        if end < chunk.end_offset:
            break
    return Page("".join(texts), ByteOffset(start if start is not None else after), ByteOffset(at))


def _part(chunk: OutputChunk, after: int, limit: int) -> tuple[str, int, int]:
    """The text of a chunk from `after` on, at most `limit` bytes of it, and where it begins and ends."""
    encoded = chunk.text.encode()
    if len(encoded) != chunk.end_offset - chunk.start_offset:
        # Bytes that were no text were replaced; offsets inside cannot be told any more.
        return chunk.text, chunk.start_offset, chunk.end_offset
    begin = _boundary(encoded, max(0, after - chunk.start_offset))
    end = _boundary(encoded, min(len(encoded), begin + max(limit, 4)))
    return encoded[begin:end].decode(), chunk.start_offset + begin, chunk.start_offset + end


def _boundary(encoded: bytes, at: int) -> int:
    """The first place from `at` on where a character begins."""
    while at < len(encoded) and encoded[at] & 0xC0 == 0x80:
        at += 1
    return at
