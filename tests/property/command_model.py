"""What the model of commands and sessions knows; what moves it is in test_command_model."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

ROLE_PROMPT, CREATION = "prompt for a role", "creation"
SESSION_PROMPT, KEYS, LOOK = "prompt for a session", "keys", "look"
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    ROLE_PROMPT: ("send_prompt", {"text": "x", "role": "BE"}),
    CREATION: ("create_session", {"role": "BE"}),
    SESSION_PROMPT: ("send_prompt", {"text": "x"}),
    KEYS: ("send_keys", {"keys": ["enter"]}),
    LOOK: ("get_output", {}),
}
WITHOUT_A_SESSION = (ROLE_PROMPT, CREATION)
TYPES_INTO_A_TERMINAL = (ROLE_PROMPT, SESSION_PROMPT, KEYS)
FINAL = ("completed", "failed", "lost", "expired", "cancelled")


@dataclass
class Machine:
    client: UUID
    epoch: int = 0
    start: UUID | None = None
    claims: int = 0
    unanswered: int | None = None


@dataclass
class Terminal:
    owner: Machine
    status: str = "ready"


@dataclass
class Command:
    kind: str
    session: UUID | None
    max_attempts: int
    seq: int
    status: str = "pending"
    attempt: int = 1
    holder: Machine | None = None
    epoch: int | None = None
    claim: int | None = None
    typed: bool = False
    has_lease: bool = True
    may_wait: bool = False
    """Before another try."""
    too_late: bool = False
    results: dict[int, bool] = field(default_factory=dict[int, bool])
    last_result: tuple[int, bool, str | None, UUID] | None = None

    @property
    def lane(self) -> str:
        return "control" if self.kind in (KEYS, LOOK) else "work"

    def offered_again(self, *, pause: bool = False) -> None:
        self.status, self.attempt, self.holder, self.epoch, self.typed = "pending", self.attempt + 1, None, None, False
        self.may_wait = pause

    def over(self, status: str, *, success: bool = False) -> None:
        self.status = status
        self.results[self.attempt] = success
