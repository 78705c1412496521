"""The clients of this user's machine as the window knows them: what each told last, and how it stands in one word."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shared.local import (
    Asked,
    ClientState,
    LocalApproval,
    LocalOffice,
    LocalPolicy,
    LocalQuestion,
    LocalSession,
)  # fmt: skip

Standing = Literal["live", "polling", "offline", "paused", "stuck", "not_running", "not_enrolled", "revoked"]
ORDER: tuple[Standing, ...] = (
    "stuck", "revoked", "offline", "not_running", "polling", "paused", "live", "not_enrolled",
)  # fmt: skip
"""Which standing of several clients the icon shows: the first of these."""


@dataclass
class Machine:
    """One client of this machine: its folder, and what it said last. Kept when it is gone, and called old then."""

    state_folder: Path
    policy_file: Path
    running: bool = False
    problem: str = ""
    state: ClientState | None = None
    sessions: list[LocalSession] = field(default_factory=list[LocalSession])
    asked: list[Asked] = field(default_factory=list[Asked])
    approvals: list[LocalApproval] = field(default_factory=list[LocalApproval])
    questions: list[LocalQuestion] = field(default_factory=list[LocalQuestion])
    policy: LocalPolicy | None = None
    enrolled: list[LocalOffice] = field(default_factory=list[LocalOffice])
    revoked: bool = False

    @property
    def key(self) -> str:
        return str(self.state_folder)

    def take(self, news: dict[str, Any]) -> None:
        for name, part in news.items():
            if part is not None:
                setattr(self, name, part)

    def left(self, problem: str) -> None:
        """It runs no longer: nothing of what it said holds."""
        self.running, self.problem = False, problem
        self.sessions, self.approvals, self.questions = [], [], []
        self.look_at_disk()

    def look_at_disk(self) -> None:
        """Which offices it has joined, as its credentials say; a client need not run for that."""
        try:
            kept = json.loads((self.state_folder / "credentials.json").read_text())
            self.enrolled = [LocalOffice(str(one["office_id"]), str(one["name"])) for one in kept["offices"]]
            self.revoked = kept.get("revoked_at") is not None
        except (OSError, ValueError, KeyError, TypeError):
            self.enrolled, self.revoked = [], False

    @property
    def offices(self) -> list[LocalOffice]:
        return self.state.offices if self.running and self.state is not None and self.state.offices else self.enrolled

    @property
    def standing(self) -> Standing:
        if not self.running or self.state is None:
            if self.revoked:
                return "revoked"
            return "not_running" if self.enrolled else "not_enrolled"
        if self.state.stuck:
            return "stuck"
        if self.state.paused_since is not None and self.state.connection != "offline":
            return "paused"
        connection: Standing = "live" if self.state.connection == "live" else "polling"
        return "offline" if self.state.connection == "offline" else connection

    def in_terminal(self) -> Iterator[LocalSession]:
        """Sessions whose agents stand still until somebody looks into their terminal."""
        asking = {one.session_id for one in self.approvals} | {one.session_id for one in self.questions}
        for session in self.sessions:
            if session.kept_here or (
                session.status in ("needs_permission", "waiting_input") and session.session_id not in asking
            ):
                yield session

    @property
    def waiting(self) -> int:
        """How much waits for the person."""
        return len(self.approvals) + len(self.questions) + sum(1 for _ in self.in_terminal())
