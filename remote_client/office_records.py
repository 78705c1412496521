"""What travels between a client and its office, as typed records. How it travels is the business of `office_link`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from shared.ids import (
    ApprovalId,
    Attempt,
    ByteOffset,
    CommandId,
    Epoch,
    OfficeId,
    SessionId,
    TurnId,
)
from shared.states import ApprovalStatus, SessionPool, SessionStatus


@dataclass(frozen=True)
class OfficeTerms:
    """What an office wants of this client."""

    office_id: OfficeId
    name: str
    session_limit: int
    idle_seconds: int
    warm_roles: tuple[str, ...]
    patterns: tuple[Any, ...]
    """As the office has them: each is to be an OfficePattern."""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        return cls(
            OfficeId(UUID(row["office_id"])),
            row["name"],
            row["session_limit"],
            row["idle_seconds"],
            tuple(row["warm_roles"]),
            tuple(row["patterns"]),
        )


@dataclass(frozen=True)
class KeptSession:
    """A session of this client that lives on, as the office knows it. `output_end`: up to where it has the output."""

    session_id: SessionId
    status: SessionStatus
    output_end: ByteOffset
    acquired_by: CommandId | None
    attempt: Attempt
    """Of the command that has acquired it."""
    goes_back: bool
    """It goes back to its pool when that command is over, or should have."""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        acquired_by = row["acquired_by"]
        return cls(
            SessionId(UUID(row["session_id"])),
            SessionStatus(row["status"]),
            ByteOffset(row["output_end"]),
            CommandId(UUID(acquired_by)) if acquired_by else None,
            Attempt(row["attempt"]),
            row["goes_back"],
        )


@dataclass(frozen=True)
class Registration:
    epoch: Epoch
    offices: tuple[OfficeTerms, ...]
    held: frozenset[tuple[CommandId, Attempt]]
    sessions: tuple[KeptSession, ...]


@dataclass(frozen=True)
class Persona:
    role: str
    version: int
    rendered: str | None
    rendered_version: int | None
    scope_patterns: tuple[str, ...] = ()

    @property
    def shown_version(self) -> int:
        """The version that `rendered` shows."""
        return self.rendered_version or self.version


@dataclass(frozen=True)
class OpenedSession:
    """What `open_session` is told of a new session."""

    session_id: SessionId
    office_id: OfficeId
    role: str
    agent: str
    pool: SessionPool
    command_id: CommandId | None
    attempt: Attempt | None
    task: str | None
    cols: int
    rows: int


@dataclass(frozen=True)
class TypedStep:
    """A prompt was typed, which opens its turn."""

    command_id: CommandId
    attempt: Attempt
    at: datetime
    session_id: SessionId
    turn_id: TurnId
    output_start: ByteOffset


@dataclass(frozen=True)
class ConfirmedStep:
    """The agent itself said that the prompt arrived."""

    command_id: CommandId
    attempt: Attempt
    at: datetime


Step = TypedStep | ConfirmedStep


@dataclass(frozen=True)
class OutputChunk:
    session_id: SessionId
    start: ByteOffset
    end: ByteOffset
    text: str


@dataclass(frozen=True)
class Happening:
    """One row of session_events."""

    office_id: OfficeId
    kind: str
    detail: dict[str, Any]
    at: datetime
    session_id: SessionId | None = None
    command_id: CommandId | None = None


@dataclass(frozen=True)
class Asking:
    """An action that an agent asks leave for. `digest`: of all of it, to the byte; `input` is told redacted."""

    approval_id: ApprovalId
    session_id: SessionId
    command_id: CommandId
    attempt: Attempt
    turn_id: TurnId
    tool: str
    input: Any
    folder: str
    digest: str
    requested_at: datetime


@dataclass(frozen=True)
class Answer:
    """What an approval is that waits no longer."""

    approval_id: ApprovalId
    digest: str
    status: ApprovalStatus
    answered_by: str | None
    message: str | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        status = ApprovalStatus(row["status"])
        return cls(ApprovalId(UUID(row["id"])), row["digest"], status, row["answered_by"], row["message"])
