"""What host and client say to each other: frames of a JSON header and raw bytes, over a Unix socket.

A request is `{"id", "op", …}`. It is answered by one frame with the same id, `{"id", "ok": …}` or `{"id", "error",
"detail"}`; `follow` by any number of frames, `{"id", "chunk": OFFSET}` and `{"id", "hook": …}`, before that. `cancel`
(with the id of a request) and `more` (bytes of a stream that were taken in) are not answered.
"""

import asyncio
import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from remote_client.terminals import ExitStatus, TerminalInfo, TerminalSpec
from shared.errors import InvalidPayload
from shared.ids import ByteOffset, SessionId

VERSION = 1
"""Goes up when a client and a host of different versions would misunderstand each other."""

BASE_OPS = frozenset({"hello", "list", "kill", "forget", "stop", "cancel"})
"""What every version understands in the same words, so that no host is ever out of reach of a newer client."""

WINDOW_BYTES = 524_288
"""How much of a stream may be on its way; the rest waits in the host's spool, not in anybody's memory."""

HEADER_BYTES = 16_777_216
BODY_BYTES = 16_777_216
_SIZES = struct.Struct(">II")


class Frame(NamedTuple):
    header: dict[str, Any]
    body: bytes


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """One frame."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join((_SIZES.pack(len(text), len(body)), text, body))


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame; None at the end.

    Raises:
        InvalidPayload: it is none.
    """
    try:
        header_size, body_size = _SIZES.unpack(await reader.readexactly(_SIZES.size))
        if header_size > HEADER_BYTES or body_size > BODY_BYTES:
            raise InvalidPayload("the frame is too large")
        header = json.loads(await reader.readexactly(header_size))
        body = await reader.readexactly(body_size) if body_size else b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except ValueError as error:
        raise InvalidPayload("the frame has no JSON header") from error
    if not isinstance(header, dict):
        raise InvalidPayload("the frame's header is no object")
    return Frame(header, body)


def session_of(header: dict[str, Any]) -> SessionId:
    return SessionId(UUID(str(header["session_id"])))


def spec_to_json(spec: TerminalSpec) -> dict[str, Any]:
    return {
        "session_id": str(spec.session_id),
        "command": list(spec.command),
        "folder": str(spec.folder),
        "environment": dict(spec.environment),
        "cols": spec.cols,
        "rows": spec.rows,
        "first_offset": spec.first_offset,
        "umask": spec.umask,
    }


def spec_of(told: dict[str, Any]) -> TerminalSpec:
    return TerminalSpec(
        session_of(told),
        told["command"],
        Path(told["folder"]),
        told["environment"],
        told["cols"],
        told["rows"],
        ByteOffset(told["first_offset"]),
        told.get("umask"),
    )


def exit_of(told: dict[str, Any]) -> ExitStatus:
    return ExitStatus(told["status"], told["signal"])


def info_to_json(info: TerminalInfo) -> dict[str, Any]:
    return asdict(info) | {"session_id": str(info.session_id)}


def info_of(told: dict[str, Any]) -> TerminalInfo:
    return TerminalInfo(
        session_of(told),
        told["pid"],
        ByteOffset(told["end"]),
        exit_of(told["exit"]) if told["exit"] is not None else None,
        ByteOffset(told["begin"]),
        told["last_hook"],
        told.get("cols", 0),
        told.get("rows", 0),
    )
