"""One place for a worktree: what is there, how it is made, and how it is mended after a crash or somebody's hand.

Only what a note says is ours, or what git itself can tell to be untouched, is ever deleted. Whoever calls holds the
branch's lock, and the repository's where git is handed in.
"""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from remote_client.worktrees_git import Git
from remote_client.worktrees_locks import Note, RepositoryLocks
from shared.errors import Conflict, SessionFailed

STALE_SECONDS = 10.0
"""The age at which a lock file of git's is nobody's: its writer was killed."""
_UNFINISHED = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisect",
}


class Found(Enum):
    NOTHING = auto()
    WORKTREE = auto()
    LOST_LINK = auto()
    """Files with a link to a git folder that is not there: this, the repository or its list of worktrees moved."""


@dataclass(frozen=True)
class Place:
    """Where the worktree of a branch is, or would be. `scratch` is beside it, for what is put together unseen."""

    common: Path
    path: Path
    branch: str
    scratch: Path

    # Looking ---------------------------------------------------------------------------------------------------------

    def look(self) -> Found:
        """
        Raises:
            Conflict: something that is not ours is in the way.
        """
        if not os.path.lexists(self.path) or (self._is_folder() and not any(self.path.iterdir())):
            return Found.NOTHING
        link = self.path / ".git"
        if self._is_folder() and link.is_file() and not link.is_symlink():
            folder = git_folder_of(self.path)
            if not folder.exists():
                owner = folder.parent.parent
                if not owner.exists() or owner.resolve() == self.common.resolve():
                    return Found.LOST_LINK
            elif folder.parent.parent.resolve() == self.common.resolve():
                said = folder / "gitdir"
                back = folder / said.read_text().strip() if said.exists() else None
                if back is not None and back.resolve() == link.resolve():
                    return Found.WORKTREE
                if back is None or not back.exists():
                    return Found.LOST_LINK
        raise Conflict(f"{self.path} is in the way: it is not a worktree of this repository", advice="move it away")

    def _is_folder(self) -> bool:
        return self.path.is_dir() and not self.path.is_symlink()

    def unfinished(self) -> str | None:
        """What somebody began in the worktree and has not ended: "a rebase"."""
        folder = git_folder_of(self.path)
        return next((what for name, what in _UNFINISHED.items() if (folder / name).exists()), None)

    def is_on_branch(self) -> bool:
        return (git_folder_of(self.path) / "HEAD").read_text().strip() == f"ref: refs/heads/{self.branch}"

    def is_clean(self, git: Git) -> bool:
        """Whether nothing is uncommitted, whatever the person's settings hide from `git status`."""
        return not git.at(self.path)("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none")

    def is_merged(self, git: Git, into: str) -> bool:
        """Whether the branch has no commit of its own. What cannot be told is a no."""
        return git.says_yes("merge-base", "--is-ancestor", f"refs/heads/{self.branch}", into)

    def is_untouched(self, git: Git, base: str) -> bool:
        """Whether it holds nothing that is not in its base."""
        return (
            self.is_on_branch() and not self.unfinished() and self.is_merged(git, base) and self.is_clean(git)
        )  # fmt: skip

    # Making ----------------------------------------------------------------------------------------------------------

    def make(self, git: Git, locks: RepositoryLocks, base: str, commit: str) -> None:
        """A worktree where nothing is: at the branch's own work when it has any, else at `commit`.

        Raises:
            Conflict: the branch is checked out elsewhere, or a person has locked the worktree that was here.
        """
        if self._is_folder():
            self.path.rmdir()
        self._free_branch(git)
        locks.write_note(self.branch, Note(base, "making", commit))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        known = git.commit(f"refs/heads/{self.branch}") is not None
        if known and not self.is_merged(git, commit):
            git("worktree", "add", "--quiet", str(self.path), self.branch)
        else:
            git("worktree", "add", "--quiet", "--no-track", "-B", self.branch, str(self.path), commit)
        locks.write_note(self.branch, Note(base))

    def _free_branch(self, git: Git) -> None:
        """Lets git forget worktrees of this branch, or at this path, that are gone."""
        for known in worktrees_known(git):
            if known.branch != self.branch and known.path.resolve() != self.path.resolve():
                continue
            if known.path.exists():
                raise Conflict(f"{self.branch} is checked out in {known.path}", advice="switch it to another branch")
            if known.locked is not None and known.locked != "initializing":
                raise Conflict(
                    f"the worktree {known.path} is gone, but locked: {known.locked or 'no reason was given'}",
                    advice=f"git worktree unlock {known.path}",
                )
            git("worktree", "remove", "--force", "--force", str(known.path))

    def freshen(self, git: Git, locks: RepositoryLocks, base: str, commit: str) -> None:
        """Makes an untouched worktree as if it had just been made: at `commit`, without ignored files."""
        locks.write_note(self.branch, Note(base, "freshening", commit))
        self._freshen(git.at(self.path), commit)
        locks.write_note(self.branch, Note(base))

    def _freshen(self, here: Git, commit: str) -> None:
        if (self.path / ".gitmodules").exists():
            here("submodule", "--quiet", "deinit", "--all", "--force")
        here("reset", "--quiet", "--hard", commit)
        here("clean", "--quiet", "-ffdx")

    def remove(self, git: Git, locks: RepositoryLocks, base: str) -> None:
        locks.write_note(self.branch, Note(base, "removing"))
        self._drop(git)
        if git.commit(f"refs/heads/{self.branch}") is not None:
            git("branch", "--quiet", "-D", self.branch)
        locks.drop_note(self.branch)

    def _drop(self, git: Git) -> None:
        for known in worktrees_known(git):
            if known.path.resolve() == self.path.resolve():
                if self._is_folder():
                    shutil.rmtree(self.path)
                git("worktree", "remove", "--force", "--force", str(known.path))
        if self._is_folder():
            shutil.rmtree(self.path)
        self._forget_half_added(self.path)

    # Mending ---------------------------------------------------------------------------------------------------------

    def mend(self, git: Git, locks: RepositoryLocks) -> None:
        """Ends or takes back what a crash left half done."""
        self.clear_scratch(git)
        self._clear_stale_locks()
        note = locks.note(self.branch)
        if note is None or note.step == "made":
            return
        if note.step == "removing":
            self.remove(git, locks, note.base)
            return
        if note.step == "making":
            self._drop(git)
            locks.drop_note(self.branch)
            return
        if self.look() is Found.LOST_LINK:
            self.attach(git, locks, note.base, note.target)
        if self.look() is Found.WORKTREE:
            if note.step == "freshening":
                self._freshen(git.at(self.path), note.target)
            elif note.step == "attaching":
                git.at(self.path)("reset", "--quiet")
            elif note.step == "moving":
                self._move_on(git.at(self.path), note.target)
        locks.write_note(self.branch, Note(note.base))

    def attach(self, git: Git, locks: RepositoryLocks, base: str, commit: str) -> None:
        """Gives files whose git folder is gone a git folder again, and touches none of them."""
        git.says_yes("worktree", "repair", str(self.path))
        if self.look() is Found.WORKTREE:
            return
        locks.write_note(self.branch, Note(base, "attaching", commit))
        self._free_branch(git)
        known = git.commit(f"refs/heads/{self.branch}") is not None
        new = ["--no-track", "-b", self.branch, str(self.scratch), commit]
        git("worktree", "add", "--quiet", "--no-checkout", *([str(self.scratch), self.branch] if known else new))
        (self.scratch / ".git").replace(self.path / ".git")
        self.scratch.rmdir()
        git("worktree", "repair", str(self.path))
        git.at(self.path)("reset", "--quiet")
        locks.write_note(self.branch, Note(base))

    def clear_scratch(self, git: Git) -> None:
        if self.scratch.exists():
            shutil.rmtree(self.scratch)
        if self._forget_half_added(self.scratch):
            git("worktree", "remove", "--force", "--force", str(self.scratch))

    def _forget_half_added(self, path: Path) -> bool:
        """Deletes what `git worktree add` and `remove` leave when killed. Returns whether git knows of `path`."""
        known = False
        for folder in (self.common / "worktrees").glob(f"{path.name}*"):
            back = folder / "gitdir"
            if back.exists() and back.read_text().strip():
                known = known or (folder / back.read_text().strip()).resolve() == (path / ".git").resolve()
            else:
                shutil.rmtree(folder)
        return known

    def move_on(self, git: Git, locks: RepositoryLocks, base: str, commit: str) -> None:
        """Puts the branch and the files on `commit` and keeps what is uncommitted, which `commit` must not touch."""
        locks.write_note(self.branch, Note(base, "moving", commit))
        try:
            git.at(self.path)("checkout", "--quiet", "--no-track", "-B", self.branch, commit)
        except SessionFailed:
            if not (git_folder_of(self.path) / "index.lock").exists():  # it refused; it was not killed amid it
                locks.write_note(self.branch, Note(base))
            raise
        locks.write_note(self.branch, Note(base))

    def _move_on(self, here: Git, commit: str) -> None:
        """Ends a `move_on` that was killed: what it changes was clean before."""
        before = here.commit("HEAD") or commit
        changed = here.names("diff", "--name-only", "--no-renames", "-z", before, commit)
        gone = set(here.names("diff", "--name-only", "--no-renames", "--diff-filter=D", "-z", before, commit))
        known = set(here.names("ls-files", "-z"))
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"".join(os.fsencode(name) + b"\0" for name in changed if name not in gone - known))
            file.flush()
            if file.tell():
                here(
                    "restore", f"--source={commit}", "--staged", "--worktree",
                    f"--pathspec-from-file={file.name}", "--pathspec-file-nul",
                )  # fmt: skip
        here("reset", "--quiet", "--soft", commit)

    def _clear_stale_locks(self) -> None:
        """Deletes the lock files of git processes that were killed; waits for those that may still live."""
        places = [self.common / f"refs/heads/{self.branch}.lock"]
        places += [self.common / name for name in ("config.lock", "packed-refs.lock")]
        if (self.path / ".git").is_file():
            places += git_folder_of(self.path).glob("*.lock")
        until = time.monotonic() + STALE_SECONDS
        for place in places:
            while age := _age_seconds(place):
                if age >= STALE_SECONDS or time.monotonic() > until:
                    place.unlink(missing_ok=True)
                    break
                time.sleep(0.05)


