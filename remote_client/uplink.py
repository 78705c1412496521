"""Sends what terminals put out, and how prompts get on, in batches: one in flight, bounded memory, nobody ever waits.

Output is redacted as it comes, so that no piece of it is ever kept or sent with a secret in it. A batch that was sent
twice changes nothing. What had to be dropped while the office was away is told as an event.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from remote_client.office_link import OfficeLink
from remote_client.office_records import Happening, OutputChunk, Step
from remote_client.redaction import RedactedStream, Redaction
from remote_client.terminals import Chunk
from remote_client.unsent import CHUNK_BYTES, Unsent
from shared.errors import Fenced, Refused, Unauthenticated, Unavailable
from shared.ids import ByteOffset, CommandId, OfficeId, SessionId

log = structlog.get_logger(__name__)

EVENTS_KEPT = 1000
EVENTS_SENT_AT_ONCE = 100
STEPS_KEPT = 1000
LONGEST_PAUSE_SECONDS = 3.0
AWAITED_SECONDS = 3.0
"""Whoever has just typed into a terminal waits so long to see what comes of it."""
SHOWN_EVERY_SECONDS = 0.05
"""How often at most that is sent by itself, however much comes: Realtime closes the channel of who hears too much."""
ECHO_SECONDS = 0.02
"""So long the result of what was typed waits for the first that the terminal answers, to take it along."""


class Uplink:
    def __init__(
        self, link: OfficeLink, seconds: float, batch_bytes: int, memory_bytes: int, redaction: Redaction | None = None
    ) -> None:
        self._link = link
        self._redaction = redaction or Redaction()
        self._seconds = seconds
        self._batch_bytes = batch_bytes
        self._memory_bytes = memory_bytes
        self._streams: dict[SessionId, Unsent] = {}
        self._waiting_bytes = 0
        self._steps: dict[CommandId, list[Step]] = {}
        self._events: deque[Happening] = deque(maxlen=EVENTS_KEPT)
        self._something = asyncio.Event()
        self._now = asyncio.Event()
        self._sending = asyncio.Lock()
        self._on_its_way: frozenset[SessionId] = frozenset()
        self._travels_elsewhere: Counter[SessionId] = Counter()
        self._echoes: dict[SessionId, asyncio.Event] = {}
        self._shown_at = float("-inf")
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
        if session_id in self._echoes:
            self._echoes[session_id].set()
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

    def _stream(self, office_id: OfficeId, session_id: SessionId, start: ByteOffset) -> Unsent:
        if session_id not in self._streams:
            self._streams[session_id] = Unsent(session_id, office_id, start, RedactedStream(self._redaction))
        return self._streams[session_id]

    def _add(self, stream: Unsent, data: bytes) -> None:
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

    def _gap(self, session_id: SessionId, stream: Unsent, begin: ByteOffset, end: ByteOffset) -> None:
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
                if self._waiting_bytes < self._batch_bytes:
                    await asyncio.sleep(self._shown_at + SHOWN_EVERY_SECONDS - time.monotonic())
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
                self._on_its_way = frozenset(chunk.session_id for chunk in chunks)
                awaited = self._awaited.keys() & self._on_its_way
                if awaited:
                    self._shown_at = time.monotonic()
                try:
                    await self._persist(lambda: self._link.append_output(chunks, awaited), "output")
                finally:
                    self._on_its_way = frozenset()
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
        async with self._elsewhere(session_id):
            chunks = self._to_take_along(session_id)
            yield chunks
            self._sent(chunks)

    @asynccontextmanager
    async def echo_in(self, session_id: SessionId) -> AsyncGenerator[list[OutputChunk]]:
        """What a terminal answers at once to what was typed there, for the block to send with the result of that: one
        call less until whoever typed sees it, and one for each key. It waits on if the block raises."""
        if self._travels_elsewhere[session_id]:  # with the result of a prompt
            yield []
            return
        async with self._elsewhere(session_id):
            if not self._chunks_of(session_id, CHUNK_BYTES):
                await self._echo(session_id)
            chunks = self._to_take_along(session_id)
            yield chunks
            self._sent(chunks)

    async def _echo(self, session_id: SessionId) -> None:
        came = self._echoes[session_id] = asyncio.Event()
        try:
            async with asyncio.timeout(ECHO_SECONDS):
                await came.wait()
        except TimeoutError:
            pass
        finally:
            del self._echoes[session_id]

    @asynccontextmanager
    async def _elsewhere(self, session_id: SessionId) -> AsyncGenerator[None]:
        while session_id in self._on_its_way:  # a batch on its way holds some of it
            async with self._sending:
                pass
        self._travels_elsewhere[session_id] += 1
        try:
            yield
        finally:
            self._travels_elsewhere[session_id] -= 1
            self._travels_elsewhere = +self._travels_elsewhere
            self._something.set()
            if session_id in self._awaited:
                self._now.set()

    def _to_take_along(self, session_id: SessionId) -> list[OutputChunk]:
        chunks = self._chunks_of(session_id, self._batch_bytes)
        if chunks:
            self._streams[session_id].unsure = list(chunks)
        return chunks

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
        waiting = (one for one in self._streams if not self._travels_elsewhere[one])
        for session_id in sorted(waiting, key=lambda one: len(self._streams[one].data)):
            more = self._chunks_of(session_id, room)
            chunks += more
            room -= sum(chunk.end - chunk.start for chunk in more)
        return chunks

    def _free_chunks_of(self, session_id: SessionId) -> list[OutputChunk]:
        return [] if self._travels_elsewhere[session_id] else self._chunks_of(session_id, CHUNK_BYTES)

    def _chunks_of(self, session_id: SessionId, room: int) -> list[OutputChunk]:
        stream = self._streams.get(session_id)
        return stream.chunks(room) if stream is not None else []

    def _sent(self, chunks: list[OutputChunk]) -> None:
        for chunk in chunks:
            if (stream := self._streams.get(chunk.session_id)) is not None:
                self._waiting_bytes -= stream.sent(chunk)
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
