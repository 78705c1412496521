"""One connection of a client to one host: calls, many at a time, and streams. Ends when either side ends."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Self

from remote_client.ptyhost.places import CONTROL, Place, require_same_user
from remote_client.ptyhost.protocol import BASE_OPS, VERSION, WINDOW_BYTES, Frame, pack, read_frame
from shared.errors import HostGone, OfficeError, SessionFailed, Unavailable, by_code

READ_AHEAD_BYTES = 1_048_576
HELLO_SECONDS = 5.0


class HostLink:
    """Made by `open`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Queue[Frame | None]] = {}
        self._reading = asyncio.create_task(self._read(), name="link to the host of the terminals")
        self.version = VERSION
        self.pid = 0
        self.closed = False

    @classmethod
    async def open(cls, place: Place) -> "HostLink | None":
        """None when no host answers there.

        Raises:
            Forbidden: it is another user's.
        """
        greeted = await cls._greet(place.address(), CONTROL, HELLO_SECONDS, version=VERSION)
        if greeted is None:
            return None
        link, status = greeted
        link.version, link.pid = status["version"], status["pid"]
        return link

    @classmethod
    async def _greet(
        cls, folder: Path | None, name: str, patience_seconds: float, **details: Any
    ) -> tuple[Self, dict[str, Any]] | None:
        """A connection and what it was told to its hello; None when nobody answers at the socket."""
        if folder is None:
            return None
        try:
            reader, writer = await asyncio.open_unix_connection(folder / name, limit=READ_AHEAD_BYTES)
        except (FileNotFoundError, ConnectionError):
            return None
        link = cls(reader, writer)
        try:
            require_same_user(writer.get_extra_info("socket"))
            async with asyncio.timeout(patience_seconds):
                told, _ = await link.call("hello", **details)
        except (SessionFailed, Unavailable, TimeoutError):
            await link.close()
            return None
        except BaseException:
            await link.close()
            raise
        return link, told

    async def _read(self) -> None:
        try:
            while (frame := await read_frame(self._reader)) is not None:
                answer = self._answers.get(frame.header["id"])
                if answer is not None:
                    answer.put_nowait(frame)
        finally:
            self.closed = True
            self._writer.close()
            for answer in self._answers.values():
                answer.put_nowait(None)

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def until_closed(self) -> None:
        await asyncio.wait({self._reading})

    async def call(self, op: str, body: bytes = b"", **details: Any) -> tuple[Any, bytes]:
        """What the host answers.

        Raises:
            OfficeError: as the host says.
            HostGone: the host has ended.
        """
        async with aclosing(self._ask(op, body, details)) as answers:
            frame = await anext(answers)
            return frame.header["ok"], frame.body

    async def stream(self, op: str, **details: Any) -> AsyncGenerator[Frame]:
        """What the host tells, one by one, until it has told all. Raises as `call` does."""
        async with aclosing(self._ask(op, b"", details)) as answers:
            async for frame in answers:
                if "ok" in frame.header:
                    return
                yield frame

    async def _ask(self, op: str, body: bytes, details: dict[str, Any]) -> AsyncGenerator[Frame]:
        if self.version != VERSION and op not in BASE_OPS:
            raise SessionFailed(
                f"this session lives in a host of version {self.version}, which this client can only list and end"
            )
        number = next(self._numbers)
        frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        if self.closed:
            raise self._gone()
        self._answers[number] = frames
        over = False
        taken = 0
        try:
            await self._send({"id": number, "op": op, **details}, body)
            while True:
                frame = await frames.get()
                if frame is None:
                    raise self._gone()
                over = "ok" in frame.header or "error" in frame.header
                if "error" in frame.header:
                    kind = by_code().get(frame.header["error"], OfficeError)
                    raise kind(frame.header["detail"], advice=frame.header.get("advice"))
                yield frame
                if over:
                    return
                taken += len(frame.body)
                if taken >= WINDOW_BYTES // 4:
                    await self._send({"id": number, "op": "more", "bytes": taken})
                    taken = 0
        finally:
            del self._answers[number]
            if not over and not self.closed:
                self._writer.write(pack({"id": number, "op": "cancel"}))

    async def _send(self, header: dict[str, Any], body: bytes = b"") -> None:
        self._writer.write(pack(header, body))
        with suppress(ConnectionError):  # reading will tell
            await self._writer.drain()

    def _gone(self) -> OfficeError:
        return HostGone("the host of the terminals has ended, and their programs with it")
