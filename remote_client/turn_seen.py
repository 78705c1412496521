"""Tells the office what people like to see of a turn: which tools its agent uses, and what it committed, each when."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from remote_client.agents.tool_use import ToolUse
from remote_client.commands import Command
from remote_client.office_records import Happening
from remote_client.sessions import Session
from remote_client.turn_git import Commit
from remote_client.uplink import Uplink


class TurnSeen:
    """For one turn."""

    def __init__(self, uplink: Uplink, session: Session, command: Command, began: datetime) -> None:
        self._uplink = uplink
        self._session = session
        self._command = command
        self._began = began

    def uses(self, use: ToolUse) -> None:
        detail: dict[str, Any] = {"tool": use.tool, "what": use.what}
        if use.over:
            detail["failed"] = use.failed
        self._tell("tool.ended" if use.over else "tool.began", detail, use.at)

    def commits(self, made: Sequence[Commit]) -> None:
        """A commit that was brought along, from a time before, counts as of the beginning."""
        for one in made:
            at = min(max(one.at, self._began), datetime.now(UTC))
            self._tell("git.committed", {"commit": one.commit, "subject": one.subject}, at)

    def _tell(self, kind: str, detail: dict[str, Any], at: datetime) -> None:
        self._uplink.event(
            Happening(self._command.office_id, kind, detail, at, self._session.session_id, self._command.command_id)
        )
