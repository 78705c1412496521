"""Worktrees of one repository: `{workspace}/{role}/{task}` on branch `agent/{role}-{task}`, one owner for each.

Never deletes or resets what holds uncommitted or unmerged work, unless told. May be killed at any moment: whoever takes
a worktree next mends it. Git runs in threads.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import git
from git.exc import InvalidGitRepositoryError, NoSuchPathError

from remote_client import worktrees_sync
from remote_client.worktrees_git import Git
from remote_client.worktrees_place import Found, worktrees_known
from remote_client.worktrees_repository import POOL_TASK, SCRATCH, Listed, Repository, Worktree, branch_of
from remote_client.worktrees_sync import SyncBy, Synced
from shared.errors import Conflict, InvalidPayload, NotFound, PolicyForbids

Answer = TypeVar("Answer")
PATIENCE_SECONDS = 0.25
"""A look at who owns what takes the lock for a moment."""


class Worktrees:
    """The worktrees of one repository in one workspace, shared with whoever else uses the repository by file locks."""

    def __init__(self, repository: Path, workspace: Path, base: str | None = None) -> None:
        self.repository = repository
        self.workspace = workspace
        self._base = base
        self._one_at_a_time = asyncio.Lock()

    async def take(self, role: str, task: str | None, base: str | None = None) -> Worktree:
        """A worktree for one session: the task's own, as it was left; without a task, a clean one.

        One without any work in it is at the tip of `base`, which is by default what the task was begun from.

        Raises:
            NotFound: the repository is not there.
            PolicyForbids: it is not a repository, or may not be written.
            InvalidPayload: it has no commit, or no such `base`.
            Conflict: another session works in the worktree, or something else is in its way.
            SessionFailed: git failed.
        """
        if task is None:
            return await self._in_thread(lambda: self._take_any(role, base))
        return await self._in_thread(lambda: self._take(role, task, base))

    async def take_as_it_is(self, role: str, task: str) -> Worktree:
        """A worktree that is there already, of which nothing is changed.

        Raises:
            NotFound: there is none.
            Conflict: another session works in it.
        """
        return await self._in_thread(lambda: self._take_as_it_is(role, task))

    async def give_back(self, worktree: Worktree) -> None:
        """Lets another session have it. What is in it stays."""
        os.close(worktree.lock)

    async def is_untouched(self, worktree: Worktree) -> bool:
        """Whether it holds nothing that is not in its base: clean, and no commit of its own."""

        def work() -> bool:
            repository = self._open()
            return repository.place(worktree.role, worktree.task).is_untouched(repository.git, worktree.base)

        return await self._in_thread(work)

    async def freshen(self, worktree: Worktree) -> None:
        """Makes an untouched worktree as if it had just been made: at the tip of its base, without ignored files.

        Raises:
            Conflict: it holds work.
        """

        def work() -> None:
            repository = self._open()
            place = repository.place(worktree.role, worktree.task)
            if not place.is_untouched(repository.git, worktree.base):
                raise Conflict(f"{worktree.path} holds work that is not in {worktree.base}")
            commit = repository.commit(worktree.base)
            with repository.alone() as git_alone:
                place.freshen(git_alone, repository.locks, worktree.base, commit)

        await self._in_thread(work)

    async def sync(self, worktree: Worktree, by: SyncBy | None = None, *, fetch: bool = True) -> Synced:
        """Brings its branch up to the base, and to what the base follows, when that is ahead of it.

        Rebases commits that only this repository has, else merges, unless told `by` what.

        Raises:
            Conflict: `context["files"]` conflict, or are uncommitted and in the way. Everything is as it was.
            Unavailable: the remote did not answer, or git failed. Everything is as it was.
        """

        def work() -> Synced:
            repository = self._open()
            remote = None
            if fetch:
                with repository.locks.alone("fetch"):
                    remote = worktrees_sync.fetch(repository.git, worktree.base)
            place = repository.place(worktree.role, worktree.task)
            with repository.alone() as git_alone:
                place.mend(git_alone, repository.locks)
                return worktrees_sync.sync(git_alone, repository.locks, place, worktree.base, by, remote)

        return await self._in_thread(work)

    async def remove(self, worktree: Worktree, *, even_with_work: bool = False) -> None:
        """Removes the worktree and its branch, and gives it back.

        Raises:
            Conflict: it holds work, and nobody said that it may go; or a person has locked it.
        """

        def work() -> None:
            repository = self._open()
            place = repository.place(worktree.role, worktree.task)
            locked = next((one.locked for one in worktrees_known(repository.git) if one.path == worktree.path), None)
            if locked is not None:
                raise Conflict(
                    f"{worktree.path} is locked: {locked or 'no reason was given'}",
                    advice=f"git worktree unlock {worktree.path}",
                )
            if not even_with_work and not place.is_untouched(repository.git, worktree.base):
                raise Conflict(
                    f"{worktree.path} holds uncommitted or unmerged work", advice="merge it, or say that it may go"
                )
            with repository.alone() as git_alone:
                place.remove(git_alone, repository.locks, worktree.base)

        await self._in_thread(work)
        os.close(worktree.lock)

    async def list(self) -> list[Listed]:
        """Those of this workspace, by path."""

        def work() -> list[Listed]:
            repository = self._open()
            root = self.workspace.resolve()
            inside = (one.path.relative_to(root) for one in worktrees_known(repository.git) if root in one.path.parents)
            names = [one.parts for one in sorted(inside) if len(one.parts) == 2 and one.parts[0] != SCRATCH]
            return [repository.listed(role, task) for role, task in names]

        return await self._in_thread(work)

    def look(self) -> Repository:
        """The repository as it is now. Blocks.

        Raises:
            NotFound, PolicyForbids, InvalidPayload: as `take`.
        """
        return self._open()

    # What follows runs in a thread ----------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        async with self._one_at_a_time:
            running = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                running.add_done_callback(_let_go)
                raise

    def _open(self) -> Repository:
        try:
            opened = git.Repo(self.repository)
        except NoSuchPathError:
            raise NotFound(f"the repository {self.repository} does not exist on this machine") from None
        except InvalidGitRepositoryError:
            raise PolicyForbids(
                f"{self.repository} is not a git repository", advice="mend the policy of the machine"
            ) from None
        with opened as found:  # else the git that it asks goes on running
            if not found.head.is_valid():
                raise InvalidPayload(
                    f"the repository {self.repository} has no commit yet", advice="make a first commit"
                )
            base = self._base or (found.head.commit.hexsha if found.head.is_detached else found.active_branch.name)
            return Repository(Git(self.repository), Path(found.common_dir), self.workspace, base)

    def _take(self, role: str, task: str, base: str | None) -> Worktree:
        repository = self._open()
        with repository.owning(role, task, PATIENCE_SECONDS) as lock:
            if lock is None:
                raise Conflict(f"another session works on {branch_of(role, task)}", advice="name another task")
            return repository.prepared(role, task, base, lock)

    def _take_any(self, role: str, base: str | None) -> Worktree:
        repository = self._open()
        number = 0
        while True:
            number += 1
            with repository.owning(role, f"{POOL_TASK}{number}") as lock:
                if lock is not None:
                    worktree = repository.clean_one(role, f"{POOL_TASK}{number}", base, lock)
                    if worktree is not None:
                        return worktree
                    os.close(lock)

    def _take_as_it_is(self, role: str, task: str) -> Worktree:
        repository = self._open()
        place = repository.place(role, task)
        if place.look() is not Found.WORKTREE:
            raise NotFound(f"there is no worktree {place.path}")
        with repository.owning(role, task, PATIENCE_SECONDS) as lock:
            if lock is None:
                raise Conflict(f"a session works in {place.path}", advice="end the session first")
            return Worktree(place.path, place.branch, role, task, repository.base_of(place, None), lock)


def _let_go(taken: asyncio.Future[Answer]) -> None:
    """Nobody waits any more for what was being taken."""
    if not taken.cancelled() and taken.exception() is None and isinstance(worktree := taken.result(), Worktree):
        os.close(worktree.lock)
