"""One client's connection to the host: its requests, many at a time, and the streams that it follows."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict
from signal import Signals
from typing import Any

from remote_client.ptyhost.host import InProcessTerminals
from remote_client.ptyhost.people import People
from remote_client.ptyhost.protocol import (
    WINDOW_BYTES,
    Frame,
    info_to_json,
    pack,
    read_frame,
    session_of,
    spec_of,
)  # fmt: skip
from remote_client.terminals import Chunk, HookEvent
from shared.errors import InvalidPayload, OfficeError
from shared.ids import ByteOffset

log = logging.getLogger(__name__)

Answer = tuple[Any, bytes]
NOTHING: Answer = (None, b"")
_LONG = frozenset({"kill", "wait", "follow", "forget", "adopt", "stop"})


class _Window:
    """How much of a stream the client has still to take in."""

    def __init__(self) -> None:
        self._out = 0
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        await self._room.wait()

    def sent(self, size: int) -> None:
        self._out += size
        if self._out >= WINDOW_BYTES:
            self._room.clear()

    def taken(self, size: int) -> None:
        self._out -= size
        if self._out < WINDOW_BYTES:
            self._room.set()


class Connection:
    """`status`, `adopt` and `stop` are what the host itself does for its clients."""

    def __init__(
        self,
        terminals: InProcessTerminals,
        people: People,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        status: Callable[[], dict[str, Any]],
        adopt: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self._terminals = terminals
        self._people = people
        self._reader = reader
        self._writer = writer
        self._status = status
        self._adopt = adopt
        self._stop = stop
        self._running: dict[int, asyncio.Task[None]] = {}
        self._windows: dict[int, _Window] = {}
        self._ops: dict[str, Callable[[Frame], Awaitable[Answer]]] = {
            "hello": self._hello,
            "create": self._create,
            "write": self._write,
            "settle": self._settle,
            "resize": self._resize,
            "view": self._view,
            "input_mode": self._input_mode,
            "signal": self._signal,
            "answer_hook": self._answer_hook,
            "kill": self._kill,
            "read_from": self._read_from,
            "follow": self._follow,
            "wait": self._wait,
            "forget": self._forget,
            "list": self._list,
            "status": self._hello,
            "adopt": self._adopt_others,
            "stop": self._stop_all,
        }

    async def run(self) -> None:
        """Serves until the client leaves."""
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    while (frame := await read_frame(self._reader)) is not None:
                        await self._take(frame, group)
                except InvalidPayload as error:
                    log.warning("a client's connection was closed: %s", error.detail)
                for task in self._running.values():
                    task.cancel()
        finally:
            await self._people.leave(self)
            self._writer.close()

    async def _take(self, frame: Frame, group: asyncio.TaskGroup) -> None:
        header = frame.header
        number, op = header.get("id"), header.get("op")
        if not isinstance(number, int) or not isinstance(op, str):
            raise InvalidPayload("a request has an id and an op")
        if op == "cancel":
            if number in self._running:
                self._running[number].cancel()
        elif op == "more":
            if number in self._windows:
                self._windows[number].taken(header["bytes"])
        elif op in _LONG:
            task = group.create_task(self._serve(number, op, frame))
            self._running[number] = task
            task.add_done_callback(lambda _: self._running.pop(number))
        else:
            await self._serve(number, op, frame)

    async def _serve(self, number: int, op: str, frame: Frame) -> None:
        try:
            if op not in self._ops:
                raise InvalidPayload(f'there is no "{op}" in this version of the host')
            told, body = await self._ops[op](frame)
            await self._send({"id": number, "ok": told}, body)
        except OfficeError as error:
            await self._send({"id": number, "error": error.code, "detail": error.detail})
        except (KeyError, TypeError, ValueError) as error:
            await self._send({"id": number, "error": InvalidPayload.code, "detail": f"{op}: {error!r}"})
        except ConnectionError:
            pass  # the client has left; reading ends, too
        except Exception:  # a fault of ours in one request must not end all terminals
            log.exception("%s broke down", op)
            await self._send({"id": number, "error": OfficeError.code, "detail": f"{op} broke down in the host"})

    async def _send(self, header: dict[str, Any], body: bytes = b"") -> None:
        self._writer.write(pack(header, body))
        await self._writer.drain()

    # Requests ---------------------------------------------------------------------------------------------------------

    async def _hello(self, _: Frame) -> Answer:
        return self._status(), b""

    async def _create(self, frame: Frame) -> Answer:
        spec = spec_of(frame.header["spec"])
        self._people.forget(spec.session_id)
        return info_to_json(await self._terminals.create(spec)), b""

    async def _write(self, frame: Frame) -> Answer:
        session_id, by = session_of(frame.header), frame.header.get("by")
        if by is not None:
            self._people.type(session_id, by, frame.body)
        await self._terminals.write(session_id, frame.body, frame.header.get("key"))
        return NOTHING

    async def _settle(self, frame: Frame) -> Answer:
        return await self._terminals.settle(session_of(frame.header), frame.header["key"]), b""

    async def _resize(self, frame: Frame) -> Answer:
        await self._people.resize(session_of(frame.header), frame.header["cols"], frame.header["rows"])
        return NOTHING

    async def _view(self, frame: Frame) -> Answer:
        await self._people.view(self, session_of(frame.header), frame.header["cols"], frame.header["rows"])
        return NOTHING

    async def _input_mode(self, frame: Frame) -> Answer:
        return await self._terminals.input_mode(session_of(frame.header)), b""

    async def _signal(self, frame: Frame) -> Answer:
        await self._terminals.signal(session_of(frame.header), Signals(frame.header["number"]))
        return NOTHING

    async def _answer_hook(self, frame: Frame) -> Answer:
        header = frame.header
        await self._terminals.answer_hook(session_of(header), header["number"], header["answer"])
        return NOTHING

    async def _kill(self, frame: Frame) -> Answer:
        return asdict(await self._terminals.kill(session_of(frame.header), frame.header["grace_seconds"])), b""

    async def _read_from(self, frame: Frame) -> Answer:
        header = frame.header
        chunk = await self._terminals.read_from(session_of(header), header["offset"], header["limit"])
        return chunk.start, chunk.data

    async def _follow(self, frame: Frame) -> Answer:
        header = frame.header
        number: int = header["id"]
        window = self._windows[number] = _Window()
        try:
            offset = ByteOffset(header["offset"])
            async with aclosing(self._terminals.follow(session_of(header), offset, header["after_hook"])) as told:
                async for found in told:
                    await window.room()
                    window.sent(await self._pass_on(number, found))
        finally:
            del self._windows[number]
        return NOTHING

    async def _pass_on(self, number: int, found: Chunk | HookEvent) -> int:
        """Returns what it takes of the window."""
        if isinstance(found, Chunk):
            await self._send({"id": number, "chunk": found.start}, found.data)
            return len(found.data)
        header = {"id": number, "hook": asdict(found)}
        await self._send(header)
        return 0

    async def _wait(self, frame: Frame) -> Answer:
        return asdict(await self._terminals.wait(session_of(frame.header))), b""

    async def _forget(self, frame: Frame) -> Answer:
        await self._terminals.forget(session_of(frame.header))
        return NOTHING

    async def _list(self, _: Frame) -> Answer:
        return [info_to_json(info) for info in await self._terminals.list()], b""

    async def _adopt_others(self, _: Frame) -> Answer:
        await self._adopt()
        return NOTHING

    async def _stop_all(self, _: Frame) -> Answer:
        await self._stop()
        return NOTHING
