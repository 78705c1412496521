"""A stub of the Responses API on loopback, as Codex asks it: answers by script, streams, records what it was asked.

The scripts are those of `messages_api`: one for each keyword, chosen by the last prompt that holds it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

from tests.support.messages_api import Fail, Say, Step, Use, say

Item = dict[str, Any]

USAGE = {
    "input_tokens": 1000, "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 100, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1100,
}  # fmt: skip


@dataclass
class ResponsesApi:
    """Runs while the block of `serving` does. `requests` holds every body that came to /v1/responses."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    others: list[str] = field(default_factory=list[str])
    """Method and path of everything else that was asked."""
    _scripts: dict[str, Sequence[Step]] = field(default_factory=dict[str, Sequence[Step]])
    _numbers: "count[int]" = field(default_factory=count)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> "AsyncGenerator[ResponsesApi]":
        api = cls()
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/responses", api._responses)
        app.router.add_route("*", "/{path:.*}", api._other)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            api.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
            yield api
        finally:
            await runner.cleanup()

    def script(self, keyword: str, *steps: Step) -> str:
        """What to answer to prompts that hold `keyword`, step by step; the last one again and again."""
        self._scripts[keyword] = steps
        return keyword

    def asked(self, keyword: str) -> list[dict[str, Any]]:
        """The requests of conversations (not of the agent's small side questions) whose last prompt holds `keyword`."""
        return [one for one in self.requests if not _is_aside(one) and self._chosen(one["input"])[0] == keyword]

    async def until_asked(self, keyword: str, times: int = 1) -> dict[str, Any]:
        """The latest of at least `times` requests for `keyword`."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.asked(keyword)) >= times)
        return self.asked(keyword)[-1]

    def _chosen(self, items: Sequence[Item]) -> tuple[str | None, int]:
        """The keyword of the last prompt that holds one, and how many answers came since."""
        answers = 0
        for item in reversed(items):
            if item.get("role") == "assistant" or item.get("type") == "function_call":
                answers += 1
            elif item.get("role") == "user":
                text = _text_of(item)
                places = {text.rfind(keyword): keyword for keyword in self._scripts if keyword in text}
                if places:
                    return places[max(places)], answers
        return None, answers

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        async with self._changed:
            self.requests.append(body)
            self._changed.notify_all()
        keyword, answers = self._chosen(body["input"])
        steps = self._scripts.get(keyword or "", ())
        step = steps[min(answers, len(steps) - 1)] if steps and not _is_aside(body) else say("{}")
        if isinstance(step, Fail):
            error = {"error": {"type": step.kind, "code": step.kind, "message": step.message}}
            return web.json_response(error, status=step.status)
        return await self._stream(request, step, f"{next(self._numbers):06d}", body.get("model", ""))

    async def _stream(self, request: web.Request, step: Say | Use, name: str, model: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        numbers = count()

        async def send(kind: str, **fields: Any) -> None:
            event = {"type": kind, "sequence_number": next(numbers), **fields}
            await response.write(f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode())

        whole: Item = {"id": f"resp_{name}", "object": "response", "model": model, "output": []}
        await send("response.created", response={**whole, "status": "in_progress"})
        pieces = step.pieces if isinstance(step, Say) else [step.words]
        message: Item = {"type": "message", "id": f"msg_{name}", "role": "assistant", "status": "in_progress"}
        await send("response.output_item.added", output_index=0, item={**message, "content": []})
        for piece in pieces:
            await send(
                "response.output_text.delta", output_index=0, content_index=0, item_id=message["id"], delta=piece
            )
        if isinstance(step, Say) and step.hold is not None:
            await step.hold.wait()
        text: Item = {"type": "output_text", "text": "".join(pieces), "annotations": []}
        output: list[Item] = [{**message, "status": "completed", "content": [text]}]
        if isinstance(step, Use):
            call: Item = {"type": "function_call", "id": f"fc_{name}", "call_id": f"call_{name}", "name": step.tool}
            output.append({**call, "arguments": json.dumps(step.input), "status": "completed"})
        for index, item in enumerate(output):
            await send("response.output_item.done", output_index=index, item=item)
        await send("response.completed", response={**whole, "output": output, "status": "completed", "usage": USAGE})
        return response

    async def _other(self, request: web.Request) -> web.Response:
        self.others.append(f"{request.method} {request.path}")
        return web.json_response({"error": {"type": "not_found", "message": "not here"}}, status=404)


def _is_aside(body: dict[str, Any]) -> bool:
    """It asks for data in a form, as for the name of a conversation."""
    return "format" in body.get("text", {})


def _text_of(item: Item) -> str:
    content = item["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if "text" in part)
