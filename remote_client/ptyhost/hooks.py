"""Hears what the hooks of agents say, through `hook_relay`, each with the token of its session."""

import asyncio
import json
import logging
from typing import Any, cast

from remote_client.ptyhost.host import InProcessTerminals
from remote_client.ptyhost.protocol import pack, read_frame
from remote_client.ptyhost.record import Record
from shared.errors import InvalidPayload, OfficeError

log = logging.getLogger(__name__)


async def serve_hook(terminals: InProcessTerminals, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One event of one hook; when it waits, until it is answered, its session has ended or it has left."""
    try:
        frame = await read_frame(reader)
        if frame is None:
            return
        try:
            answer = await _hear(terminals, frame.header, _body(frame.body), reader)
        except OfficeError as error:
            log.warning("a hook was not heard: %s", error.detail)
            writer.write(pack({"error": error.code}))
        else:
            writer.write(pack({"ok": True}, json.dumps(answer).encode() if answer is not None else b""))
        await writer.drain()
    except ConnectionError:
        pass  # it has left
    finally:
        writer.close()


def _body(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data or b"{}")
    except ValueError:
        raise InvalidPayload("what the hook said is no JSON") from None
    return cast(dict[str, Any], body) if isinstance(body, dict) else {"value": body}


async def _hear(
    terminals: InProcessTerminals, told: dict[str, Any], body: dict[str, Any], reader: asyncio.StreamReader
) -> dict[str, Any] | None:
    waits = bool(told.get("waits"))
    record, number = terminals.hear(
        str(told.get("token")), str(told.get("name")), body, waits, bool(told.get("truncated"))
    )
    return await _answer(record, number, reader) if waits else None


async def _answer(record: Record, number: int, reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """None when there will be none."""
    answering = asyncio.ensure_future(record.answer_to(number))
    leaving = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else None
    finally:
        answering.cancel()
        leaving.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)
