"""What happens in one execution, as server-sent events: what was told of it, and what its terminal shows."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from office_server.output import stitch
from office_server.services import Services
from shared.ids import ByteOffset, CommandId, ExecutionId, OfficeId, SessionId

_LEAST_PAUSE_SECONDS = 0.02
_OUTPUT_BYTES = 262_144
_FINAL = ("completed", "failed", "killed")


async def execution_stream(services: Services, office: OfficeId, execution: ExecutionId) -> AsyncIterator[str]:
    """Ends with the execution, or when the server stops. What was shown before comes first."""
    moved = asyncio.Event()
    last_event = 0
    shown = _Shown(services)
    with services.hints.following(office, moved.set):
        while not services.results.closing:
            moved.clear()
            state = await services.backend.plans.execution(execution)
            events = await services.backend.plans.execution_events(execution, last_event)
            is_over = state["finished_at"] is not None
            for event in events:
                last_event = event["id"]
                thing, _, what = str(event["kind"]).partition(".")
                if thing != "execution":
                    continue
                if what in _FINAL:
                    async for text in shown.more_of(state):
                        yield text
                if error := event["detail"].get("error"):
                    yield _said("error", {"error": error, "error_code": event["detail"].get("error_code")})
                yield _said(what, event["detail"] | {"at": event["at"]}, last_event)
            if is_over:
                return
            async for text in shown.more_of(state):
                yield text
            try:
                async with asyncio.timeout(services.settings.output_poll_seconds):
                    await moved.wait()
                await asyncio.sleep(_LEAST_PAUSE_SECONDS)  # an office that moves a lot is not looked at for each move
            except TimeoutError:
                pass


class _Shown:
    """Up to where the terminal of an execution was shown, turn by turn."""

    def __init__(self, services: Services) -> None:
        self._backend = services.backend
        self._command: CommandId | None = None
        self._at: ByteOffset | None = None

    async def more_of(self, state: dict[str, Any]) -> AsyncIterator[str]:
        if state["command_id"] is None or state["session_id"] is None:
            return
        command = CommandId(UUID(state["command_id"]))
        if command != self._command:
            self._command, self._at = command, None
        if self._at is None:
            self._at = await self._backend.commands.output_start(command)
        if self._at is None:
            return
        session = SessionId(UUID(state["session_id"]))
        result: dict[str, Any] = state["result"] or {}
        end: int | None = result.get("output_end")
        while end is None or self._at < end:
            limit = _OUTPUT_BYTES if end is None else min(_OUTPUT_BYTES, end - self._at)
            page = stitch(await self._backend.sessions.output(session, self._at), self._at, limit)
            if not page.text:
                return
            self._at = page.next
            yield _said("output", {"output": page.text, "start": page.start, "next": page.next})


def _said(event: str, data: dict[str, Any], number: int | None = None) -> str:
    name = f"id: {number}\n" if number is not None else ""
    return f"{name}event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
