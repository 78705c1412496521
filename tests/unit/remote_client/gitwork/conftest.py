"""A repository with a bare remote, worktrees beside it, and a stand-in for gh."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from remote_client.gitwork.branch import Branch, branch_named
from remote_client.gitwork.hub import Hub
from remote_client.worktrees import Worktrees
from remote_client.worktrees_repository import Worktree
from tests.support.fake_gh import FakeGh
from tests.support.git import commit, git, new_repository


@dataclass
class Place:
    """What a developer's machine has."""

    repository: Path
    origin: Path
    worktrees: Worktrees
    gh: FakeGh

    @property
    def hub(self) -> Hub:
        return Hub(self.gh.program, self.repository)

    async def work(self, role: str, task: str, files: dict[str, str]) -> Worktree:
        """A worktree in which an agent has committed something."""
        tree = await self.worktrees.take(role, task)
        commit(tree.path, files, f"{role} works on {task}")
        return tree

    def branch(self, name: str) -> Branch:
        return branch_named(self.worktrees.look(), name, None, "origin")

    def on_origin(self, reference: str) -> str:
        return git(self.origin, "rev-parse", f"refs/heads/{reference}").strip()

    def colleague(self, branch: str, files: dict[str, str]) -> str:
        """Somebody elsewhere pushes a commit. Returns it."""
        clone = self.origin.parent / "colleague"
        if not clone.exists():
            git(self.origin.parent, "clone", "--quiet", str(self.origin), "colleague")
            git(clone, "config", "user.name", "Colleague")
            git(clone, "config", "user.email", "colleague@example.invalid")
        git(clone, "fetch", "--quiet", "origin")
        git(clone, "checkout", "--quiet", "-B", branch, f"origin/{branch}")
        made = commit(clone, files, "from a colleague")
        git(clone, "push", "--quiet", "origin", branch)
        return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    repository = new_repository(tmp_path / "repo")
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(origin))
    git(repository, "remote", "add", "origin", str(origin))
    return Place(repository, origin, Worktrees(repository, tmp_path / "trees"), FakeGh(tmp_path / "hub", origin))
