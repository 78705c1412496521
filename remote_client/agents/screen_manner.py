"""How one kind of agent behaves in its terminal, as data for the driver that knows none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from remote_client.monitor.findings import Finding
from remote_client.terminals import HookEvent


class OwnHistory(Protocol):
    """What an agent writes down of its conversation, where its screen does not tell who speaks."""

    def begin_turn(self) -> None: ...

    def carry_on(self, prompt: str) -> None:
        """The turn of this prompt was begun before this client started."""
        ...

    async def judge(self, finding: Finding) -> Finding:
        """How the turn ended, told by what the agent itself said."""
        ...


def as_told(event: HookEvent) -> HookEvent:
    return event


@dataclass(frozen=True)
class Manner:
    """
    `profile`: the name of its looks. `interrupt`: the keys that stop a turn, one after the other. `clear`: those that
    empty its input. `titled`: it is ready only after its first title. `starts`: what its screen shows once it has
    started, if nothing else there tells; it is ready when its own hook says so too. `hooked`: a prompt has arrived when
    its own hook says so, and its end likewise. `hears`: what its signals say, in the words of Claude Code's hooks.
    `history`: what it writes down in the session's folder of state.
    """

    profile: str
    interrupt: Sequence[bytes]
    clear: Sequence[bytes]
    titled: bool = False
    starts: str | None = None
    hooked: bool = False
    hears: Callable[[HookEvent], HookEvent] = field(default=as_told)
    history: Callable[[Path], OwnHistory] | None = None
