"""`semo worktree` on real git: what it shows, and what it refuses."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from remote_client.worktrees import Worktrees
from semo.cli import app
from semo.problems import Exit
from tests.support.git import commit, git, new_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest.fixture
def policy(repository: Path, tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    entries = f"[[repositories]]\npath = {json.dumps(str(repository))}\n" * 2  # two offices, one repository
    path.write_text(f"allowed_roots = {json.dumps([str(tmp_path)])}\n{entries}")
    return path


@pytest.fixture
async def worktree(repository: Path, tmp_path: Path) -> Path:
    """BE/login, which nobody owns, with a commit of its own."""
    worktrees = Worktrees(repository, tmp_path / "repo-worktrees")
    tree = await worktrees.take("BE", "login")
    await worktrees.give_back(tree)
    commit(tree.path, {"own.txt": "own"}, "own work")
    return tree.path


def semo(policy: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["worktree", *arguments, "--policy", str(policy)])
    return done.exit_code, done.stdout + done.stderr


def test_it_lists_what_there_is(policy: Path, worktree: Path) -> None:
    code, said = semo(policy, "list", "--json")

    [one] = json.loads(said)
    assert code == Exit.DONE
    assert (one["role"], one["task"], one["branch"], one["base"]) == ("BE", "login", "agent/BE-login", "main")
    assert (one["ahead"], one["behind"], one["uncommitted"], one["owned"]) == (1, 0, False, False)
    assert "unmerged work" in semo(policy, "list")[1]


def test_it_syncs(policy: Path, worktree: Path, repository: Path) -> None:
    commit(repository, {"base.txt": "base"}, "base work")

    code, said = semo(policy, "sync", "BE/login")

    assert (code, "rebase" in said) == (Exit.DONE, True)
    assert (worktree / "base.txt").exists()


def test_it_names_the_files_that_conflict(policy: Path, worktree: Path, repository: Path) -> None:
    commit(repository, {"own.txt": "theirs"}, "base work")

    code, said = semo(policy, "sync", "BE/login")

    assert code == Exit.NOT_DONE
    assert "conflicts with main in own.txt; nothing was changed" in said
    assert git(worktree, "status", "--porcelain") == ""


def test_it_removes_no_work_unless_told(policy: Path, worktree: Path) -> None:
    code, said = semo(policy, "remove", "BE/login")
    assert (code, "unmerged work" in said) == (Exit.NOT_DONE, True)

    assert semo(policy, "remove", "BE/login", "--even-with-work")[0] == Exit.DONE

    assert not worktree.exists()
    assert semo(policy, "remove", "BE/login")[0] == Exit.USAGE


def test_it_keeps_its_hands_off_a_running_session(policy: Path, worktree: Path, repository: Path) -> None:
    asyncio.run(Worktrees(repository, worktree.parent.parent).take("BE", "login"))

    code, said = semo(policy, "sync", "BE/login")

    assert (code, "a session works in" in said) == (Exit.NOT_DONE, True)
