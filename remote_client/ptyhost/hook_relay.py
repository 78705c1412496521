"""Run by an agent's hook: hands the JSON on its stdin to the host of its terminal, and back what the host answers.

`python -I -S hook_relay.py NAME [--wait] [--timeout SECONDS]`. Never gets in an agent's way: without a host it ends
with 0 at once and leaves a line in `hooks-missed.log` beside the host's socket.
"""
# An agent waits for this at every step: json, typing, pathlib and the socket that is not bare would more than double
# the start.
# ruff: noqa: PTH110, PTH117, PTH118, PTH120, PTH202, SIM105

import os
import struct
import sys
import time
from _socket import AF_UNIX, socket

BODY_BYTES = 1_048_576
TEXT_BYTES = 4096
"""To which the texts of a body are cut that is larger than `BODY_BYTES`."""

QUIET_SECONDS = 2.0
"""How long the host may take to hear an event that nobody waits for."""

_MISSED_BYTES = 1_048_576
_SIZES = struct.Struct(">II")
_JSON = {True: b"true", False: b"false"}
_HEARD = b'{"ok":true}'


def command(name: str, waits: bool = False, timeout_seconds: float | None = None) -> list[str]:
    """The command line of a hook that tells the event `name`.

    When it `waits`, it stands until the event is answered, its terminal has ended or `timeout_seconds` are over, and
    prints the answer's JSON, or nothing.
    """
    line = [sys.executable, "-I", "-S", __file__, name]
    if waits:
        line.append("--wait")
    return line if timeout_seconds is None else [*line, "--timeout", f"{timeout_seconds:g}"]


def _shorten(value: object, texts: int) -> object:
    from typing import Any, cast

    if isinstance(value, str):
        return value if len(value) <= texts else value[:texts] + "…"
    if isinstance(value, dict):
        return {key: _shorten(inner, texts) for key, inner in cast(dict[str, Any], value).items()}
    return [_shorten(inner, texts) for inner in cast(list[Any], value)] if isinstance(value, list) else value


def _fitting(data: bytes) -> tuple[bytes, bool]:
    """The body as it may travel, and whether it was cut: first its long texts, then all that is not plain."""
    if len(data) <= BODY_BYTES:
        return data, False
    import json
    from typing import Any, cast

    body = json.loads(data)
    shorter = json.dumps(_shorten(body, TEXT_BYTES)).encode()
    if len(shorter) > BODY_BYTES and isinstance(body, dict):
        told = cast(dict[str, Any], body)
        plain = {key: value for key, value in told.items() if not isinstance(value, dict | list)}
        shorter = json.dumps(_shorten(plain, 256)).encode()
    return (shorter if len(shorter) <= BODY_BYTES else b"{}"), True


def _receive(connection: socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the host has ended")
        data += part
    return data


def _ask(name: str, waits: bool, timeout_seconds: float | None) -> bytes:
    body, truncated = _fitting(sys.stdin.buffer.read())
    text = b'{"token": "%s", "name": "%s", "waits": %s, "truncated": %s}' % (
        os.environ["SEMO_HOOK_TOKEN"].encode(), name.encode(), _JSON[waits], _JSON[truncated],
    )  # fmt: skip
    connection = socket(AF_UNIX)  # the process ends with it
    connection.settimeout(QUIET_SECONDS)
    connection.connect(os.environ["SEMO_HOOK_SOCKET"])
    connection.sendall(_SIZES.pack(len(text), len(body)) + text + body)
    connection.settimeout(timeout_seconds if waits else QUIET_SECONDS)
    header_size, answer_size = _SIZES.unpack(_receive(connection, _SIZES.size))
    told = _receive(connection, header_size)
    if told != _HEARD:
        import json

        if "error" in (said := json.loads(told)):
            raise ConnectionError(f"the host said {said['error']}")
    return _receive(connection, answer_size)


def _tell_missed(name: str, error: Exception) -> None:
    path = os.path.join(os.path.dirname(os.environ.get("SEMO_HOOK_SOCKET", "")), "hooks-missed.log")
    if os.path.isabs(path) and (not os.path.exists(path) or os.path.getsize(path) < _MISSED_BYTES):
        with open(path, "a", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
            session = os.environ.get("SEMO_SESSION_ID", "?")
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {session} {name}: {type(error).__name__}: {error}\n")


def main(arguments: list[str]) -> None:
    name, *options = arguments or ["?"]
    waits = "--wait" in options
    timeout_seconds = float(options[options.index("--timeout") + 1]) if "--timeout" in options else None
    try:
        answer = _ask(name, waits, timeout_seconds)
    except TimeoutError as error:
        if not waits:
            _tell_missed(name, error)
    except (OSError, KeyError, ValueError) as error:
        _tell_missed(name, error)
    else:
        sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError:
        pass  # nowhere to tell it: the agent goes on all the same
