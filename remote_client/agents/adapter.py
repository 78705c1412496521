"""What the client asks of every kind of agent. An adapter knows one kind; a driver knows one agent in its terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from remote_client.terminals import Chunk, ExitStatus, Terminals
from shared.ids import ByteOffset, SessionId
from shared.states import TurnOutcome

Evidence = dict[str, Any]


@dataclass(frozen=True)
class TurnEnd:
    """How a turn ended and how that is known. `alive`: the agent is still there to be asked."""

    outcome: TurnOutcome
    marker: bool
    evidence: list[Evidence]
    end: ByteOffset
    alive: bool
    pull_requests: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Typing:
    """`before` is called right before the first byte is typed and may refuse by raising; `after` right after it,
    with the offset at which the turn's output begins."""

    before: Callable[[], None]
    after: Callable[[ByteOffset], None]


class AgentDriver(Protocol):
    """One agent in one terminal. Fed by whoever follows the terminal; never reads it by itself."""

    @property
    def position(self) -> ByteOffset:
        """Up to where the output was taken in."""
        ...

    def feed(self, chunk: Chunk) -> None: ...

    def end(self, exit_status: ExitStatus) -> None:
        """The terminal has ended; nothing more will be fed."""
        ...

    def touch(self) -> None:
        """Somebody typed by hand: what stands in the agent's input is not ours."""
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

    async def interrupt(self, reason: str) -> None:
        """Asks the running turn to stop and returns when it has ended. Without a turn, does nothing."""
        ...


class AgentAdapter(Protocol):
    """One kind of agent on this machine."""

    name: str
    takes: frozenset[str]
    """Which of create_session's options this agent understands: model, mcp, resume."""

    def version(self) -> str | None:
        """What the program says its version is; None when the program is not there."""
        ...

    def command(self) -> Sequence[str]: ...

    def environment(self, session_id: SessionId) -> Mapping[str, str]:
        """Variables that this agent needs, besides those that the policy lets through."""
        ...

    def drive(self, session_id: SessionId, terminals: Terminals) -> AgentDriver: ...