@dataclass(frozen=True)
class Known:
    """A worktree as git lists it. `branch` is None when no branch is checked out, `locked` the reason, if it is."""

    path: Path
    branch: str | None = None
    locked: str | None = None


def worktrees_known(git: Git) -> list[Known]:
    found: list[Known] = []
    for entry in git("worktree", "list", "--porcelain").split("\n\n"):
        facts = {word: rest for word, _, rest in (line.partition(" ") for line in entry.splitlines())}
        if "worktree" in facts:
            branch = facts.get("branch")
            name = branch.removeprefix("refs/heads/") if branch else None
            found.append(Known(Path(facts["worktree"]), name, facts.get("locked")))
    return found


def git_folder_of(worktree: Path) -> Path:
    """Where git keeps what belongs to one worktree alone."""
    return (worktree / (worktree / ".git").read_text().strip().removeprefix("gitdir: ")).absolute()


def common_folder_of(worktree: Path) -> Path:
    """Where git keeps what all worktrees of the repository share."""
    own = git_folder_of(worktree)
    return (own / (own / "commondir").read_text().strip()).resolve()


def _age_seconds(path: Path) -> float | None:
    """None when it is not there."""
    try:
        return max(time.time() - path.stat().st_mtime, 0.001)
    except FileNotFoundError:
        return None
