"""Carries one call of an agent over its terminal host's socket to the client, and back what the office answers.

The socket and the token are those of the session's hooks: good for this session alone, and for nothing else.
"""

import json
import os
import socket
import struct
from typing import Any, cast
from uuid import uuid4

from remote_client.agent_tools.tools import CALL_EVENT
from remote_client.terminals import HOOK_SOCKET, HOOK_TOKEN

_SIZES = struct.Struct(">II")


class NotHeard(Exception):
    """Nobody took the call: there is no host, or the session has ended."""


def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the office answers: `{"answer": …}` or `{"error": …, "code": …}`. Blocks, for `ask_person` very long.

    Raises:
        NotHeard: as it says.
    """
    try:
        header = {"token": os.environ[HOOK_TOKEN], "name": CALL_EVENT, "waits": True, "truncated": False}
        body = json.dumps({"call": str(uuid4()), "tool": tool, "arguments": arguments}).encode()
        return _ask(json.dumps(header).encode(), body)
    except KeyError as error:
        raise NotHeard(f"this runs in no session of an office: {error} is not set") from None
    except (OSError, ValueError, EOFError) as error:
        raise NotHeard(f"the office cannot be reached from here: {error}") from error


def _ask(header: bytes, body: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[HOOK_SOCKET])
        connection.sendall(_SIZES.pack(len(header), len(body)) + header + body)
        header_size, body_size = _SIZES.unpack(_receive(connection, _SIZES.size))
        told: dict[str, Any] = json.loads(_receive(connection, header_size))
        answer = _receive(connection, body_size)
    if "error" in told:
        raise ValueError(f"its host said {told['error']}")
    if not answer:
        raise ValueError("the session ended before it was answered")
    return cast("dict[str, Any]", json.loads(answer))


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError("its host has ended")
        data += part
    return data
