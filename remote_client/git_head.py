"""Which commit a worktree has checked out, from git's own files: asked before every prompt, too often to start git."""

from pathlib import Path

import git
from git.exc import GitError


class GitHead:
    """Of one worktree. Knows where its files are."""

    def __init__(self, worktree: Path) -> None:
        self.worktree = worktree
        link = worktree / ".git"
        self._own = Path(link.read_text().strip().removeprefix("gitdir: ")) if link.is_file() else link
        common = self._own / "commondir"
        self._common = (self._own / common.read_text().strip()).resolve() if common.exists() else self._own

    def commit(self) -> str | None:
        """None when there is none, or the repository is damaged."""
        try:
            head = (self._own / "HEAD").read_text().strip()
            if not head.startswith("ref: "):
                return head
            reference = self._common / head.removeprefix("ref: ")
            return reference.read_text().strip() if reference.exists() else self._packed()
        except OSError:
            return None

    def _packed(self) -> str | None:
        try:
            with git.Repo(self.worktree) as found:
                return found.head.commit.hexsha
        except (ValueError, OSError, GitError):
            return None
