"""Sends one prompt and follows it to its end: why it waits, what its terminal shows, how it ended."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

from semo.office_api import OfficeApi
from semo.problems import Exit
from shared.terminal_text import TerminalText

_UNTIL_FINAL_SECONDS = 20
_UNTIL_STARTED_SECONDS = 0.5
_UNTIL_MORE_SECONDS = 2
_PAGE_BYTES = 262_144


@dataclass(frozen=True)
class Said:
    """Something worth showing: why it is `waiting`, `output` as readable text, or the `command` as it is by now."""

    kind: Literal["stored", "waiting", "started", "output", "ended"]
    text: str = ""
    command: dict[str, Any] | None = None


async def follow(api: OfficeApi, command_id: str) -> AsyncIterator[Said]:
    """Yields what happens to a command until it is final. Ends by itself; may be left at any time."""
    command = await api.get(f"/commands/{command_id}")
    yield Said("stored", command=command)
    waited = ""
    while command["output_start"] is None and not _is_final(command):
        waiting: dict[str, Any] | None = command["waiting"]
        if waiting and waiting["detail"] != waited:
            waited = str(waiting["detail"])
            yield Said("waiting", text=waited, command=command)
        command = await api.get(f"/commands/{command_id}", wait=_UNTIL_STARTED_SECONDS)

    if command["output_start"] is not None:
        yield Said("started", command=command)
        ended = asyncio.create_task(_until_final(api, command_id))
        try:
            async for text in _text_until(ended, api, command["session_id"], command["output_start"]):
                yield Said("output", text=text)
            command = await ended
        finally:
            await _drop(ended)
    yield Said("ended", command=command)


async def _text_until(
    ended: asyncio.Task[dict[str, Any]], api: OfficeApi, session_id: str, start: int
) -> AsyncIterator[str]:
    """What one turn shows from byte `start` of its session's output on, as readable text."""
    session = await api.get(f"/sessions/{session_id}")
    text = TerminalText(session["agent"])
    async for told in _told_until(ended, api, f"/sessions/{session_id}/output", start):
        if shown := text.feed(told):
            yield shown
    if shown := text.finish():
        yield shown


async def _told_until(ended: asyncio.Task[dict[str, Any]], api: OfficeApi, path: str, start: int) -> AsyncIterator[str]:
    """What the terminal is told from byte `start` on, to the end that the result of the final command names."""
    offset = start
    while not ended.done():
        asked = asyncio.create_task(api.get(path, after=offset, limit=_PAGE_BYTES, wait=_UNTIL_MORE_SECONDS))
        try:
            await asyncio.wait((asked, ended), return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                page = await asked
                offset = page["next"]
                yield page["output"]
        finally:
            await _drop(asked)

    end = _turn_end(await ended)
    while end is None or offset < end:  # a result never comes before its output: nothing to wait for
        page = await api.get(path, after=offset, limit=_PAGE_BYTES if end is None else min(end - offset, _PAGE_BYTES))
        if not page["output"]:
            return
        offset = page["next"]
        yield page["output"]


async def _drop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _turn_end(command: dict[str, Any]) -> int | None:
    result: dict[str, Any] | None = command["result"]
    return result.get("output_end") if result else None


async def _until_final(api: OfficeApi, command_id: str) -> dict[str, Any]:
    while True:
        command = await api.get(f"/commands/{command_id}", wait=_UNTIL_FINAL_SECONDS)
        if _is_final(command):
            return command


def _is_final(command: dict[str, Any]) -> bool:
    return command["status"] not in ("pending", "processing")


def exit_code_of(command: dict[str, Any]) -> Exit:
    """DONE only when the agent was done; everything else says what kept it from that."""
    match command["status"]:
        case "completed":
            return Exit.DONE
        case "lost":
            return Exit.LOST
        case "expired" | "cancelled":
            return Exit.NOT_TAKEN
        case _:
            return Exit.REFUSED if command.get("error_code") in ("policy_forbids", "invalid_payload") else Exit.NOT_DONE
