"""A stub of the Messages API on loopback: answers by script, streams as the real one does, records what it was asked.

A script belongs to a keyword. The last prompt that holds one chooses the script; how often the assistant has answered
since then chooses the step, so that retries and several sessions at once need no state here.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

Message = dict[str, Any]
_Block = tuple[dict[str, Any], list[dict[str, Any]]]

USAGE = {"input_tokens": 1000, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 100}


@dataclass(frozen=True)
class Say:
    """Text in pieces. `hold`: streams them, and then nothing until it is set or the agent hangs up."""

    pieces: Sequence[str]
    hold: asyncio.Event | None = None


@dataclass(frozen=True)
class Use:
    """One call of a tool, after a few words."""

    tool: str
    input: dict[str, Any]
    words: str = "Let me do that."


@dataclass(frozen=True)
class Fail:
    """An error of the API; `kind` as the real one names it."""

    status: int
    kind: str
    message: str = "made up by the test"


Step = Say | Use | Fail


def say(*pieces: str) -> Say:
    return Say(pieces)


@dataclass
class MessagesApi:
    """Runs while the block of `serving` does. `requests` holds every body that came to /v1/messages."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    others: list[str] = field(default_factory=list[str])
    """Method and path of everything else that was asked."""
    _scripts: dict[str, Sequence[Step]] = field(default_factory=dict[str, Sequence[Step]])
    _numbers: "count[int]" = field(default_factory=count)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> "AsyncGenerator[MessagesApi]":
        api = cls()
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/messages", api._messages)
        app.router.add_post("/v1/messages/count_tokens", api._count_tokens)
        app.router.add_route("*", "/{path:.*}", api._other)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield api
        finally:
            await runner.cleanup()

    def script(self, keyword: str, *steps: Step) -> str:
        """What to answer to prompts that hold the word `keyword`, step by step; the last one again and again."""
        self._scripts[keyword] = steps
        return keyword

    def asked(self, keyword: str) -> list[dict[str, Any]]:
        """The requests of conversations (not of the agent's small side questions) whose last prompt holds `keyword`."""
        return [one for one in self.requests if one.get("tools") and self._chosen(one["messages"])[0] == keyword]

    async def until_asked(self, keyword: str, times: int = 1) -> dict[str, Any]:
        """The latest of at least `times` requests for `keyword`."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.asked(keyword)) >= times)
        return self.asked(keyword)[-1]

    def _chosen(self, messages: Sequence[Message]) -> tuple[str | None, int]:
        """The keyword of the last prompt that holds one, and how many answers came since."""
        answers = 0
        for message in reversed(messages):
            if message["role"] == "assistant":
                answers += 1
                continue
            text = _text_of(message)  # several prompts, where the ones before got no answer
            found = [(match.start(), one) for one in self._scripts for match in re.finditer(rf"\b{one}\b", text)]
            if found:
                return max(found)[1], answers
        return None, answers

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        async with self._changed:
            self.requests.append(body)
            self._changed.notify_all()
        keyword, answers = self._chosen(body["messages"])
        steps: Sequence[Step] = self._scripts.get(keyword or "", ())
        step = steps[min(answers, len(steps) - 1)] if steps and body.get("tools") else say("ok")
        if isinstance(step, Fail):
            error = {"type": "error", "error": {"type": step.kind, "message": step.message}}
            return web.json_response(error, status=step.status)
        name = f"{next(self._numbers):06d}"
        message = {"id": f"msg_{name}", "type": "message", "role": "assistant", "model": body["model"],
                   "stop_sequence": None}  # fmt: skip
        if not body.get("stream"):
            reason = "tool_use" if isinstance(step, Use) else "end_turn"
            content = [block for block, _ in _blocks(step, name)]
            return web.json_response({**message, "content": content, "stop_reason": reason, "usage": USAGE})
        return await self._stream(request, step, message, name)

    async def _stream(self, request: web.Request, step: Say | Use, message: Message, name: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(kind: str, **fields: Any) -> None:
            await response.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())

        opening: Message = {**message, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
        await send("message_start", message=opening)
        for index, (block, deltas) in enumerate(_blocks(step, name)):
            empty: dict[str, Any] = block | ({"text": ""} if block["type"] == "text" else {"input": {}})
            await send("content_block_start", index=index, content_block=empty)
            for delta in deltas:
                await send("content_block_delta", index=index, delta=delta)
            if isinstance(step, Say) and step.hold is not None:
                await step.hold.wait()
            await send("content_block_stop", index=index)
        reason = "tool_use" if isinstance(step, Use) else "end_turn"
        await send("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=USAGE)
        await send("message_stop")
        return response

    async def _count_tokens(self, request: web.Request) -> web.Response:
        return web.json_response({"input_tokens": len(await request.text()) // 4})

    async def _other(self, request: web.Request) -> web.Response:
        self.others.append(f"{request.method} {request.path}")
        error = {"type": "error", "error": {"type": "not_found_error", "message": "not here"}}
        return web.json_response(error, status=404)


def _blocks(step: Say | Use, name: str) -> list[_Block]:
    """Each block of content, whole and as the pieces in which it is streamed."""
    pieces = step.pieces if isinstance(step, Say) else [step.words]
    text = {"type": "text", "text": "".join(pieces)}
    blocks: list[_Block] = [(text, [{"type": "text_delta", "text": piece} for piece in pieces])]
    if isinstance(step, Use):
        block = {"type": "tool_use", "id": f"toolu_{name}", "name": step.tool, "input": step.input}
        blocks.append((block, [{"type": "input_json_delta", "partial_json": json.dumps(step.input)}]))
    return blocks


def _text_of(message: Message) -> str:
    """The words of a message, without what tools gave back."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block.get("type") == "text")
