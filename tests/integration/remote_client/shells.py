"""A shell agent at work in a real terminal, followed as the client follows it."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from remote_client.agents.adapter import AgentDriver, TurnEnd, Typing, Wish
from remote_client.agents.shell import ShellAdapter
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.terminals import FIRST_BYTE, Chunk, TerminalSpec
from shared.ids import SessionId

DONE = "echo '[SEMO:DONE]'"
AT_ONCE = Typing(before=lambda: None, after=lambda _offset: None)
MOST_BYTES = 10_000_000

_MARK = re.compile(r"\x1b\]133;[^\x07]*\x07")


class Shell:
    """One bash in a terminal of 80 columns and 24 rows."""

    def __init__(self, driver: AgentDriver, terminals: InProcessTerminals, session_id: SessionId) -> None:
        self.driver = driver
        self.terminals = terminals
        self.session_id = session_id

    async def run(self, script: str, timeout_seconds: float = 60) -> TurnEnd:
        return await self.driver.run_prompt(script, timeout_seconds, AT_ONCE)

    async def put_out(self) -> str:
        """All that the terminal was given, but for our marks, which no terminal shows."""
        raw = await self.terminals.read_from(self.session_id, FIRST_BYTE, MOST_BYTES)
        return _MARK.sub("", raw.data.decode())


@asynccontextmanager
async def working_shell(folder: Path) -> AsyncGenerator[Shell]:
    terminals, adapter, session_id = InProcessTerminals(), ShellAdapter(), SessionId(uuid4())
    launch = adapter.launch(Wish(session_id, folder, folder))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **launch.environment}
    await terminals.create(TerminalSpec(session_id, launch.command, folder, environment, 80, 24))
    driver = adapter.drive(session_id, terminals, launch.memory)

    async def follow() -> None:
        async for chunk in terminals.follow(session_id, FIRST_BYTE):
            if isinstance(chunk, Chunk):
                driver.feed(chunk)
        driver.end(await terminals.wait(session_id))

    following = asyncio.create_task(follow())
    await driver.until_ready(5)
    try:
        yield Shell(driver, terminals, session_id)
    finally:
        await terminals.kill(session_id, 0.2)
        await following
