"""Worktrees of one repository: `{workspace}/{role}/{task}` on branch `agent/{role}-{task}`, one session in each.

Never deletes or resets what holds uncommitted or unmerged work. Git runs in threads, one at a time per repository.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import git
from git.exc import GitCommandError, InvalidGitRepositoryError, NoSuchPathError

from remote_client.worktrees_locks import RepositoryLocks
from shared.errors import Conflict, InvalidPayload, NotFound, PolicyForbids, SessionFailed

Answer = TypeVar("Answer")
POOL_TASK = "work-"
"""Worktrees of sessions without a task of their own are called work-1, work-2, …"""


@dataclass(frozen=True)
class Worktree:
    """A worktree in the hands of one session. `lock` is an open file; closing it lets the worktree go."""

    path: Path
    branch: str
    role: str
    task: str
    base: str
    lock: int

    @property
    def is_pooled(self) -> bool:
        return self.task.startswith(POOL_TASK)


class Worktrees:
    """The worktrees of one repository in one workspace, shared with whoever else uses the repository by file locks."""

    def __init__(self, repository: Path, workspace: Path, base: str | None = None) -> None:
        self.repository = repository
        self.workspace = workspace
        self._base = base
        self._one_at_a_time = asyncio.Lock()

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        async with self._one_at_a_time:
            return await asyncio.to_thread(work)

    async def take(self, role: str, task: str | None, base: str | None = None) -> Worktree:
        """A worktree for one session: the task's own, as it was left; without a task, a clean one.

        Raises:
            NotFound: the repository is not there.
            PolicyForbids: it is not a repository.
            InvalidPayload: it has no commit, or no such `base`.
            Conflict: another session works in the worktree, or something else is in its way.
        """
        return await self._in_thread(lambda: self._take(role, task, base))

    async def give_back(self, worktree: Worktree) -> None:
        """Lets another session have it. What is in it stays."""
        os.close(worktree.lock)

    async def is_untouched(self, worktree: Worktree) -> bool:
        """Whether it holds nothing that is not in its base: clean, and no commit of its own."""
        return await self._in_thread(lambda: self._is_untouched(worktree.path, worktree.base))

    async def freshen(self, worktree: Worktree) -> None:
        """Brings an untouched worktree to the tip of its base.

        Raises:
            Conflict: it holds work.
        """

        def work() -> None:
            if not self._is_untouched(worktree.path, worktree.base):
                raise Conflict(f"{worktree.path} holds work that is not in {worktree.base}")
            git.Repo(worktree.path).git.reset("--hard", self._commit(self._open(), worktree.base))

        await self._in_thread(work)

    async def remove(self, worktree: Worktree, *, even_with_work: bool = False) -> None:
        """
        Raises:
            Conflict: it holds work, and nobody said that it may go.
        """

        def work() -> None:
            if not even_with_work and not self._is_untouched(worktree.path, worktree.base):
                raise Conflict(
                    f"{worktree.path} holds uncommitted or unmerged work", advice="merge it, or say that it may go"
                )
            repository = self._open()
            repository.git.worktree("remove", "--force", str(worktree.path))
            repository.git.branch("-D", worktree.branch)

        await self._in_thread(work)
        os.close(worktree.lock)

    async def list(self) -> dict[Path, str]:
        """Branch by path, of those in the workspace."""
        return await self._in_thread(lambda: self._list(self._open()))

    # What follows runs in a thread ----------------------------------------------------------------------------------

    def _open(self) -> git.Repo:
        try:
            repository = git.Repo(self.repository)
        except NoSuchPathError:
            raise NotFound(f"the repository {self.repository} does not exist on this machine") from None
        except InvalidGitRepositoryError:
            raise PolicyForbids(
                f"{self.repository} is not a git repository", advice="mend the policy of the machine"
            ) from None
        if not repository.head.is_valid():
            raise InvalidPayload(f"the repository {self.repository} has no commit yet", advice="make a first commit")
        return repository

    def _default_base(self, repository: git.Repo) -> str:
        if self._base is not None:
            return self._base
        return repository.head.commit.hexsha if repository.head.is_detached else repository.active_branch.name

    @staticmethod
    def _commit(repository: git.Repo, name: str) -> str:
        try:
            return repository.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except GitCommandError:
            raise InvalidPayload(f'there is no branch, tag or commit "{name}" in {repository.working_dir}') from None

    def _take(self, role: str, task: str | None, base: str | None) -> Worktree:
        repository = self._open()
        base = base or self._default_base(repository)
        commit = self._commit(repository, base)
        locks = RepositoryLocks(Path(repository.common_dir))
        if task is not None:
            lock = locks.take(_branch(role, task))
            if lock is None:
                raise Conflict(f"another session works on {_branch(role, task)}", advice="name another task")
            return self._made(repository, role, task, base, commit, lock)
        number = 1
        while True:
            name = f"{POOL_TASK}{number}"
            lock = locks.take(_branch(role, name))
            if lock is not None:
                path = self.workspace / role / name
                if not path.exists() and not self._has_branch(repository, role, name):
                    return self._made(repository, role, name, base, commit, lock)
                if self._is_ours(repository, path, role, name) and self._is_untouched(path, base):
                    git.Repo(path).git.reset("--hard", commit)
                    return Worktree(path, _branch(role, name), role, name, base, lock)
                os.close(lock)
            number += 1

    def _made(self, repository: git.Repo, role: str, task: str, base: str, commit: str, lock: int) -> Worktree:
        try:
            return self._make(repository, role, task, base, commit, lock)
        except BaseException:
            os.close(lock)
            raise

    def _make(self, repository: git.Repo, role: str, task: str, base: str, commit: str, lock: int) -> Worktree:
        path, branch = self.workspace / role / task, _branch(role, task)
        worktree = Worktree(path, branch, role, task, base, lock)
        with RepositoryLocks(Path(repository.common_dir)).alone():
            repository.git.worktree("prune")
            if self._is_ours(repository, path, role, task):
                return worktree
            if path.exists():
                self._clear_half_made(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                if self._has_branch(repository, role, task):
                    repository.git.worktree("add", "--force", str(path), branch)
                else:
                    repository.git.worktree("add", "--force", "-b", branch, str(path), commit)
            except GitCommandError as error:
                said = str(error.stderr).strip().removeprefix("stderr: ").strip("'\n ")
                raise SessionFailed(f"git could not make the worktree {path}: {said}") from error
        return worktree

    @staticmethod
    def _clear_half_made(path: Path) -> None:
        """What a crash amid `git worktree add` leaves: an empty folder, or a `.git` file that leads nowhere."""
        link = path / ".git"
        if path.is_dir() and not path.is_symlink() and (not any(path.iterdir()) or _leads_nowhere(link)):
            shutil.rmtree(path)
            return
        raise Conflict(f"{path} is in the way: it is not a worktree of this repository", advice="move it away")

    def _is_ours(self, repository: git.Repo, path: Path, role: str, task: str) -> bool:
        return path.is_dir() and self._list(repository).get(path.resolve()) == _branch(role, task)

    def _has_branch(self, repository: git.Repo, role: str, task: str) -> bool:
        return _branch(role, task) in (head.name for head in repository.heads)

    @staticmethod
    def _is_untouched(path: Path, base: str) -> bool:
        repository = git.Repo(path)
        if repository.git.status("--porcelain"):
            return False
        try:
            repository.git.merge_base("--is-ancestor", "HEAD", base)
        except GitCommandError:
            return False
        return True

    def _list(self, repository: git.Repo) -> dict[Path, str]:
        found: dict[Path, str] = {}
        path: Path | None = None
        for line in str(repository.git.worktree("list", "--porcelain")).splitlines():
            word, _, rest = line.partition(" ")
            if word == "worktree":
                path = Path(rest).resolve()
            elif word == "branch" and path is not None and path.is_relative_to(self.workspace.resolve()):
                found[path] = rest.removeprefix("refs/heads/")
        return found


def _branch(role: str, task: str) -> str:
    return f"agent/{role}-{task}"


def _leads_nowhere(link: Path) -> bool:
    if not link.is_file():
        return False
    return not Path(link.read_text().strip().removeprefix("gitdir: ")).exists()
