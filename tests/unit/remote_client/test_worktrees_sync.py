"""Bringing a worktree up to its base in real git: nothing is lost, and what does not fit changes nothing."""

from pathlib import Path

import pytest

from remote_client.worktrees import Worktrees
from remote_client.worktrees_sync import SyncBy
from shared.errors import Conflict, Unavailable
from tests.support.git import commit, git, new_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest.fixture
def worktrees(repository: Path, tmp_path: Path) -> Worktrees:
    return Worktrees(repository, tmp_path / "trees")


def subjects(folder: Path) -> list[str]:
    return git(folder, "log", "--format=%s").splitlines()


def all_of(folder: Path) -> tuple[str, str, str]:
    """Everything that could have changed in a worktree."""
    return git(folder, "rev-parse", "HEAD"), git(folder, "status", "--porcelain", "--branch"), git(folder, "diff")


async def test_commits_of_ones_own_are_put_on_top_of_the_base(worktrees: Worktrees, repository: Path) -> None:
    tree = await worktrees.take("BE", "login")
    commit(tree.path, {"own.txt": "own"}, "own work")
    tip = commit(repository, {"base.txt": "base"}, "base work")

    synced = await worktrees.sync(tree)

    assert (synced.how, synced.onto) == ("rebase", tip)
    assert subjects(tree.path) == ["own work", "base work", "first"]
    assert git(tree.path, "status", "--porcelain") == ""
    assert not list((worktrees.workspace).rglob(".semo-scratch/*/*"))


async def test_told_to_merge_it_merges(worktrees: Worktrees, repository: Path) -> None:
    tree = await worktrees.take("BE", "login")
    commit(tree.path, {"own.txt": "own"}, "own work")
    commit(repository, {"base.txt": "base"}, "base work")

    assert (await worktrees.sync(tree, SyncBy.MERGE)).how == "merge"

    assert subjects(tree.path)[0] == "Merge main into agent/BE-login"
    assert (tree.path / "base.txt").exists()


