"""One real Claude Code in a real terminal with its driver, as a client runs it, but without a client and an office."""

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import git

from remote_client.agents.adapter import AgentDriver, Evidence, Request, TurnEnd, Typing, Wish
from remote_client.agents.claude import ClaudeAdapter
from remote_client.monitor.findings import FindingKind
from remote_client.monitor.patterns import PatternTable
from remote_client.policy import AgentRule
from remote_client.ptyhost.hooks import serve_hook
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.terminals import FIRST_BYTE, Chunk, HookEvent, TerminalSpec
from shared.ids import ByteOffset, SessionId
from shared.states import SessionStatus
from tests.support.claude_cli import ClaudeHome, claude_program

_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[\]])")

READY_SECONDS = 60.0
TURN_SECONDS = 60.0
CHOICE_SECONDS = 2.0
"""After which a key of a dialog was not taken: Claude Code takes none right after it was drawn, without a word."""
KEYS_APART_SECONDS = 0.02
"""What is read at once is one paste, and chooses nothing."""


@dataclass
class ClaudeTerminal:
    """`running` gives one that is ready for a prompt. `moves`: what its driver told while turns ran, oldest first.

    `asked` and `moot`: what it asked leave for, and the numbers of requests that wait no longer.
    """

    terminals: InProcessTerminals
    session_id: SessionId
    home: ClaudeHome
    folder: Path
    driver: AgentDriver
    memory: dict[str, str]
    output: bytearray = field(default_factory=bytearray)
    moves: list[tuple[SessionStatus, Evidence]] = field(default_factory=list[tuple[SessionStatus, Evidence]])
    asked: list[Request] = field(default_factory=list[Request])
    moot: list[int] = field(default_factory=list[int])
    confirmed: int = 0
    start: ByteOffset = FIRST_BYTE
    """Where the output of the latest turn begins."""
    _paused: asyncio.Event = field(default_factory=asyncio.Event)
    _go_on: asyncio.Event = field(default_factory=asyncio.Event)
    _told: asyncio.Condition = field(default_factory=asyncio.Condition)
    follower: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def running(
        cls, api_url: str, *, rule: AgentRule | None = None, cols: int = 120, home: ClaudeHome | None = None,
        trusted: bool = True, ready: bool = True, patterns: PatternTable | None = None, **options: str,
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
        driver = adapter.drive(session_id, terminals, launch.memory, patterns)
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

    async def _follow(self, driver: AgentDriver, offset: ByteOffset, pause_at: ByteOffset | None = None) -> None:
        async for found in self.terminals.follow(self.session_id, offset):
            for part in _cut(found, pause_at) if pause_at is not None else [found]:
                at = part.start if isinstance(part, Chunk) else part.at
                if pause_at is not None and at >= pause_at and not self._paused.is_set():
                    self._paused.set()
                    await self._go_on.wait()
                if isinstance(part, Chunk):
                    self.output += part.data
                    driver.feed(part)
                else:
                    driver.hear(part)
            await self._notify()
        driver.end(await self.terminals.wait(self.session_id))

    async def begin_again(self, text: str, turn: "asyncio.Task[TurnEnd] | None" = None) -> "asyncio.Task[TurnEnd]":
        """As a client that was restarted in the midst of a turn: a new driver reads everything again."""
        assert self.follower is not None
        start = self.start
        for task in filter(None, (turn, self.follower)):
            task.cancel()
            await asyncio.wait({task})
        self.output.clear()
        self.driver = ClaudeAdapter("claude", AgentRule()).drive(self.session_id, self.terminals, self.memory)
        self.follower = asyncio.create_task(self._follow(self.driver, FIRST_BYTE, pause_at=start))
        await self._paused.wait()
        return asyncio.create_task(
            self.driver.carry_on(text, TURN_SECONDS, start, self.typing(lambda _: self._go_on.set()))
        )

    def typing(self, on_typed: Callable[[ByteOffset], None] = lambda _: None) -> Typing:
        return Typing(lambda: None, on_typed, self._confirm, self._move, asks=self.asked.append, moot=self.moot.append)

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
        return await self.driver.run_prompt(text, seconds, self.typing(self._set_start))

    def _set_start(self, offset: ByteOffset) -> None:
        self.start = offset

    def begin(self, text: str, seconds: float = TURN_SECONDS) -> "asyncio.Task[TurnEnd]":
        """A turn that goes on while the test does something else."""
        return asyncio.create_task(self.prompt(text, seconds))

    async def press(self, keys: bytes) -> None:
        """As a person at the terminal does."""
        self.driver.touch(keys)
        await self.terminals.write(self.session_id, keys)

    async def choose(self, *keys: bytes) -> None:
        """Answers the dialog on the screen: the keys are pressed, one after the other, until the turn goes on."""
        since = len(self.moves)
        while True:
            for key in keys:
                await self.press(key)
                await asyncio.sleep(KEYS_APART_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHOICE_SECONDS):
                    await self.until_moved(FindingKind.GOES_ON, since)
                    return

    async def pid(self) -> int:
        [info] = await self.terminals.list()
        return info.pid


def _cut(found: Chunk | HookEvent, at: ByteOffset) -> list[Chunk | HookEvent]:
    if not isinstance(found, Chunk) or not found.start < at < found.end:
        return [found]
    cut = at - found.start
    return [Chunk(found.start, found.data[:cut]), Chunk(at, found.data[cut:])]
