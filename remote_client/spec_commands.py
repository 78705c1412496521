"""What commands on the branch of a spec task do: no session, no worktree, and no path but the task's own folder."""

import asyncio
from collections.abc import Callable

from pydantic import BaseModel

from remote_client.commands import Completion, Hold
from remote_client.spec_branch import SpecBranch
from remote_client.worktrees import Worktrees
from shared.ids import OfficeId
from shared.payloads import MergeWork, Payload, ReadDocuments, WriteDocuments


class SpecCommands:
    """`worktrees_of`: where the work of an office happens."""

    def __init__(self, worktrees_of: Callable[[OfficeId], Worktrees]) -> None:
        self._worktrees_of = worktrees_of

    async def read(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, ReadDocuments)  # noqa: S101  by the table of payloads
        return await self._on(hold, payload.spec, SpecBranch.read)

    async def write(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, WriteDocuments)  # noqa: S101
        return await self._on(
            hold, payload.spec, lambda branch: branch.write(payload.documents, payload.message, payload.base)
        )

    async def merge(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, MergeWork)  # noqa: S101
        return await self._on(hold, payload.spec, lambda branch: branch.merge(payload.branch, payload.base))

    async def _on(self, hold: Hold, spec: str, do: Callable[[SpecBranch], BaseModel]) -> Completion:
        worktrees = self._worktrees_of(hold.command.office_id)

        def work() -> BaseModel:
            repository = worktrees.look()
            return do(SpecBranch(repository.git, repository.locks, spec, repository.default_base))

        return Completion(True, (await asyncio.to_thread(work)).model_dump(mode="json"))
