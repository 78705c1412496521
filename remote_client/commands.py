"""A command in this client's hands: what the office wants, and for how long we may still act on it."""

import time
from asyncio import Event
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import UUID

from shared.errors import Fenced
from shared.ids import Attempt, CommandId, Epoch, OfficeId, SessionId
from shared.states import CommandType, SessionStatus

LEASE_MARGIN_SECONDS = 2.0
"""We stop acting this long before the office may think that we are gone."""

LONGEST_TYPE = 100


def known_type(name: object) -> CommandType | str:
    """A type that only a newer office knows stays a text: it can still be answered, with what is wrong."""
    if not isinstance(name, str):
        raise TypeError(f"no type of command: {name!r}")
    try:
        return CommandType(name)
    except ValueError:
        return name[:LONGEST_TYPE]


Holder = tuple[CommandId, Attempt]
"""One attempt at a command, as the one in whose hands something is."""
Retry = Literal["timeout", "died", "not_made"]
"""How a try failed after which the same prompt may be typed again, if whoever asked for it allowed that."""


def lease_clock() -> float:
    """Seconds that only go forward, also while the machine sleeps, where the system can tell."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def typing_key(command_id: CommandId, attempt: Attempt) -> str:
    return f"{command_id}:{attempt}"


def _attempt(number: object) -> Attempt:
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number < 2**31:
        raise ValueError(f"no attempt: {number!r}")
    return Attempt(number)


def _version(number: object) -> int | None:
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise TypeError(f"no version of a persona: {number!r}")
    return number


@dataclass(frozen=True)
class Command:
    """One attempt at one row of agent_commands."""

    command_id: CommandId
    attempt: Attempt
    office_id: OfficeId
    session_id: SessionId | None
    command_type: CommandType | str
    payload: dict[str, Any]
    persona_version: int | None = None
    """What the role's persona showed when the command was claimed."""
    author: str = ""
    """Who asked for it, as the office knows them."""

    @property
    def holder(self) -> Holder:
        return (self.command_id, self.attempt)

    @property
    def key(self) -> str:
        """Names what this attempt types, so that it is typed once."""
        return typing_key(self.command_id, self.attempt)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """
        Raises:
            ValueError, TypeError, KeyError, AttributeError: the row is not one of agent_commands.
        """
        session = row.get("session_id")
        return cls(
            command_id=CommandId(UUID(row["id"])),
            attempt=_attempt(row["attempt"]),
            office_id=OfficeId(UUID(row["office_id"])),
            session_id=SessionId(UUID(session)) if session else None,
            command_type=known_type(row["command_type"]),
            payload=row["payload"],
            persona_version=_version(row.get("persona_version")),
            author=str(row.get("author") or ""),
        )


@dataclass(eq=False)
class Hold:
    """Our claim on a command. `valid_until` is on the lease clock; past it, nothing more may be done."""

    command: Command
    epoch: Epoch
    valid_until: float
    typed_at: datetime | None = None
    typing: bool = False
    """Between the first byte on its way to the terminal and the word that it is there, nobody can say which."""
    gone: bool = False
    delivered: Event = field(default_factory=Event)
    """Set when the office has the result, or has refused it for good."""

    def renew(self, asked_at: float, lease_seconds: float) -> None:
        """The office extended the lease; it began to count no earlier than when we asked."""
        self.valid_until = asked_at + lease_seconds - LEASE_MARGIN_SECONDS

    def check(self) -> None:
        """
        Raises:
            Fenced: somebody else may own the command by now.
        """
        if self.gone or lease_clock() >= self.valid_until:
            raise Fenced(f"the lease of command {self.command.command_id} ran out before it could be done")

    @property
    def is_untouched(self) -> bool:
        """Surely nothing of it was typed: somebody else may do it."""
        return self.typed_at is None and not self.typing

    def begin_typing(self) -> None:
        self.typing = True

    def mark_typed(self) -> None:
        self.typing = False
        if self.typed_at is None:
            self.typed_at = datetime.now(UTC)

    def mark_untyped(self) -> None:
        """The terminal's host has refused it."""
        self.typing = False


@dataclass(frozen=True)
class Completion:
    """What came of a command. `session_status`: what the session became by it, None when it did not move."""

    success: bool
    result: dict[str, Any] | None = None
    error_code: str | None = None
    error: str | None = None
    session_status: SessionStatus | None = None
    typed_at: datetime | None = None
    confirmed_at: datetime | None = None
    retry: Retry | None = None
    finished_at: datetime | None = None
    """When the work was over; the result may be on its way for long after that."""
