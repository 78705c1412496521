"""The frames of Realtime's wire format, vsn 1.0.0: what may come in, and how each answer looks. Pure text."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import orjson

TOPIC_PREFIX = "realtime:"
PHOENIX = "phoenix"

Json = Any

DEEPEST = 200
"""As deep as the fast writer of JSON goes, and some."""
_ESCAPED_HALF = "\\ud"


@dataclass(frozen=True)
class ClientFrame:
    """One frame from a client. `size` is the length of its text in bytes."""

    topic: str
    event: str
    payload: Json
    ref: Json
    join_ref: Json
    size: int


def parse(text: str) -> ClientFrame | None:
    """None for what the real server ignores: no JSON, no object, a key missing. Also for what could not be said again
    to others: half characters, and values nested deeper than `DEEPEST`.
    """
    try:
        frame: Json = json.loads(text, parse_constant=_no_json)
        if not _is_flat(text, frame):
            return None
        if _ESCAPED_HALF in text.lower():
            json.dumps(frame, ensure_ascii=False).encode()  # whether the halves are whole
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict) or not {"topic", "event", "payload", "ref"} <= frame.keys():
        return None
    fields = cast("dict[str, Json]", frame)
    topic, event = fields["topic"], fields["event"]
    if not isinstance(topic, str) or not isinstance(event, str):
        return None
    return ClientFrame(topic, event, fields["payload"], fields["ref"], fields.get("join_ref"), len(text.encode()))


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _is_flat(text: str, value: Json) -> bool:
    """Whether nothing in `value`, which `text` says, is nested deeper than `DEEPEST`."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return True
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return True
    return False


def _inside(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return cast("dict[str, Json]", value).values()
    return cast("list[Json]", value) if isinstance(value, list) else ()


def as_object(value: Json) -> dict[str, Json]:
    """`value` if it is an object, else an empty one."""
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def dump(value: Json) -> str:
    """JSON text. Integers beyond 64 bits, which clients may send, take the slow way."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False)


def frame(topic: str, event: str, payload_json: str, ref: Json = None) -> str:
    return f'{{"ref":{dump(ref)},"payload":{payload_json},"event":{dump(event)},"topic":{dump(topic)}}}'


def reply(topic: str, ref: Json, status: str, response: Json) -> str:
    return frame(topic, "phx_reply", dump({"status": status, "response": response}), ref)


def ok(topic: str, ref: Json, response: Json | None = None) -> str:
    return reply(topic, ref, "ok", {} if response is None else response)


def error(topic: str, ref: Json, reason: str) -> str:
    return reply(topic, ref, "error", {"reason": reason})


def close(topic: str, join_ref: Json) -> str:
    return frame(topic, "phx_close", "{}", join_ref)


def system(topic: str, extension: str, status: str, message: str) -> str:
    channel = topic.removeprefix(TOPIC_PREFIX)
    payload = {"message": message, "status": status, "extension": extension, "channel": channel}
    return frame(topic, "system", dump(payload))


def broadcast(topic: str, payload_json: str) -> str:
    return frame(topic, "broadcast", payload_json)