async def test_what_was_pushed_is_merged_and_never_rewritten(
    worktrees: Worktrees, repository: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    git(repository, "remote", "add", "origin", str(tmp_path / "origin"))
    tree = await worktrees.take("BE", "login")
    pushed = commit(tree.path, {"own.txt": "own"}, "own work")
    git(tree.path, "push", "--quiet", "origin", "HEAD")
    commit(repository, {"base.txt": "base"}, "base work")

    assert (await worktrees.sync(tree)).how == "merge"

    git(tree.path, "merge-base", "--is-ancestor", pushed, "HEAD")


async def test_without_commits_of_its_own_the_branch_moves_on(worktrees: Worktrees, repository: Path) -> None:
    tree = await worktrees.take("BE", "login")
    tip = commit(repository, {"base.txt": "base"}, "base work")

    assert (await worktrees.sync(tree)).how == "fast-forward"
    assert git(tree.path, "rev-parse", "HEAD").strip() == tip
    assert (await worktrees.sync(tree)).how == "up to date"


async def test_uncommitted_work_is_kept_staged_and_unstaged(worktrees: Worktrees, repository: Path) -> None:
    commit(repository, {"a.txt": "a\n", "b.txt": "b\n"}, "files")
    tree = await worktrees.take("BE", "login")
    commit(tree.path, {"own.txt": "own"}, "own work")
    (tree.path / "a.txt").write_text("staged\n")
    git(tree.path, "add", "a.txt")
    (tree.path / "b.txt").write_text("unstaged\n")
    (tree.path / "new.txt").write_text("untracked\n")
    before = git(tree.path, "status", "--porcelain")
    commit(repository, {"base.txt": "base"}, "base work")

    await worktrees.sync(tree)

    assert git(tree.path, "status", "--porcelain") == before == "M  a.txt\n M b.txt\n?? new.txt\n"
    assert subjects(tree.path)[:2] == ["own work", "base work"]


@pytest.mark.parametrize("by", [SyncBy.REBASE, SyncBy.MERGE])
async def test_conflicts_are_reported_with_their_files_and_nothing_is_changed(
    worktrees: Worktrees, repository: Path, by: SyncBy
) -> None:
    tree = await worktrees.take("BE", "login")
    commit(tree.path, {"README.md": "ours\n", "fine.txt": "fine"}, "own work")
    (tree.path / "half.txt").write_text("half done")
    commit(repository, {"README.md": "theirs\n"}, "base work")
    before = all_of(tree.path)

    with pytest.raises(Conflict, match=r"conflicts with main in README\.md; nothing was changed") as caught:
        await worktrees.sync(tree, by)

    assert caught.value.context["files"] == ["README.md"]
    assert all_of(tree.path) == before
    assert len(git(repository, "worktree", "list").splitlines()) == 2


@pytest.mark.parametrize("kind", ["modified", "untracked", "ignored"])
async def test_uncommitted_work_in_the_way_is_reported_and_nothing_is_changed(
    worktrees: Worktrees, repository: Path, kind: str
) -> None:
    commit(repository, {".gitignore": "*.env\n", "a.txt": "a\n"}, "files")
    tree = await worktrees.take("BE", "login")
    name = {"modified": "a.txt", "untracked": "b.txt", "ignored": "c.env"}[kind]
    (tree.path / name).write_text("mine\n")
    commit(repository, {name: "theirs\n"}, "base work")
    before = all_of(tree.path)

    with pytest.raises(Conflict, match="uncommitted work") as caught:
        await worktrees.sync(tree)

    assert caught.value.context["files"] == [name]
    assert (tree.path / name).read_text() == "mine\n"
    assert all_of(tree.path) == before


async def test_what_the_base_follows_is_fetched(worktrees: Worktrees, repository: Path, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(origin))
    git(repository, "remote", "add", "origin", str(origin))
    git(repository, "fetch", "--quiet", "origin")
    git(repository, "branch", "--quiet", "--set-upstream-to=origin/main")
    tree = await worktrees.take("BE", "login")
    git(tmp_path, "clone", "--quiet", str(origin), "colleague")
    git(tmp_path / "colleague", "config", "user.name", "Colleague")
    git(tmp_path / "colleague", "config", "user.email", "colleague@example.invalid")
    commit(tmp_path / "colleague", {"news.txt": "news"}, "news")
    git(tmp_path / "colleague", "push", "--quiet")

    assert (await worktrees.sync(tree, fetch=False)).how == "up to date"
    synced = await worktrees.sync(tree)

    assert (synced.how, synced.fetched_from) == ("fast-forward", "origin")
    assert (tree.path / "news.txt").exists()
    assert subjects(repository) == ["first"], "the person's own branch was moved"


async def test_a_remote_that_does_not_answer_changes_nothing(worktrees: Worktrees, repository: Path) -> None:
    git(repository, "remote", "add", "origin", "/nowhere/at/all")
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    tree = await worktrees.take("BE", "login", "origin/main")

    with pytest.raises(Unavailable, match="origin could not be fetched"):
        await worktrees.sync(tree)


async def test_what_somebody_left_unfinished_is_not_synced_over(worktrees: Worktrees, repository: Path) -> None:
    tree = await worktrees.take("BE", "login")
    commit(tree.path, {"README.md": "ours\n"}, "own work")
    tip = commit(repository, {"README.md": "theirs\n"}, "base work")
    with pytest.raises(AssertionError):
        git(tree.path, "merge", tip)

    with pytest.raises(Conflict, match="a merge is unfinished"):
        await worktrees.sync(tree)
    git(tree.path, "merge", "--abort")
    git(tree.path, "switch", "--quiet", "-c", "elsewhere")
    with pytest.raises(Conflict, match="something else than agent/BE-login checked out"):
        await worktrees.sync(tree)
