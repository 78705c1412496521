"""Sends what terminals put out, and how prompts get on, in batches: one in flight, bounded memory, nobody ever waits.

Output is redacted as it comes, so that no piece of it is ever kept or sent with a secret in it. A batch that was sent
twice changes nothing. What had to be dropped while the office was away is told as an event.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from remote_client.office_link import OfficeLink
from remote_client.office_records import Happening, OutputChunk, Step
from remote_client.redaction import RedactedStream, Redaction
from remote_client.terminals import Chunk
from remote_client.utf8 import complete_length
from shared.errors import Fenced, Refused, Unauthenticated, Unavailable
from shared.ids import ByteOffset, CommandId, OfficeId, SessionId

log = structlog.get_logger(__name__)

CHUNK_BYTES = 32_768
EVENTS_KEPT = 1000
EVENTS_SENT_AT_ONCE = 100
STEPS_KEPT = 1000
LONGEST_PAUSE_SECONDS = 3.0
AWAITED_SECONDS = 3.0
"""Whoever has just typed into a terminal waits so long to see what comes of it."""


@dataclass
class _Stream:
    """What one terminal put out and the office has not got yet."""

    office_id: OfficeId
    start: ByteOffset
    redacted: RedactedStream
    data: bytearray = field(default_factory=bytearray)
    over: bool = False
    unsure: list[OutputChunk] = field(default_factory=list[OutputChunk])
    """The first of `data` as it went out with something that failed: the office may have it, in just these pieces."""

    @property
    def end(self) -> ByteOffset:
        """Up to where the terminal's output came here; the last of it may be held until it is known what it is."""
        return ByteOffset(self.start + len(self.data) + self.redacted.held_bytes)


