"""What moves in an office, as one stream of server-sent events that can be taken up again from any of them."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from office_server.access import Access, Viewer, still_let_in
from office_server.following import Follower
from office_server.rows import Event
from office_server.services import Services, ServicesDep
from shared.errors import OfficeError, Refused, Unavailable

router = APIRouter(prefix="/api/offices/{office_id}/events", tags=["events"])
_PLACE = r"^[0-9]{1,19}-[0-9]{1,18}$"
_RECONNECT_MS = 2000

Kind = Annotated[str, Query(pattern=r"^[a-z_]{1,40}(\.[a-z_]{1,40})?$")]


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


_ONE_EVENT = {
    "type": "object",
    "description": "one of them: `data` is the event as JSON, `event` its kind, `id` what to go on from",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
}


@router.get("", response_class=EventStream, responses={200: {"content": {"text/event-stream": {"schema": _ONE_EVENT}}}})
async def follow_office(
    access: Viewer,
    services: ServicesDep,
    after: Annotated[
        str | None,
        Query(pattern=_PLACE, description="the id of the last event that you have; 0-0: all that are kept"),
    ] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", pattern=_PLACE)] = None,
    kinds: Annotated[
        list[Kind] | None, Query(max_length=50, description="whole kinds, or their first part", examples=[["command"]])
    ] = None,
    wait: Annotated[
        float | None, Query(ge=0, le=86_400, description="Seconds after which the stream ends; otherwise it goes on")
    ] = None,
) -> EventStream:
    """Commands with each of their steps, sessions, turns, machines, circuits, and all else that is told of the office.

    Begins with what happens from now on, or after the event that is named (`Last-Event-ID` before `after`). Each event
    has an id, its kind as `event`, and JSON as `data`. Lines that begin with a colon only show that the stream lives.
    It ends with an event `end` when the token is over or the server stops; take it up again from the last id.
    """
    stack = AsyncExitStack()
    following = services.feed.following(access.office.id, last_event_id or after, kinds or [])
    follower = await stack.enter_async_context(following)
    return EventStream(_stream(services, access, stack, follower, wait), headers={"Cache-Control": "no-store"})


async def _stream(
    services: Services, access: Access, stack: AsyncExitStack, follower: Follower, wait: float | None
) -> AsyncGenerator[str]:
    async with stack:
        heartbeat = services.settings.heartbeat_seconds
        began = datetime.now(UTC)
        yield f"retry: {_RECONNECT_MS}\nid: {follower.place}\n\n"
        while True:
            now = datetime.now(UTC)
            left = [heartbeat]
            if wait is not None:
                left.append(wait - (now - began).total_seconds())
            if access.token.expires_at is not None:
                left.append((access.token.expires_at - now).total_seconds())
            events = await follower.more(max(0.0, min(left)))
            for event in events:
                yield _written(event)
            if events:
                continue
            if services.feed.closing:
                yield _end("server_stops", "The server stops; another one goes on from the last id.")
                return
            if (over := await _over(services, access)) is not None:
                yield _end(over.code, over.detail)
                return
            if wait is not None and (datetime.now(UTC) - began).total_seconds() >= wait:
                return
            yield f": still here\nid: {follower.place}\n\n"


async def _over(services: Services, access: Access) -> OfficeError | None:
    """Why the caller may follow no longer."""
    try:
        await still_let_in(services, access)
    except Refused as error:
        return error
    except Unavailable:
        pass  # not known, and the stream shows nothing meanwhile anyway
    return None


def _written(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"


def _end(code: str, detail: str) -> str:
    return f"event: end\ndata: {json.dumps({'code': code, 'detail': detail})}\n\n"
