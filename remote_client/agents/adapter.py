"""What the client asks of every kind of agent. An adapter knows one kind; a driver knows one agent in its terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from remote_client.agents.tool_use import ToolUse
from remote_client.monitor.patterns import PatternTable
from remote_client.terminals import Chunk, ExitStatus, HookEvent, Terminals
from shared.ids import ByteOffset, SessionId
from shared.states import SessionStatus, TurnOutcome

Evidence = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a session is to be started with; an option that the adapter does not take is None."""

    session_id: SessionId
    folder: Path
    state: Path
    """A folder for the adapter's own files of this session, private to this user; goes when the session goes."""
    model: str | None = None
    mcp: str | None = None
    resume: str | None = None
    """The agent's own name of the conversation to go on with."""


@dataclass(frozen=True)
class Launch:
    """How an agent is started. `memory` is what its driver must know of it, also after a restart of the client."""

    command: Sequence[str]
    environment: Mapping[str, str]
    memory: Mapping[str, str]


@dataclass(frozen=True)
class Abilities:
    """What can be relied on with this kind of agent; shown to people with the client's capabilities."""

    options: frozenset[str] = frozenset()
    """Which of create_session's options it understands: model, mcp, resume."""
    confirms_prompts: bool = False
    asks_permission: bool = False
    reports_cost: bool = False
    takes_scripts: bool = False
    """Whether a prompt is a script to it, and words of people are not understood."""


@dataclass(frozen=True)
class TurnEnd:
    """How a turn ended and how that is known. `alive`: the agent is still there to be asked."""

    outcome: TurnOutcome
    marker: bool
    evidence: list[Evidence]
    end: ByteOffset
    alive: bool
    pull_requests: list[str] = field(default_factory=list[str])
    cost_usd: float | None = None


@dataclass(frozen=True)
class Request:
    """One exact action that an agent asks leave for, standing still until it is answered.

    `number`: of the hook that waits. `whole`: what it would do is all there; nothing was cut.
    """

    number: int
    tool: str
    input: Any
    folder: str
    whole: bool


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Typing:
    """Whom a driver tells how its turn goes.

    `before` is called right before the first byte is typed and may refuse by raising; `after` right after it, with
    the offset at which the turn's output begins. `confirmed`: the agent itself said that the prompt arrived.
    `moved`: the turn stands still (needs_permission, waiting_input) or goes on (executing), with the evidence for it.
    """

    before: Callable[[], None]
    after: Callable[[ByteOffset], None]
    confirmed: Callable[[], None] = _ignore
    moved: Callable[[SessionStatus, Evidence], None] = _ignore
    asks: Callable[[Request], None] = _ignore
    """The agent asks leave for something, and `AgentDriver.answer` can answer it."""
    moot: Callable[[int], None] = _ignore
    """The request of that number waits no longer, whoever answered it."""
    uses: Callable[[ToolUse], None] = _ignore
    """The agent uses a tool, or has used it."""
    key: str | None = None
    """Goes with what the driver writes for this turn, so that no restart of the client ever types it again."""


class AgentDriver(Protocol):
    """One agent in one terminal. Fed by whoever follows the terminal; never reads it by itself."""

    @property
    def position(self) -> ByteOffset:
        """Up to where the output was taken in."""
        ...

    def feed(self, chunk: Chunk) -> None: ...

    def hear(self, event: HookEvent) -> None: ...

    def end(self, exit_status: ExitStatus) -> None:
        """The terminal has ended; nothing more will be fed."""
        ...

    def touch(self, keys: bytes = b"") -> None:
        """Somebody is about to type `keys` by hand: what stands in the agent's input is not ours."""
        ...

    async def until_ready(self, timeout_seconds: float) -> None:
        """Returns when a prompt may be typed; clears what was left unfinished in the agent's input.

        Raises:
            SessionFailed: it did not get ready in time, or has ended.
        """
        ...

    async def run_prompt(self, text: str, timeout_seconds: float, typing: Typing) -> TurnEnd:
        """Types a prompt and follows the turn to its end; one at a time."""
        ...

    async def carry_on(self, text: str, timeout_seconds: float, start: ByteOffset, typing: Typing) -> TurnEnd:
        """Follows a turn to its end that an earlier process of this client typed, its output beginning at `start`.

        To be called before that output is fed, which may begin when it calls `typing.after`. Never types the text.
        """
        ...

    async def interrupt(self, reason: str) -> None:
        """Asks the running turn to stop and returns when it has ended. Without a turn, does nothing."""
        ...

    async def answer(self, number: int, allow: bool, message: str = "") -> None:
        """Allows or forbids the one action that permission request `number` asked for.

        Raises:
            Conflict: it waits no longer.
        """
        ...


class AgentAdapter(Protocol):
    """One kind of agent on this machine."""

    name: str
    abilities: Abilities

    def version(self) -> str | None:
        """What the program says its version is; None when the program is not there."""
        ...

    def launch(self, wish: Wish) -> Launch: ...

    def drive(
        self,
        session_id: SessionId,
        terminals: Terminals,
        memory: Mapping[str, str],
        patterns: PatternTable | None = None,
    ) -> AgentDriver:
        """`patterns`: what to look for in its output; None: the built-in ones."""
        ...
