"""Serves a client's socket: requests and answers, many at a time, in the frames of the terminals' host.

A request is `{"id", "op", …}`, its answer `{"id", "ok"}` or `{"id", "error", "detail", "advice"}`; `follow` tells
`{"id", "news"}` until it is cancelled. What is asked and done is in `desk`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

import structlog

from remote_client.control.desk import Desk
from remote_client.control.place import control_folder
from remote_client.ptyhost.processes import is_of_session
from remote_client.ptyhost.protocol import Frame, pack, read_frame
from remote_client.sockets import peer_pid, require_same_user
from shared.errors import Forbidden, InvalidPayload, OfficeError
from shared.local import VERSION, Snapshot

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.25
"""How often it is looked whether something has changed, while somebody follows."""
MOST_CONNECTIONS = 32
READ_AHEAD_BYTES = 65_536

PARTS = tuple(one.name for one in fields(Snapshot))

Action = Callable[[dict[str, Any]], Awaitable[Any]]


class ControlServer:
    def __init__(self, state: Path, desk: Desk) -> None:
        self._folder = control_folder(state)
        self._desk = desk
        self._guests: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled. Without a socket the client does all else: it only says so."""
        try:
            self._folder.make()
            [listener] = self._folder.listen()
        except (OSError, Forbidden) as error:
            log.error("nobody at this machine can speak to this client", error=str(error))
            return
        server = await asyncio.start_unix_server(self._welcome, sock=listener, limit=READ_AHEAD_BYTES)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            with suppress(OSError):
                self._folder.close_sockets()
            for guest in self._guests:
                guest.cancel()
            await asyncio.gather(*self._guests, return_exceptions=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="somebody at this machine")
        self._guests.add(task)
        task.add_done_callback(self._guests.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            require_same_user(writer.get_extra_info("socket"))
            if is_of_session(peer_pid(writer.get_extra_info("socket")), self._desk.session_ids):
                raise Forbidden("what runs in a session may not speak for the person at this machine")
            if len(self._guests) > MOST_CONNECTIONS:
                log.warning("too many windows and commands at once", connections=MOST_CONNECTIONS)
                return
            await _Guest(self._desk, reader, writer).run()
        except OfficeError as error:
            log.warning("a connection of somebody here was closed", error=error.detail)
        except ConnectionError:
            pass  # they left
        except Exception:  # a fault of ours in one connection must not end the client
            log.exception("a connection of somebody here broke down")
        finally:
            writer.close()


class _Guest:
    def __init__(self, desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._desk = desk
        self._reader = reader
        self._writer = writer
        self._sending = asyncio.Lock()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._actions: dict[str, Action] = {
            "hello": self._hello,
            "snapshot": self._snapshot,
            "pause": lambda told: desk.pause(bool(told["paused"])),
            "answer_approval": lambda told: desk.answer_approval(
                str(told["approval_id"]), str(told["digest"]), allow=bool(told["allow"])
            ),
            "answer_question": lambda told: desk.answer_question(str(told["question_id"]), str(told["answer"])),
            "stop_session": lambda told: desk.stop_session(str(told["session_id"])),
            "stop_all": lambda _: desk.stop_all(),
            "stop_client": lambda _: desk.stop_client(),
        }

    async def run(self) -> None:
        """Serves until they leave."""
        async with asyncio.TaskGroup() as group:
            try:
                while (frame := await read_frame(self._reader)) is not None:
                    self._take(frame, group)
            except InvalidPayload as error:
                log.warning("a connection of somebody here was closed", error=error.detail)
            finally:
                for task in self._running.values():
                    task.cancel()

    def _take(self, frame: Frame, group: asyncio.TaskGroup) -> None:
        number, op = frame.header.get("id"), frame.header.get("op")
        if not isinstance(number, int) or not isinstance(op, str):
            raise InvalidPayload("a request has an id and an op")
        if op == "cancel":
            if number in self._running:
                self._running[number].cancel()
            return
        if number in self._running:
            raise InvalidPayload("two requests have the same id")
        task = group.create_task(self._do(number, op, frame))
        self._running[number] = task
        task.add_done_callback(lambda _: self._running.pop(number))

    async def _do(self, number: int, op: str, frame: Frame) -> None:
        try:
            if op == "follow":
                await self._follow(number)
                return
            if op not in self._actions:
                raise InvalidPayload(f'this client knows no "{op}"', advice="it is older: restart it")
            await self._send({"id": number, "ok": await self._actions[op](frame.header)})
        except OfficeError as error:
            await self._send({"id": number, "error": error.code, "detail": error.detail, "advice": error.advice})
        except (KeyError, TypeError, ValueError) as error:
            await self._send({"id": number, "error": InvalidPayload.code, "detail": f"{op}: {error!r}"})
        except ConnectionError:
            pass  # they left; reading ends, too

    async def _hello(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"version": VERSION}

    async def _snapshot(self, _: dict[str, Any]) -> dict[str, Any]:
        return asdict(self._desk.snapshot())

    async def _follow(self, number: int) -> None:
        """What has changed, when there is room for it: whoever reads slowly gets fewer and newer pictures."""
        told: Snapshot | None = None
        while True:
            now = self._desk.snapshot()
            changed = [name for name in PARTS if told is None or getattr(told, name) != getattr(now, name)]
            if changed:
                await self._send({"id": number, "news": {name: _plain(getattr(now, name)) for name in changed}})
                told = now
            await asyncio.sleep(LOOK_SECONDS)

    async def _send(self, header: dict[str, Any]) -> None:
        async with self._sending:
            self._writer.write(pack(header))
            await self._writer.drain()


def _plain(part: Any) -> Any:
    """As JSON has it."""
    return [asdict(one) for one in cast("list[Any]", part)] if isinstance(part, list) else asdict(part)
