"""Sends one prompt and follows it to its end: why it waits, what its terminal shows, how it ended."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

from semo.office_api import OfficeApi
from semo.problems import Exit

_LONG_POLL_SECONDS = 20
_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system commands: titles, prompt marks
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # device control and private strings
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|\x1b[ -/]*[0-~]"  # single functions
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)


@dataclass(frozen=True)
class Said:
    """Something worth showing: `waiting` in words, `output` of the terminal as plain text, or the final `command`."""

    kind: Literal["stored", "waiting", "started", "output", "ended"]
    text: str = ""
    command: dict[str, Any] | None = None


def plain(terminal: str) -> str:
    """What a terminal was told, without escapes and carriage returns."""
    return _ESCAPES.sub("", terminal.replace("\r\n", "\n"))


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
        command = await api.get(f"/commands/{command_id}", wait=1)

    if command["output_start"] is not None:
        yield Said("started", command=command)
        ended = asyncio.create_task(_until_final(api, command_id))
        try:
            async for text in _output_until(api, command["session_id"], command["output_start"], ended):
                yield Said("output", text=text)
            command = await ended
        finally:
            ended.cancel()
    yield Said("ended", command=command)


async def _output_until(
    api: OfficeApi, session_id: str, start: int, ended: asyncio.Task[dict[str, Any]]
) -> AsyncIterator[str]:
    """The plain output of one turn from byte `start`, to the end that the finished command's result names."""
    offset = start
    while True:
        finished = ended.done()
        end = _turn_end(await ended) if finished else None
        page = await api.get(f"/sessions/{session_id}/output", after=offset, wait=1)
        if page["output"]:
            yield plain(page["output"])
        offset = page["next"]
        if finished and (end is None or offset >= end or not page["output"]):
            return


def _turn_end(command: dict[str, Any]) -> int | None:
    result: dict[str, Any] | None = command["result"]
    return result.get("output_end") if result else None


async def _until_final(api: OfficeApi, command_id: str) -> dict[str, Any]:
    while True:
        command = await api.get(f"/commands/{command_id}", wait=_LONG_POLL_SECONDS)
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
