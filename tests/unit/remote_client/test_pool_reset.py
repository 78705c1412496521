"""What git keeps beside files and commits: nothing of it meets the next session, and no work is lost by that."""

from collections.abc import Callable
from pathlib import Path

import pytest

from remote_client import pool_reset
from remote_client.worktrees import Worktree, Worktrees
from remote_client.worktrees_place import git_folder_of
from tests.support.git import git, new_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest.fixture
def worktrees(repository: Path, tmp_path: Path) -> Worktrees:
    return Worktrees(repository, tmp_path / "worktrees")


@pytest.fixture
async def worktree(worktrees: Worktrees) -> Worktree:
    return await worktrees.take("BE", None)


def inside(worktree: Worktree) -> Callable[..., str]:
    return lambda *arguments: git(worktree.path, *arguments).strip()


async def test_a_stash_leaves_the_common_list_and_can_be_brought_back(worktree: Worktree, repository: Path) -> None:
    here = inside(worktree)
    for number in (1, 2):
        (worktree.path / "README.md").write_text(f"work {number}\n")
        here("stash", "push", "--quiet", *(["-m", "named"] if number == 2 else []))

    kept = await pool_reset.uncover(worktree)

    assert here("stash", "list") == ""
    assert len(kept) == 2
    for reference, text in zip(kept, ("work 2\n", "work 1\n"), strict=True):
        here("stash", "apply", "--quiet", reference)
        assert (worktree.path / "README.md").read_text() == text
        here("checkout", "--quiet", "README.md")
    assert await pool_reset.uncover(worktree) == []


async def test_the_stashes_of_others_stay_where_they_are(
    worktree: Worktree, worktrees: Worktrees, repository: Path
) -> None:
    other = await worktrees.take("BE", "own")
    for place, words in ((repository, "of a person"), (worktree.path, "ours"), (other.path, "of another")):
        (place / "README.md").write_text(words)
        git(place, "stash", "push", "--quiet", "-m", words)

    await pool_reset.uncover(worktree)

    assert git(repository, "stash", "list", "--format=%gs").splitlines() == [
        f"On {other.branch}: of another",
        "On main: of a person",
    ]


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
async def test_work_that_was_hidden_from_git_is_seen_as_work(
    worktree: Worktree, worktrees: Worktrees, flag: str
) -> None:
    inside(worktree)("update-index", flag, "README.md")
    (worktree.path / "README.md").write_text("hidden work\n")
    assert await worktrees.is_untouched(worktree)
    await pool_reset.uncover(worktree)
    assert not await worktrees.is_untouched(worktree)


async def test_files_that_a_setting_of_the_worktree_hid_are_seen_as_work(
    worktree: Worktree, worktrees: Worktrees, tmp_path: Path
) -> None:
    (tmp_path / "ignored").write_text("*.work\n")
    here = inside(worktree)
    here("config", "extensions.worktreeConfig", "true")
    here("config", "--worktree", "core.excludesFile", str(tmp_path / "ignored"))
    (worktree.path / "left.work").write_text("work")
    assert await worktrees.is_untouched(worktree)
    await pool_reset.uncover(worktree)
    assert not await worktrees.is_untouched(worktree)


async def test_a_sparse_checkout_is_whole_again(worktree: Worktree, worktrees: Worktrees) -> None:
    here = inside(worktree)
    here("sparse-checkout", "set", "--no-cone", "nothing")
    assert not (worktree.path / "README.md").exists()
    await pool_reset.uncover(worktree)
    if await worktrees.is_untouched(worktree):
        await worktrees.freshen(worktree)
        assert (worktree.path / "README.md").exists()


async def test_messages_marks_and_settings_are_forgotten_and_the_worktree_is_whole(
    worktree: Worktree, worktrees: Worktrees
) -> None:
    here = inside(worktree)
    here("config", "extensions.worktreeConfig", "true")
    here("config", "--worktree", "user.name", "Left")
    here("commit", "--quiet", "--allow-empty", "-m", "left behind")
    here("reset", "--quiet", "--hard", "HEAD~1")
    await pool_reset.uncover(worktree)
    assert await worktrees.is_untouched(worktree)
    await worktrees.freshen(worktree)

    await pool_reset.forget(worktree)

    left = {path.name for path in git_folder_of(worktree.path).iterdir()}
    assert left <= {"HEAD", "index", "commondir", "gitdir", "logs", "refs", "modules"}
    assert here("config", "user.name") == "Tester"
    assert here("status", "--porcelain") == ""
    (worktree.path / "more").write_text("x")
    here("add", ".")
    here("commit", "--quiet", "-m", "more")
