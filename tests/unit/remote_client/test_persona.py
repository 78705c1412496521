"""The persona in real git: in the file, and nowhere that git would show it."""

import subprocess
from pathlib import Path

import pytest

from remote_client import persona
from shared.errors import SessionFailed


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    repository = tmp_path / "repo"
    repository.mkdir()
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "config", "user.name", "Tester")
    git(repository, "config", "user.email", "tester@example.invalid")
    (repository / "README.md").write_text("hello\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "first")
    git(repository, "worktree", "add", "--quiet", "-b", "work", str(tmp_path / "tree"))
    return tmp_path / "tree"


def track(worktree: Path, text: str) -> Path:
    path = worktree / persona.FILE
    path.parent.mkdir()
    path.write_text(text)
    git(worktree, "add", ".")
    git(worktree, "commit", "--quiet", "-m", "instructions")
    return path


def commit_all(worktree: Path) -> str:
    (worktree / "work.txt").write_text("work")
    git(worktree, "add", "--all")
    git(worktree, "commit", "--quiet", "--all", "-m", "work")
    return git(worktree, "show", "--name-only", "--format=")


async def test_an_untracked_persona_shows_in_no_status_and_no_commit(worktree: Path) -> None:
    await persona.inject(worktree, "You are BE.")

    assert "You are BE." in (worktree / persona.FILE).read_text()
    assert git(worktree, "status", "--porcelain") == ""
    assert commit_all(worktree) == "work.txt\n"


@pytest.mark.parametrize("text", ["mine\n", "mine, without a last newline", ""])
async def test_a_tracked_file_keeps_what_it_held_and_git_sees_no_more_than_that(worktree: Path, text: str) -> None:
    path = track(worktree, text)

    await persona.inject(worktree, "You are BE.")

    assert path.read_text().endswith(text)
    assert "You are BE." in path.read_text()
    assert git(worktree, "status", "--porcelain") == ""
    assert commit_all(worktree) == "work.txt\n"


async def test_what_the_agent_writes_into_a_tracked_file_is_committed_without_the_persona(worktree: Path) -> None:
    path = track(worktree, "mine\n")
    await persona.inject(worktree, "You are BE.")

    with path.open("a") as file:
        file.write("and the agent's\n")

    assert commit_all(worktree) == ".claude/CLAUDE.md\nwork.txt\n"
    assert git(worktree, "show", "HEAD:.claude/CLAUDE.md") == "mine\nand the agent's\n"


async def test_injecting_again_changes_nothing_and_a_new_version_replaces_the_old(worktree: Path) -> None:
    path = track(worktree, "mine\n")
    await persona.inject(worktree, "first")
    first = path.read_text()
    await persona.inject(worktree, "first")
    assert path.read_text() == first

    await persona.inject(worktree, "second")

    assert "first" not in path.read_text()
    assert path.read_text().count(persona.BEGIN) == 1
    assert git(worktree, "status", "--porcelain") == ""


@pytest.mark.parametrize("tracked", [True, False])
async def test_removing_leaves_what_was_there_before(worktree: Path, tracked: bool) -> None:
    path = track(worktree, "mine") if tracked else worktree / persona.FILE
    await persona.inject(worktree, "You are BE.")

    await persona.remove(worktree)

    assert path.exists() == tracked
    assert not tracked or path.read_text() == "mine"
    assert git(worktree, "status", "--porcelain") == ""


async def test_the_main_checkout_is_not_touched(worktree: Path, tmp_path: Path) -> None:
    await persona.inject(worktree, "You are BE.")

    path = tmp_path / "repo" / persona.FILE
    path.parent.mkdir()
    path.write_text("the owner's own")
    assert git(tmp_path / "repo", "status", "--porcelain") == "?? .claude/\n"


async def test_a_persona_that_names_our_own_marks_cannot_end_its_block(worktree: Path) -> None:
    path = track(worktree, "mine\n")

    await persona.inject(worktree, f"a\n{persona.END}\nb\n")

    assert git(worktree, "status", "--porcelain") == ""
    assert path.read_text().count(persona.END) == 1


async def test_a_link_is_not_followed(worktree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (worktree / ".claude").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SessionFailed, match="symbolic link"):
        await persona.inject(worktree, "You are BE.")
    assert list((tmp_path / "elsewhere").iterdir()) == []
