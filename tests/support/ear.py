"""A line on a hostile server, at a quick pace, and all that became of it in the order it happened."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from realtime_line.line import Line, LineState, Pace
from realtime_line.socket import Endpoint, Inserts
from tests.support.hostile_realtime import SECONDS, HostileRealtime

TOPIC = "office:1:commands"
QUICK = Pace(connect=1, join=1, ask=1, hear=0.5, quiet=0.1, pause_factor=0.02)
SECOND_PATH = Inserts("agent_commands", "office_id=eq.1")


@dataclass
class Ear:
    """What a listener was told. It raises for hints whose event is "unbearable"."""

    states: asyncio.Queue[LineState] = field(default_factory=asyncio.Queue[LineState])
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])
    """The events of hints, `INSERT …` for inserted rows, and `gap`; echoes are left out."""
    renewed: list[bool] = field(default_factory=list[bool])
    """For each token that was asked for, whether it had to be a new one."""

    def on_broadcast(self, event: str, payload: Mapping[str, Any]) -> None:
        if event == "unbearable":
            raise ValueError(payload)
        if event != "echo":
            self.heard.put_nowait(event)

    def on_insert(self, record: Mapping[str, Any]) -> None:
        self.heard.put_nowait(f"INSERT {record['id']}")

    def on_gap(self) -> None:
        self.heard.put_nowait("gap")

    async def token(self, renew: bool) -> str:
        self.renewed.append(renew)
        return f"token {len(self.renewed)}"

    async def until(self, state: LineState) -> list[LineState]:
        """The states on the way to the next `state`, that one included."""
        passed: list[LineState] = []
        async with asyncio.timeout(SECONDS):
            while not passed or passed[-1] is not state:
                passed.append(await self.states.get())
        return passed

    async def hears(self, event: str) -> list[str]:
        """What was heard before `event`."""
        before: list[str] = []
        async with asyncio.timeout(SECONDS):
            while (heard := await self.heard.get()) != event:
                before.append(heard)
        return before


@asynccontextmanager
async def listening(server: HostileRealtime, url: str = "", pace: Pace = QUICK) -> AsyncGenerator[tuple[Line, Ear]]:
    """A line that runs until the block ends; with `url`, by another way than straight to the server."""
    ear = Ear()
    line = Line(
        Endpoint(url or server.url, "key"),
        TOPIC, ear.token, server.echo, ear, ear.states.put_nowait, SECOND_PATH, pace,
    )  # fmt: skip
    running = asyncio.create_task(line.run())
    try:
        yield line, ear
    finally:
        running.cancel()
        await asyncio.wait([running])
