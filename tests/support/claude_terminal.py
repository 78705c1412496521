"""One real Claude Code in a real terminal with its driver, as a client runs it, but without a client and an office."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import git

from remote_client.agents.adapter import AgentDriver, Evidence, TurnEnd, Typing, Wish
from remote_client.agents.claude import ClaudeAdapter
from remote_client.policy import AgentRule
from remote_client.ptyhost.hooks import serve_hook
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.terminals import FIRST_BYTE, Chunk, TerminalSpec
from shared.ids import ByteOffset, SessionId
from shared.states import SessionStatus
from tests.support.claude_cli import ClaudeHome, claude_program

_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[\]])")

READY_SECONDS = 30.0
TURN_SECONDS = 30.0


@dataclass
class ClaudeTerminal:
    """`running` gives one that is ready for a prompt. `moves`: what its driver told while turns ran, oldest first."""

    terminals: InProcessTerminals
    session_id: SessionId
    home: ClaudeHome
    folder: Path
    driver: AgentDriver
    memory: dict[str, str]
    output: bytearray = field(default_factory=bytearray)
    moves: list[tuple[SessionStatus, Evidence]] = field(default_factory=list[tuple[SessionStatus, Evidence]])
    confirmed: int = 0
    _told: asyncio.Condition = field(default_factory=asyncio.Condition)
    follower: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def running(
        cls, api_url: str, *, rule: AgentRule | None = None, cols: int = 120, home: ClaudeHome | None = None,
        trusted: bool = True, ready: bool = True, **options: str,
    ) -> "AsyncGenerator[ClaudeTerminal]":  # fmt: skip
        """`options`: model, mcp, resume. `home`: another session's, whose conversations are there still."""
        place = Path(tempfile.mkdtemp(prefix="semo-claude-"))
        folder = home.folder.parent / "repo" if home is not None else place / "repo"
        if home is None:
            with git.Repo.init(folder, initial_branch="main").config_writer() as config:
                config.set_value("user", "name", "Test").set_value("user", "email", "test@semo.invalid")
            home = ClaudeHome.make(place / "home", api_url, [folder] if trusted else [])
        socket = str(place / "hooks")
        terminals = InProcessTerminals(hook_socket=socket)
        server = await asyncio.start_unix_server(partial(serve_hook, terminals), socket)
        command = {"command": [str(claude_program())]}
        adapter = ClaudeAdapter(
            "claude", rule.model_copy(update=command) if rule else AgentRule.model_validate(command)
        )
        session_id = SessionId(uuid4())
        launch = adapter.launch(Wish(session_id, folder, place, **options))
        environment = {"PATH": os.environ["PATH"], **home.environment, **launch.environment}
        await terminals.create(TerminalSpec(session_id, launch.command, folder, environment, cols, 40))
        driver = adapter.drive(session_id, terminals, launch.memory)
        terminal = cls(terminals, session_id, home, folder, driver, dict(launch.memory))
        terminal.follower = asyncio.create_task(terminal._follow(driver, FIRST_BYTE))
        try:
            if ready:
                await driver.until_ready(READY_SECONDS)
            yield terminal
        finally:
            await terminals.kill(session_id, 1.0)
            await terminal.follower
            server.close()
            if home.folder.parent == place:
                shutil.rmtree(place, ignore_errors=True)

    async def _follow(self, driver: AgentDriver, offset: ByteOffset) -> None:
        async for found in self.terminals.follow(self.session_id, offset):
            if isinstance(found, Chunk):
                self.output += found.data
                driver.feed(found)
            else:
                driver.hear(found)
            await self._notify()
        driver.end(await self.terminals.wait(self.session_id))

    def forget_driver(self) -> AgentDriver:
        """A client that was restarted: a new driver, which hears everything again from the beginning."""
        assert self.follower is not None
        self.follower.cancel()
        adapter = ClaudeAdapter("claude", AgentRule())
        self.driver = adapter.drive(self.session_id, self.terminals, self.memory)
        return self.driver

    def follow_again(self) -> None:
        self.follower = asyncio.create_task(self._follow(self.driver, FIRST_BYTE))

    def typing(self) -> Typing:
        return Typing(lambda: None, lambda _: None, self._confirm, self._move)

    def _confirm(self) -> None:
        self.confirmed += 1

    def _move(self, status: SessionStatus, evidence: Evidence) -> None:
        self.moves.append((status, evidence))

    async def _notify(self) -> None:
        async with self._told:
            self._told.notify_all()

    async def until_moved(self, kind: str, since: int) -> dict[str, Any]:
        """What was told first of that kind after the first `since` moves."""
        async with asyncio.timeout(TURN_SECONDS), self._told:
            await self._told.wait_for(lambda: any(told["kind"] == kind for _, told in self.moves[since:]))
        return next(told for _, told in self.moves[since:] if told["kind"] == kind)

    async def until_shown(self, words: str, since: int) -> None:
        """Returns when the terminal has painted `words` after its first `since` bytes; it moves instead of spaces."""
        wanted = words.replace(" ", "").encode()
        async with asyncio.timeout(TURN_SECONDS), self._told:
            await self._told.wait_for(lambda: wanted in _SEQUENCE.sub(b"", self.output[since:]).replace(b" ", b""))

    async def prompt(self, text: str, seconds: float = TURN_SECONDS) -> TurnEnd:
        return await self.driver.run_prompt(text, seconds, self.typing())

    def begin(self, text: str, seconds: float = TURN_SECONDS) -> "asyncio.Task[TurnEnd]":
        """A turn that goes on while the test does something else."""
        return asyncio.create_task(self.prompt(text, seconds))

    async def press(self, keys: bytes) -> None:
        """As a person at the terminal does."""
        self.driver.touch(keys)
        await self.terminals.write(self.session_id, keys)

    async def pid(self) -> int:
        [info] = await self.terminals.list()
        return info.pid
