"""Reads what Claude Code writes down of a conversation: what is new since a turn began, of that a bounded tail."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from remote_client.agents.adapter import Evidence
from remote_client.agents.tool_use import ToolUse, gist

TAIL_BYTES = 4_194_304
MESSAGE_CHARACTERS = 300
INTERRUPTED = (["[Request interrupted by user]"], ["[Request interrupted by user for tool use]"])
_TELLING = (b'"usage"', b"[Request interrupted by user", b'"isApiErrorMessage"', b'"tool_result"')
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Transcript:
    """One conversation. Nothing is there before the first prompt; a line that is not whole yet waits.

    `session_id`: its name in Claude Code. `in_turn`: it became known in the midst of a turn, which began with the last
    prompt that stands there.
    """

    def __init__(self, session_id: str, path: Path, in_turn: bool = False) -> None:
        self.session_id = session_id
        self.path = path
        self._offset = 0
        self._seeks_prompt = in_turn
        self._began_at: datetime | None = None
        self._usage: dict[str, dict[str, int]] = {}
        self._reading = threading.Lock()
        self.said: list[Evidence] = []
        """All news since the turn began."""
        self.partial = False
        """Whether some of it was too much to be read."""
        self.tools: deque[ToolUse] = deque()
        """News of tools since the turn began, for whoever takes them from here."""
        self._in_use: dict[str, ToolUse] = {}

    @property
    def usage(self) -> dict[str, int]:
        """Tokens of all messages since the turn began."""
        return {name: sum(one[name] for one in self._usage.values()) for name in _COUNTS} if self._usage else {}

    def begin_turn(self) -> None:
        """What stands there now is of earlier turns, and so is what comes late of them."""
        self._offset = self.path.stat().st_size if self.path.exists() else 0
        self._usage.clear()
        self.said.clear()
        self.tools.clear()
        self._in_use.clear()
        self._began_at = datetime.now(UTC)
        self._seeks_prompt = self.partial = False

    async def evidence(self, says: str | None) -> list[Evidence]:
        """The latest news of that kind, and by which name the conversation can be gone on with."""
        await self.news()
        conversation: Evidence = {"kind": "agent_session", "session_id": self.session_id}
        if self._usage:
            conversation |= {"usage": self.usage, "partial": self.partial}
        return [*[one for one in self.said if one["says"] == says][-1:], conversation]

    async def news(self) -> list[Evidence]:
        """What it says since it was last asked: interruptions and errors of the API."""
        return await asyncio.to_thread(self._news)

    def _news(self) -> list[Evidence]:
        with self._reading:  # who asked may have been cancelled meanwhile, and asks again
            found = self._look()
            self.said += found
            return found

    def _look(self) -> list[Evidence]:
        lines = self._new_lines()
        if self._seeks_prompt and lines:
            self._seeks_prompt = False
            last = max((number for number, line in enumerate(lines) if _is_prompt(line)), default=-1)
            lines = lines[last + 1 :]
        return [told for line in lines for told in self._read(line)]

    def _new_lines(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                start = max(self._offset, size - TAIL_BYTES)
                file.seek(start)
                data = file.read(size - start)
        except FileNotFoundError:
            return []
        if start > self._offset:  # it begins in the midst of a line
            self.partial = True
            cut = data.find(b"\n") + 1
            start, data = start + cut, data[cut:]
        whole = data.rfind(b"\n") + 1
        self._offset = start + whole
        return data[:whole].splitlines()

    def _read(self, line: bytes) -> Iterator[Evidence]:
        if not any(word in line for word in _TELLING):
            return
        try:
            entry: Any = json.loads(line)
            if entry.get("isSidechain"):
                return
            if self._is_earlier(str(entry.get("timestamp", ""))):
                return
            if entry["type"] == "user" and _is_interruption(entry["message"]["content"]):
                yield {"kind": "transcript", "says": "interrupted"}
            elif entry["type"] == "user":
                self._end_tools(entry)
            elif entry["type"] == "assistant":
                message = entry["message"]
                self._count(str(message["id"]), message["usage"])
                self._begin_tools(entry)
                if entry.get("isApiErrorMessage"):
                    yield {"kind": "transcript", "says": "error", **_error(entry)}
        except (ValueError, KeyError, TypeError, AttributeError):
            self.partial = True  # another version writes it otherwise: what it says is not known

    def _is_earlier(self, timestamp: str) -> bool:
        return bool(timestamp) and self._began_at is not None and datetime.fromisoformat(timestamp) < self._began_at

    def _begin_tools(self, entry: dict[str, Any]) -> None:
        for block in _blocks(entry, "tool_use"):
            use = ToolUse(str(block["name"]), gist(block.get("input")), _time_of(entry))
            if self._in_use.setdefault(str(block["id"]), use) is use:
                self.tools.append(use)

    def _end_tools(self, entry: dict[str, Any]) -> None:
        for block in _blocks(entry, "tool_result"):
            use = self._in_use.pop(str(block["tool_use_id"]), None)
            if use is not None:
                self.tools.append(replace(use, at=_time_of(entry), over=True, failed=bool(block.get("is_error"))))

    def _count(self, message_id: str, usage: dict[str, Any]) -> None:
        self._usage[message_id] = {name: int(usage.get(name) or 0) for name in _COUNTS}


def _blocks(entry: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Of a message's content those of a kind; a prompt is a mere text."""
    content: Any = entry["message"].get("content")
    blocks = cast(list[Any], content) if isinstance(content, list) else []
    return [block for block in blocks if block.get("type") == kind]


def _time_of(entry: dict[str, Any]) -> datetime:
    told = entry.get("timestamp")
    return datetime.fromisoformat(str(told)) if told else datetime.now(UTC)


def _is_prompt(line: bytes) -> bool:
    if b'"type":"user"' not in line.replace(b'": ', b'":'):
        return False
    try:
        entry: Any = json.loads(line)
        return entry["type"] == "user" and isinstance(entry["message"]["content"], str)
    except (ValueError, KeyError, TypeError):
        return False


def _is_interruption(content: Any) -> bool:
    """A prompt of the same words is a text, not a block of its own."""
    return isinstance(content, list) and [block.get("text") for block in cast(list[Any], content)] in INTERRUPTED


def _error(entry: dict[str, Any]) -> Evidence:
    found: Evidence = {"error": str(entry.get("error", "unknown"))}
    if isinstance(entry.get("apiErrorStatus"), int):
        found["status"] = entry["apiErrorStatus"]
    texts = [str(block.get("text", "")) for block in entry["message"].get("content", [])]
    return found | {"message": " ".join(texts)[:MESSAGE_CHARACTERS]}