class Uplink:
    def __init__(
        self, link: OfficeLink, seconds: float, batch_bytes: int, memory_bytes: int, redaction: Redaction | None = None
    ) -> None:
        self._link = link
        self._redaction = redaction or Redaction()
        self._seconds = seconds
        self._batch_bytes = batch_bytes
        self._memory_bytes = memory_bytes
        self._streams: dict[SessionId, _Stream] = {}
        self._waiting_bytes = 0
        self._steps: dict[CommandId, list[Step]] = {}
        self._events: deque[Happening] = deque(maxlen=EVENTS_KEPT)
        self._something = asyncio.Event()
        self._now = asyncio.Event()
        self._sending = asyncio.Lock()
        self._travels_elsewhere: set[SessionId] = set()
        self._awaited: dict[SessionId, float] = {}

    # What the rest of the client tells; nothing here waits -----------------------------------------------------------

    def output(self, office_id: OfficeId, session_id: SessionId, chunk: Chunk) -> None:
        stream = self._stream(office_id, session_id, chunk.start)
        if chunk.start != stream.end:
            self._gap(session_id, stream, stream.end, chunk.start)
        self._add(stream, stream.redacted.feed(chunk.data))
        if self._waiting_bytes > self._memory_bytes:
            self._drop_oldest()
        self._something.set()
        if self._waiting_bytes >= self._batch_bytes or session_id in self._awaited:
            self._now.set()

    def hurry(self, session_id: SessionId) -> None:
        """Somebody types there: for a while what it puts out is sent as it comes."""
        self._awaited[session_id] = time.monotonic() + AWAITED_SECONDS

    def output_before(self, office_id: OfficeId, session_id: SessionId, chunk: Chunk) -> None:
        """What the office has from an earlier process of this client: what comes next may go on with a secret in it."""
        stream = self._stream(office_id, session_id, chunk.start)
        stream.redacted.pass_by(chunk.data)
        stream.start = chunk.end

    def _stream(self, office_id: OfficeId, session_id: SessionId, start: ByteOffset) -> _Stream:
        if session_id not in self._streams:
            self._streams[session_id] = _Stream(office_id, start, RedactedStream(self._redaction))
        return self._streams[session_id]

    def _add(self, stream: _Stream, data: bytes) -> None:
        stream.data += data
        self._waiting_bytes += len(data)

    def session_over(self, session_id: SessionId) -> None:
        """No more output will come: what is left of a cut character is sent too."""
        if session_id in self._streams:
            stream = self._streams[session_id]
            self._add(stream, stream.redacted.flush())
            stream.over = True
            self._something.set()

    def step(self, step: Step) -> None:
        if len(self._steps) < STEPS_KEPT:
            self._steps.setdefault(step.command_id, []).append(step)
            self._something.set()

    def forget_step(self, command_id: CommandId) -> None:
        """The command is finished; its result tells all of it."""
        self._steps.pop(command_id, None)

    def event(self, event: Happening) -> None:
        self._events.append(event)
        self._something.set()

    def _drop_oldest(self) -> None:
        """Halves the fullest stream."""
        session_id, stream = max(self._streams.items(), key=lambda item: len(item[1].data))
        begin = stream.start
        dropped = max(len(stream.data) // 2, sum(chunk.end - chunk.start for chunk in stream.unsure))
        stream.unsure.clear()
        del stream.data[:dropped]
        stream.start = ByteOffset(begin + dropped)
        self._waiting_bytes -= dropped
        self._tell_gap(session_id, stream.office_id, begin, stream.start)

    def _gap(self, session_id: SessionId, stream: _Stream, begin: ByteOffset, end: ByteOffset) -> None:
        self._waiting_bytes -= len(stream.data)
        self._tell_gap(session_id, stream.office_id, stream.start, end)
        log.warning("output skipped", session_id=str(session_id), expected=begin, got=end)
        stream.data.clear()
        stream.unsure.clear()
        stream.redacted = RedactedStream(self._redaction)
        stream.start = end

    def _tell_gap(self, session_id: SessionId, office_id: OfficeId, begin: ByteOffset, end: ByteOffset) -> None:
        detail: dict[str, Any] = {"from": begin, "to": end}
        self.event(Happening(office_id, "output_gap", detail, datetime.now(UTC), session_id))

    # Sending --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """
        Raises:
            Fenced: a newer process of this client has taken over.
        """
        while True:
            await self._something.wait()
            try:
                async with asyncio.timeout(self._seconds):
                    await self._now.wait()
            except TimeoutError:
                pass
            self._something.clear()
            self._now.clear()
            await self.flush()

    async def flush(self) -> None:
        """Sends all that waits. Between two batches it is the turn of whoever waits for it."""
        self._awaited = {session_id: until for session_id, until in self._awaited.items() if until > time.monotonic()}
        await self._send_output(lambda: [one for each in self._awaited for one in self._free_chunks_of(each)])
        async with self._sending:
            await self._send_steps()
        while await self._send_output(self._next_chunks):
            pass
        while self._events:
            async with self._sending:
                events = [self._events.popleft() for _ in range(min(len(self._events), EVENTS_SENT_AT_ONCE))]
                if events:
                    await self._persist(lambda events=events: self._link.record_events(events), "events")

    async def _send_output(self, choose: Callable[[], list[OutputChunk]]) -> bool:
        """Sends one batch, and says whether there was one."""
        async with self._sending:
            chunks = choose()
            if chunks:
                awaited = self._awaited.keys() & {chunk.session_id for chunk in chunks}
                await self._persist(lambda: self._link.append_output(chunks, awaited), "output")
                self._sent(chunks)
        return bool(chunks)

    @asynccontextmanager
    async def rest_of(self, session_id: SessionId) -> AsyncGenerator[list[OutputChunk]]:
        """What waits of one terminal, for the block to send with something else. It waits on if the block raises."""
        stream = self._streams.get(session_id)
        if stream is not None:
            self._add(stream, stream.redacted.flush())
        end = stream.start + len(stream.data) if stream is not None else 0
        while stream is not None and end - stream.start > self._batch_bytes:  # what does not fit goes ahead
            if not await self._send_output(lambda: self._chunks_of(session_id, self._batch_bytes)):
                break
        async with self._sending:  # a batch on its way may hold some of it
            self._travels_elsewhere.add(session_id)
        try:
            chunks = self._chunks_of(session_id, self._batch_bytes)
            if chunks:
                self._streams[session_id].unsure = list(chunks)
            yield chunks
            self._sent(chunks)
        finally:
            self._travels_elsewhere.discard(session_id)
            self._something.set()

    async def flush_step(self, command_id: CommandId) -> None:
        """Returns when the office has the steps of a command."""
        async with self._sending:  # a batch on its way may hold it
            if command_id in self._steps:
                await self._send_steps()

    async def _send_steps(self) -> None:
        # Steps of commands that finish meanwhile are taken out here, and by `forget_step`.
        if steps := [step for steps in self._steps.values() for step in steps]:
            self._steps.clear()
            await self._persist(lambda: self._link.record_progress(steps), "progress")

    def _next_chunks(self) -> list[OutputChunk]:
        chunks: list[OutputChunk] = []
        room = self._batch_bytes
        # The quiet ones first: a terminal that never stops leaves room for the others.
        waiting = self._streams.keys() - self._travels_elsewhere
        for session_id in sorted(waiting, key=lambda one: len(self._streams[one].data)):
            more = self._chunks_of(session_id, room)
            chunks += more
            room -= sum(chunk.end - chunk.start for chunk in more)
        return chunks

    def _free_chunks_of(self, session_id: SessionId) -> list[OutputChunk]:
        return [] if session_id in self._travels_elsewhere else self._chunks_of(session_id, CHUNK_BYTES)

    def _chunks_of(self, session_id: SessionId, room: int) -> list[OutputChunk]:
        stream = self._streams.get(session_id)
        if stream is None or room <= 0:
            return []
        chunks = list(stream.unsure)
        place = sum(chunk.end - chunk.start for chunk in chunks)
        room -= place
        while room > 0 and place < len(stream.data):
            piece = bytes(stream.data[place : place + min(CHUNK_BYTES, max(room, 4))])
            at_end = place + len(piece) == len(stream.data)
            length = len(piece) if stream.over and at_end else complete_length(piece)
            if length == 0:
                break
            text = piece[:length].decode(errors="replace").replace("\x00", "\ufffd")
            begin = stream.start + place
            chunks.append(OutputChunk(session_id, ByteOffset(begin), ByteOffset(begin + length), text))
            place += length
            room -= length
        return chunks

    def _sent(self, chunks: list[OutputChunk]) -> None:
        for chunk in chunks:
            stream = self._streams.get(chunk.session_id)
            if stream is None:
                continue
            stream.unsure = [one for one in stream.unsure if one.start > chunk.start]
            # Some of it may have been dropped while it was on its way.
            length = chunk.end - stream.start
            if length > 0:
                del stream.data[:length]
                stream.start = chunk.end
                self._waiting_bytes -= length
            if stream.over and not stream.data:
                del self._streams[chunk.session_id]

    async def _persist(self, send: Callable[[], Awaitable[None]], what: str) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE_SECONDS),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    await send()
        except (Fenced, Unauthenticated):
            raise
        except Refused as error:
            log.error("the office refused a batch", what=what, error=error.detail)
