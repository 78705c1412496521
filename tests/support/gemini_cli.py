"""The real Gemini CLI for tests: the pinned one from npm, in a HOME of its own, and a stub of its API on loopback."""

import asyncio
import json
import os
import shutil
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.messages_api import Fail, Say, Step, say

AGENTS = Path(__file__).parents[2] / ".tools" / "agents"


def unshared_folder() -> Path:
    """Where nobody else may write, above it either: Gemini CLI reads no settings from below a folder like /tmp."""
    if any(folder.stat().st_mode & stat.S_IWOTH for folder in AGENTS.parents):
        folder = Path.home() / ".cache" / "semo-office-tests"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    return AGENTS.parent


def gemini_command() -> list[str]:
    """Skips the test where `scripts/test-tools` could not fetch it; under CI that fails."""
    script = AGENTS / "node_modules" / "@google" / "gemini-cli" / "bundle" / "gemini.js"
    node = shutil.which("node")
    if node is not None and script.exists():
        return [node, str(script)]
    missing = "there is no Gemini CLI for tests: run scripts/test-tools (it needs npm)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def gemini_home(folder: Path, api_url: str) -> dict[str, str]:
    """A person's machine after they have chosen how to sign in; returns all that the agent gets, besides PATH."""
    (folder / ".gemini").mkdir(parents=True)
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
    }
    (folder / ".gemini" / "settings.json").write_text(json.dumps(settings))
    return {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "GEMINI_API_KEY": "made-up-for-tests",
        "GOOGLE_GEMINI_BASE_URL": api_url,
        "GEMINI_TELEMETRY_ENABLED": "false",
    }


@dataclass
class GeminiApi:
    """Answers by script, one step for each keyword and request, as long as there are steps; `asked` are all bodies."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _scripts: dict[str, list[Step]] = field(default_factory=dict[str, list[Step]])
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> "AsyncGenerator[GeminiApi]":
        api = cls()
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/{version}/models/{method}", api._generate)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield api
        finally:
            await runner.cleanup()

    def script(self, keyword: str, *steps: Step) -> None:
        """What to answer to what holds `keyword` last; the last step again and again."""
        self._scripts[keyword] = list(steps)

    async def until_asked(self, keyword: str) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: any(self._keyword(body) == keyword for body in self.asked))

    def _keyword(self, body: dict[str, Any]) -> str | None:
        text = json.dumps(body.get("contents", []))
        places = {text.rfind(keyword): keyword for keyword in self._scripts if keyword in text}
        return places[max(places)] if places else None

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        async with self._changed:
            self.asked.append(body)
            self._changed.notify_all()
        steps = self._scripts.get(self._keyword(body) or "", [])
        step = (steps.pop(0) if len(steps) > 1 else steps[0]) if steps else say("ok")
        if isinstance(step, Fail):
            error = {"code": step.status, "message": step.message, "status": step.kind}
            return web.json_response({"error": error}, status=step.status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        parts: list[dict[str, Any]] = []
        if isinstance(step, Say):
            parts += [{"text": piece} for piece in step.pieces]
        else:
            parts.append({"functionCall": {"name": step.tool, "args": step.input}})
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            if last and isinstance(step, Say) and step.hold is not None:
                await step.hold.wait()
            candidate = {"index": 0, "content": {"role": "model", "parts": [part]}}
            candidate |= {"finishReason": "STOP"} if last else {}
            await response.write(f"data: {json.dumps({'candidates': [candidate]})}\r\n\r\n".encode())
        return response
