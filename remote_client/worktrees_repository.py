"""One repository at the moment of one call, and what its worktrees are called: finds, mends and makes them.

Blocks: `worktrees` runs it in threads.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from remote_client.worktrees_git import Git
from remote_client.worktrees_locks import Note, RepositoryLocks
from remote_client.worktrees_place import Found, Place
from shared.errors import Conflict, InvalidPayload

POOL_TASK = "work-"
"""Worktrees of sessions without a task of their own are called work-1, work-2, …"""
SCRATCH = ".semo-scratch"


@dataclass(frozen=True)
class Worktree:
    """A worktree in the hands of one owner. `lock` is an open file; closing it lets the worktree go."""

    path: Path
    branch: str
    role: str
    task: str
    base: str
    lock: int

    @property
    def is_pooled(self) -> bool:
        return self.task.startswith(POOL_TASK)


@dataclass(frozen=True)
class Listed:
    """A worktree as it is now. `ahead` and `behind` count commits against `base`; `trouble` says what is wrong."""

    role: str
    task: str
    path: Path
    branch: str
    base: str
    owned: bool
    uncommitted: bool = False
    ahead: int = 0
    behind: int = 0
    trouble: str | None = None


@dataclass(frozen=True)
class Repository:
    """A repository at the moment of one call."""

    git: Git
    common: Path
    workspace: Path
    default_base: str

    @property
    def locks(self) -> RepositoryLocks:
        return RepositoryLocks(self.common)

    def place(self, role: str, task: str) -> Place:
        branch = branch_of(role, task)
        return Place(self.common, self.workspace / role / task, branch, self.workspace / SCRATCH / branch)

    @contextmanager
    def alone(self) -> Generator[Git]:
        with self.locks.alone() as handle:
            yield Git(self.git.folder, handle)

    @contextmanager
    def owning(self, role: str, task: str, patience_seconds: float = 0.0) -> Generator[int | None]:
        """The lock of a worktree, which is let go when what follows fails; None when somebody else has it."""
        lock = self.locks.take(branch_of(role, task), patience_seconds)
        try:
            yield lock
        except BaseException:
            if lock is not None:
                os.close(lock)
            raise

    def base_of(self, place: Place, wanted: str | None) -> str:
        note = self.locks.note(place.branch)
        return wanted or (note.base if note is not None else self.default_base)

    def commit(self, base: str) -> str:
        commit = self.git.commit(base)
        if commit is None:
            raise InvalidPayload(f'there is no branch, tag or commit "{base}" in {self.git.folder}')
        return commit

    def prepared(self, role: str, task: str, wanted: str | None, lock: int) -> Worktree:
        """The worktree of a task, mended or made."""
        place = self.place(role, task)
        if not self.git.says_yes("check-ref-format", "--branch", place.branch):
            raise InvalidPayload(f'"{place.branch}" is not a name that a branch may have', advice="name another task")
        base = self.base_of(place, wanted)
        commit = self.commit(base)
        with self.alone() as git_alone:
            self._stand_up(git_alone, place, base, commit)
        if self.git.at(place.path).commit("HEAD") != commit and place.is_untouched(self.git, base):
            with self.alone() as git_alone:
                place.move_on(git_alone, self.locks, base, commit)
        self.locks.write_note(place.branch, Note(base))
        return Worktree(place.path, place.branch, role, task, base, lock)

    def clean_one(self, role: str, task: str, wanted: str | None, lock: int) -> Worktree | None:
        """A worktree of the pool as if it had just been made; None when somebody's work is in it or in its way."""
        place = self.place(role, task)
        base = wanted or self.default_base
        commit = self.commit(base)
        deserted = not place.path.exists() and self.git.commit(f"refs/heads/{place.branch}") is not None
        if deserted and not place.is_merged(self.git, base):
            return None
        try:
            with self.alone() as git_alone:
                fresh = self._stand_up(git_alone, place, base, commit)
        except Conflict:
            return None
        if not fresh or self.git.at(place.path).commit("HEAD") != commit:
            if not place.is_untouched(self.git, base):
                return None
            with self.alone() as git_alone:
                place.freshen(git_alone, self.locks, base, commit)
        return Worktree(place.path, place.branch, role, task, base, lock)

    def _stand_up(self, git_alone: Git, place: Place, base: str, commit: str) -> bool:
        """Has a worktree in its place, whatever was there before. Returns whether it was made just now."""
        place.mend(git_alone, self.locks)
        found = place.look()
        if found is Found.LOST_LINK:
            place.attach(git_alone, self.locks, base, commit)
        elif found is Found.NOTHING:
            place.make(git_alone, self.locks, base, commit)
        return found is Found.NOTHING

    def listed(self, role: str, task: str) -> Listed:
        place = self.place(role, task)
        base = self.base_of(place, None)
        lock = self.locks.take(place.branch)
        if lock is not None:
            os.close(lock)
        about = Listed(role, task, place.path, place.branch, base, owned=lock is None)
        try:
            if place.look() is not Found.WORKTREE:
                return replace(about, trouble="its folder or its git folder is gone; the next session mends it")
        except Conflict as error:
            return replace(about, trouble=error.detail)
        if not place.is_on_branch():
            return replace(about, trouble="something else than its branch is checked out")
        if self.git.commit(base) is None:
            return replace(about, trouble=f'its base "{base}" is gone', uncommitted=not place.is_clean(self.git))
        counts = self.git("rev-list", "--left-right", "--count", f"refs/heads/{place.branch}...{base}").split()
        unfinished = place.unfinished()
        return replace(
            about, ahead=int(counts[0]), behind=int(counts[1]), uncommitted=not place.is_clean(self.git),
            trouble=f"{unfinished} is unfinished" if unfinished else None,
        )  # fmt: skip


def branch_of(role: str, task: str) -> str:
    return f"agent/{role}-{task}"
