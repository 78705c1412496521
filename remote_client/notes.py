"""What the journal keeps of sessions and turns, so that a later process of this client can carry on with them."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

import orjson

from shared.ids import ByteOffset, OfficeId, SessionId, TurnId
from shared.states import SessionPool


@dataclass(frozen=True)
class SessionNote:
    """An agent in its terminal. `memory` is its adapter's; `role` and `task` of the worktree are where it works."""

    session_id: SessionId
    office_id: OfficeId
    role: str
    agent: str
    pool: SessionPool
    cols: int
    rows: int
    model: str | None
    mcp: str | None
    worktree_role: str
    worktree_task: str
    persona_version: int | None
    memory: dict[str, str]

    def written(self) -> str:
        return _written(self)

    @classmethod
    def read(cls, text: str) -> Self:
        told = orjson.loads(text)
        told["session_id"] = SessionId(UUID(told["session_id"]))
        told["office_id"] = OfficeId(UUID(told["office_id"]))
        told["pool"] = SessionPool(told["pool"])
        return cls(**told)


@dataclass(frozen=True)
class TypingNote:
    """What a command types into which session. A prompt has a turn; bare keys have none."""

    office_id: OfficeId
    session_id: SessionId
    turn: "TurnNote | None" = None

    def written(self) -> str:
        return _written(self)

    @classmethod
    def read(cls, text: str) -> Self:
        told = orjson.loads(text)
        turn = told["turn"]
        return cls(
            OfficeId(UUID(told["office_id"])),
            SessionId(UUID(told["session_id"])),
            TurnNote(**turn | {"turn_id": TurnId(UUID(turn["turn_id"]))}) if turn else None,
        )


@dataclass(frozen=True)
class TurnNote:
    """A turn before its first byte. `own_session`: its command names the session, and did not take one for itself."""

    turn_id: TurnId
    text: str
    timeout_s: float
    began: float
    """On the lease clock, which nobody sets, and which runs for as long as the terminals can live."""
    head_before: str | None
    position: ByteOffset
    """How much of the output was taken in."""
    last_hook: int
    own_session: bool


def _written(note: SessionNote | TypingNote) -> str:
    return orjson.dumps(note).decode()
