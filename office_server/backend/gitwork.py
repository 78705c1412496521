"""Pull requests, evidence and conflicts to come: each question and each step is one SQL function."""

from typing import Any
from uuid import UUID

from office_server.backend.connection import Connection
from shared.ids import OfficeId

Found = dict[str, Any]


class GitWork:
    """All of it raises NotFound for what is not in the office, and InvalidPayload or Conflict as the function says."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def pull_requests(self, office: OfficeId, states: list[str], limit: int) -> list[Found]:
        """Newest first."""
        return await self._connection.call("office_pull_requests", p_office=str(office), p_states=states, p_limit=limit)

    async def pull_request(self, office: OfficeId, pull_request: UUID) -> Found:
        return await self._connection.call("get_pull_request", p_office=str(office), p_pull_request=str(pull_request))

    async def open(self, office: OfficeId, author: str, wish: Found) -> Found:
        named = {f"p_{name}": value for name, value in wish.items() if value is not None}
        return await self._connection.call("open_pull_request", p_office=str(office), p_author=author, **named)

    async def merge(self, office: OfficeId, pull_request: UUID, author: str, method: str, *, keep: bool) -> Found:
        return await self._connection.call(
            "merge_pull_request", p_office=str(office), p_pull_request=str(pull_request), p_author=author,
            p_method=method, p_keep_worktree=keep,
        )  # fmt: skip

    async def follow(self) -> int:
        """Has machines look how open ones stand. Returns how many were asked."""
        return int(await self._connection.call("follow_pull_requests"))

    async def conflicts(self, office: OfficeId) -> Found:
        return await self._connection.call("office_conflicts", p_office=str(office))

    async def evidence(self, office: OfficeId, job: UUID | None) -> list[Found]:
        """Of a job; without one, what people are asked now."""
        return await self._connection.call(
            "office_evidence", p_office=str(office), p_job=str(job) if job is not None else None
        )

    async def answer(self, office: OfficeId, evidence: UUID, author: str, *, yes: bool, comment: str | None) -> Found:
        return await self._connection.call(
            "answer_evidence", p_office=str(office), p_evidence=str(evidence), p_yes=yes, p_author=author,
            p_comment=comment,
        )  # fmt: skip
