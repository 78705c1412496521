"""Which branches of one repository would conflict, were they merged now; work that is not committed yet included.

Everything happens in memory and in a folder of our own: no index, no branch, no file and no object of the repository is
touched. Blocks: `forecaster` runs it in threads. Remembers what it has found of two commits.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from remote_client.gitwork import trees
from remote_client.turn_git import uncommitted_files
from remote_client.worktrees_git import Git
from remote_client.worktrees_place import git_folder_of
from shared.errors import SessionFailed
from shared.ids import SessionId

UNCOMMITTED_FILES = 1000
UNCOMMITTED_BYTES = 20_000_000
"""What is more than that is not looked into: a build, not work."""

PAIRS_KEPT = 5000
SNAPSHOTS_KEPT = 300
_FIXED = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
          (("NAME", "SEMO Office"), ("EMAIL", "office@semo.invalid"), ("DATE", "1700000000 +0000"))}  # fmt: skip
"""The same work is always the same commit."""


@dataclass(frozen=True)
class LiveBranch:
    """A branch that somebody works on, or that waits to be merged. `head` and `base` are commits."""

    name: str
    head: str
    base: str
    worktree: Path | None = None
    session_id: SessionId | None = None
    uncommitted: bool = False


@dataclass(frozen=True)
class Clash:
    """Two branches, in the order of their names, and the files in which they would conflict."""

    first: LiveBranch
    second: LiveBranch
    files: tuple[str, ...]

    @property
    def uncommitted(self) -> bool:
        """Whether it is about work that is not committed yet."""
        return self.first.uncommitted or self.second.uncommitted


class Forecast:
    """`folder` is ours alone, and for this repository alone."""

    def __init__(self, git: Git, common: Path, folder: Path) -> None:
        self._folder = folder
        self._objects = folder / "objects"
        self._plain = git
        quoted = str(common / "objects").replace("\\", "\\\\").replace('"', '\\"')
        elsewhere = {"GIT_OBJECT_DIRECTORY": str(self._objects), "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"'}
        self._git = replace(git, environment=elsewhere | _FIXED)
        self._found: dict[tuple[str, str], tuple[str, ...]] = {}
        self._snapshots = 0
        self._clear()

    def _clear(self) -> None:
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._objects.mkdir(parents=True)
        self._snapshots = 0

    def as_they_are(self, branches: Iterable[LiveBranch]) -> list[LiveBranch]:
        """Those with work of their own, `head` being all of it: committed and not."""
        if self._snapshots > SNAPSHOTS_KEPT:
            self._clear()
        return sorted((one for one in map(self._snapshot, branches) if self._has_work(one)), key=lambda one: one.name)

    def clashes(self, branches: Iterable[LiveBranch]) -> Iterator[Clash]:
        """Those of branches from `as_they_are` that would conflict, as each is found."""
        for first, second in combinations(branches, 2):
            if files := self._files(first.head, second.head):
                yield Clash(first, second, files)

    def _files(self, one: str, other: str) -> tuple[str, ...]:
        pair = (min(one, other), max(one, other))
        if pair not in self._found:
            if len(self._found) >= PAIRS_KEPT:
                self._found.clear()
            try:
                self._found[pair] = tuple(trees.merged(self._git, *pair).files)
            except SessionFailed:  # no history in common, or gone meanwhile
                return ()
        return self._found[pair]

    def _has_work(self, branch: LiveBranch) -> bool:
        return branch.uncommitted or not self._plain.says_yes("merge-base", "--is-ancestor", branch.head, branch.base)

    def _snapshot(self, branch: LiveBranch) -> LiveBranch:
        """The branch with what is not committed in its worktree; as it is, where that cannot be had cheaply."""
        if branch.worktree is None:
            return branch
        index = self._folder / hashlib.sha256(branch.name.encode()).hexdigest()
        try:
            shutil.copyfile(git_folder_of(branch.worktree) / "index", index)
            there = replace(self._git, folder=branch.worktree)
            here = replace(there, environment={**there.environment, "GIT_INDEX_FILE": str(index)})
            files = uncommitted_files(here)
            if not files or len(files) > UNCOMMITTED_FILES or _bytes_of(branch.worktree, files) > UNCOMMITTED_BYTES:
                return branch
            self._snapshots += 1
            here("add", "--all", "--ignore-errors")
            tree = here("write-tree")
            if tree == here("rev-parse", f"{branch.head}^{{tree}}"):
                return branch
            commit = here("commit-tree", tree, "-p", branch.head, "-m", "not committed yet")
        except (OSError, SessionFailed):  # an agent is amid something in there, or it is going away
            return branch
        finally:
            index.unlink(missing_ok=True)
        return replace(branch, head=commit, uncommitted=True)


def _bytes_of(worktree: Path, files: Iterable[str]) -> int:
    total = 0
    for name in files:
        try:
            total += (worktree / name).lstat().st_size
        except OSError:
            continue
    return total
