"""`POST /realtime/v1/api/broadcast`: broadcasts without a socket. Answers 202 even where a policy says no."""

from dataclasses import dataclass
from typing import cast

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.realtime.authorization import may_write
from local_supabase.realtime.channels import Services
from local_supabase.realtime.protocol import Json, dump
from local_supabase.realtime.sessions import DatabaseUnreachable
from local_supabase.realtime.tokens import Token, TokenRefused, verify

_BLANK = ["can't be blank"]
_INVALID = ["is invalid"]


@dataclass(frozen=True)
class Message:
    topic: str
    private: bool
    payload_json: str


async def post_broadcast(request: Request, services: Services) -> Response:
    authorization = request.headers.get("authorization", "")
    text = authorization[7:] if authorization.lower().startswith("bearer ") else request.headers.get("apikey", "")
    try:
        token = verify(text, services.config.jwt_secret)
    except TokenRefused:
        return JSONResponse({"message": "Unauthorized"}, 401)
    try:
        body: Json = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return JSONResponse({"errors": {"detail": "Bad Request"}}, 400)
    sent: Json = cast("dict[str, Json]", body).get("messages") if isinstance(body, dict) else None
    if not isinstance(sent, list):
        return JSONResponse({"errors": {"messages": _BLANK if sent is None else _INVALID}}, 422)
    messages = cast("list[Json]", sent)
    problems = [_problems(message, services.config.limits.broadcast_bytes) for message in messages]
    if any(problems):
        return JSONResponse({"errors": {"messages": problems}}, 422)
    for message in map(_message, messages):
        if not message.private or await _may_write(services, token, message.topic):
            services.rooms.say(message.topic, message.private, message.payload_json)
    return Response(status_code=202)


async def _may_write(services: Services, token: Token, topic: str) -> bool:
    try:
        return await may_write(services.sessions, token, topic)
    except DatabaseUnreachable:
        return False


def _problems(message: Json, broadcast_bytes: int) -> dict[str, list[str]]:
    if not isinstance(message, dict):
        return {"payload": _BLANK}
    fields = cast("dict[str, Json]", message)
    wrong = {key: _BLANK for key in ("topic", "event", "payload") if fields.get(key) in (None, "")}
    wrong |= {key: _INVALID for key in ("topic", "event") if key not in wrong and not isinstance(fields[key], str)}
    if "payload" not in wrong and not isinstance(fields["payload"], dict):
        wrong["payload"] = _INVALID
    if not wrong and len(dump(fields["payload"])) > broadcast_bytes:
        wrong["payload"] = ["Payload size exceeds tenant limit"]
    return wrong


def _message(message: Json) -> Message:
    fields = cast("dict[str, Json]", message)
    payload = {"event": fields["event"], "payload": fields["payload"], "type": "broadcast"}
    return Message(str(fields["topic"]), fields.get("private") is True, dump(payload))
