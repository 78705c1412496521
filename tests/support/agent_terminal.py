"""One agent in a real terminal with its driver, as a client runs it, but without a client and an office."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import git

from remote_client.agents.adapter import AgentAdapter, AgentDriver, Evidence, TurnEnd, Typing, Wish
from remote_client.agents.tool_use import ToolUse
from remote_client.ptyhost.hooks import serve_hook
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.terminals import FIRST_BYTE, Chunk, HookEvent, TerminalSpec
from shared.ids import ByteOffset, SessionId
from shared.states import SessionStatus

_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[\]])")

READY_SECONDS = 60.0
TURN_SECONDS = 60.0


@dataclass
class Workplace:
    """A folder of one test: a git repository, and a home for what the person has set up."""

    place: Path
    repository: Path
    home: Path

    @classmethod
    def make(cls, parent: Path | None = None) -> "Workplace":
        place = Path(tempfile.mkdtemp(prefix="semo-agent-", dir=parent))
        with git.Repo.init(place / "repo", initial_branch="main").config_writer() as config:
            config.set_value("user", "name", "Test").set_value("user", "email", "test@semo.invalid")
        return cls(place, place / "repo", place / "home")

    def remove(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)


@dataclass
class AgentTerminal:
    """`moves`: what its driver told while turns ran, oldest first."""

    terminals: InProcessTerminals
    session_id: SessionId
    driver: AgentDriver
    drive: Callable[[], AgentDriver]
    output: bytearray = field(default_factory=bytearray)
    moves: list[tuple[SessionStatus, Evidence]] = field(default_factory=list[tuple[SessionStatus, Evidence]])
    uses: list[ToolUse] = field(default_factory=list[ToolUse])
    confirmed: int = 0
    _told: list[Chunk | HookEvent] = field(default_factory=list[Chunk | HookEvent])
    _told_before: int = 0
    """How much of that came before the turn."""
    _follower: "asyncio.Task[None] | None" = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @asynccontextmanager
    async def running(
        cls, adapter: AgentAdapter, workplace: Workplace, environment: Mapping[str, str], *, ready: bool = True,
        **options: str,
    ) -> "AsyncGenerator[AgentTerminal]":  # fmt: skip
        """`options`: model, mcp, resume."""
        state = workplace.place / uuid4().hex
        state.mkdir()
        socket = str(state / "hooks")
        terminals = InProcessTerminals(hook_socket=socket)
        server = await asyncio.start_unix_server(partial(serve_hook, terminals), socket)
        session_id = SessionId(uuid4())
        launch = adapter.launch(Wish(session_id, workplace.repository, state, **options))
        whole = {"PATH": os.environ["PATH"], **environment, **launch.environment}
        await terminals.create(TerminalSpec(session_id, launch.command, workplace.repository, whole, 120, 40))
        drive = partial(adapter.drive, session_id, terminals, launch.memory)
        terminal = cls(terminals, session_id, drive(), drive)
        terminal._follower = asyncio.create_task(terminal._follow(FIRST_BYTE))
        try:
            if ready:
                await terminal.driver.until_ready(READY_SECONDS)
            yield terminal
        finally:
            await terminals.kill(session_id, 1.0)
            await terminal._follower
            server.close()

    async def _follow(self, offset: ByteOffset) -> None:
        last_hook = max((told.number for told in self._told if isinstance(told, HookEvent)), default=0)
        async for found in self.terminals.follow(self.session_id, offset, last_hook):
            self._told.append(found)
            if isinstance(found, Chunk):
                self.output[found.start :] = found.data
            self._tell(found)
            self._changed.set()
        self.driver.end(await self.terminals.wait(self.session_id))

    def _tell(self, found: Chunk | HookEvent) -> None:
        if isinstance(found, Chunk):
            self.driver.feed(found)
        else:
            self.driver.hear(found)

    def _confirm(self) -> None:
        self.confirmed += 1

    def _move(self, status: SessionStatus, evidence: Evidence) -> None:
        self.moves.append((status, evidence))
        self._changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(TURN_SECONDS):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def until_moved(self, kind: str, since: int) -> dict[str, Any]:
        """What was told first of that kind after the first `since` moves."""
        await self._until(lambda: any(told["kind"] == kind for _, told in self.moves[since:]))
        return next(told for _, told in self.moves[since:] if told["kind"] == kind)

    async def until_shown(self, words: str, since: int = 0) -> None:
        """Returns when the terminal has painted `words` after its first `since` bytes; it moves instead of spaces."""
        wanted = words.replace(" ", "").encode()
        await self._until(lambda: wanted in _SEQUENCE.sub(b"", self.output[since:]).replace(b" ", b""))

    async def prompt(self, text: str, seconds: float = TURN_SECONDS) -> TurnEnd:
        return await self.driver.run_prompt(
            text, seconds, Typing(self._begin_turn, lambda _: None, self._confirm, self._move, uses=self.uses.append)
        )

    def _begin_turn(self) -> None:
        self._told_before = len(self._told)

    def begin(self, text: str, seconds: float = TURN_SECONDS) -> "asyncio.Task[TurnEnd]":
        """A turn that goes on while the test does something else."""
        return asyncio.create_task(self.prompt(text, seconds))

    async def restart_client(self, text: str, turn: "asyncio.Task[TurnEnd]") -> "asyncio.Task[TurnEnd]":
        """Another driver, which knows nothing, goes on with the turn of `text`, as after a restart of the client."""
        assert self._follower is not None
        await cancelled(turn)
        await cancelled(self._follower)
        self.driver = self.drive()
        del self._told[self._told_before :]
        for found in self._told:
            self._tell(found)
        start, ready = self.driver.position, asyncio.Event()
        typing = Typing(lambda: None, lambda _: ready.set(), self._confirm, self._move)
        going_on = asyncio.create_task(self.driver.carry_on(text, TURN_SECONDS, start, typing))
        await ready.wait()
        self._follower = asyncio.create_task(self._follow(start))
        return going_on

    async def press(self, keys: bytes) -> None:
        """As a person at the terminal does."""
        self.driver.touch(keys)
        await self.terminals.write(self.session_id, keys)

    async def pid(self) -> int:
        [info] = await self.terminals.list()
        return info.pid


async def cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait({task})
