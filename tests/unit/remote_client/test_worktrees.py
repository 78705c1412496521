"""Worktrees in real git: made, reused, never robbed of work, and clear about what is in the way."""

import gc
import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from remote_client.git_head import GitHead
from remote_client.worktrees import Worktrees
from shared.errors import Conflict, InvalidPayload, NotFound, PolicyForbids
from tests.support.git import git, new_repository

ROOT = Path(__file__).parents[3]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest.fixture
def worktrees(repository: Path, tmp_path: Path) -> Worktrees:
    return Worktrees(repository, tmp_path / "trees")


async def test_a_task_gets_a_worktree_on_its_own_branch(worktrees: Worktrees, tmp_path: Path) -> None:
    tree = await worktrees.take("BE", "login")

    assert tree.path == tmp_path / "trees" / "BE" / "login"
    assert git(tree.path, "branch", "--show-current").strip() == "agent/BE-login"
    [listed] = await worktrees.list()
    assert (listed.path, listed.branch, listed.owned) == (tree.path, "agent/BE-login", True)


async def test_a_task_is_taken_up_again_with_the_work_that_is_in_it(worktrees: Worktrees) -> None:
    tree = await worktrees.take("BE", "login")
    (tree.path / "half.txt").write_text("half done")
    await worktrees.give_back(tree)

    again = await worktrees.take("BE", "login")

    assert (again.path / "half.txt").read_text() == "half done"


async def test_one_session_at_a_time_works_in_a_worktree_also_from_another_client(
    worktrees: Worktrees, repository: Path, tmp_path: Path
) -> None:
    tree = await worktrees.take("BE", "login")

    with pytest.raises(Conflict, match="another session works on"):
        await Worktrees(repository, tmp_path / "trees").take("BE", "login")
    await worktrees.give_back(tree)
    await Worktrees(repository, tmp_path / "trees").take("BE", "login")


async def test_no_git_goes_on_running_when_its_question_is_answered(worktrees: Worktrees) -> None:
    def asking() -> set[int]:
        return {child.pid for child in psutil.Process().children() if "cat-file" in child.cmdline()}

    gc.disable()  # it would end them, some time
    try:
        before = asking()
        tree = await worktrees.take("BE", "login")
        git(tree.path, "pack-refs", "--all")
        assert GitHead(tree.path).commit() is not None
        assert asking() <= before
    finally:
        gc.enable()


async def test_a_branch_has_one_owner_whatever_workspace_its_worktree_is_in(
    worktrees: Worktrees, repository: Path, tmp_path: Path
) -> None:
    elsewhere = Worktrees(repository, tmp_path / "other-trees")
    here = await worktrees.take("BE", None)
    there = await elsewhere.take("BE", None)

    assert (here.branch, there.branch) == ("agent/BE-work-1", "agent/BE-work-2")
    await worktrees.take("BE", "login")
    with pytest.raises(Conflict, match="another session works on agent/BE-login"):
        await elsewhere.take("BE", "login")


def test_many_at_once_in_several_processes_and_two_workspaces_get_a_branch_each(
    repository: Path, tmp_path: Path
) -> None:
    takers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.worktree_taker", repository, tmp_path / f"trees-{n % 2}", "BE", "5"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for n in range(4)
    ]  # fmt: skip
    try:
        taken = [json.loads(taker.stdout.readline()) for taker in takers for _ in range(5) if taker.stdout]
    finally:
        for taker in takers:
            taker.communicate(timeout=30)

    assert len({one["branch"] for one in taken}) == 20
    for one in taken:
        assert git(Path(one["path"]), "branch", "--show-current").strip() == one["branch"]
        assert git(Path(one["path"]), "status", "--porcelain") == ""


async def test_a_git_folder_that_cannot_be_written_is_said_clearly(worktrees: Worktrees, repository: Path) -> None:
    (repository / ".git" / "semo-office").write_text("in the way")

    with pytest.raises(PolicyForbids, match="git folder of the repository cannot be written"):
        await worktrees.take("BE", None)


@pytest.mark.parametrize("work", ["uncommitted", "committed"])
async def test_a_pool_worktree_with_work_in_it_is_left_alone(worktrees: Worktrees, work: str) -> None:
    tree = await worktrees.take("BE", None)
    (tree.path / "work.txt").write_text("mine")
    if work == "committed":
        git(tree.path, "add", ".")
        git(tree.path, "commit", "--quiet", "-m", "work")
    await worktrees.give_back(tree)

    other = await worktrees.take("BE", None)

    assert other.path != tree.path
    assert (tree.path / "work.txt").read_text() == "mine"
    with pytest.raises(Conflict, match="holds"):
        await worktrees.freshen(tree)


async def test_an_untouched_pool_worktree_is_used_again_at_the_tip_of_its_base(
    worktrees: Worktrees, repository: Path
) -> None:
    tree = await worktrees.take("BE", None)
    await worktrees.give_back(tree)
    (repository / "new.txt").write_text("new")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "second")

    again = await worktrees.take("BE", None)

    assert again.path == tree.path
    assert (again.path / "new.txt").exists()


async def test_what_a_crash_left_half_made_is_made_again(worktrees: Worktrees, repository: Path) -> None:
    tree = await worktrees.take("BE", "login")
    await worktrees.give_back(tree)
    shutil.rmtree(repository / ".git" / "worktrees" / "login")  # the folder is there, git knows nothing of it

    again = await worktrees.take("BE", "login")

    assert git(again.path, "status", "--porcelain") == ""


async def test_a_worktree_whose_folder_was_deleted_is_made_again(worktrees: Worktrees) -> None:
    tree = await worktrees.take("BE", "login")
    await worktrees.give_back(tree)
    shutil.rmtree(tree.path)

    assert (await worktrees.take("BE", "login")).path.exists()


async def test_somebody_elses_folder_in_the_way_is_not_touched(worktrees: Worktrees, tmp_path: Path) -> None:
    way = tmp_path / "trees" / "BE" / "login"
    way.mkdir(parents=True)
    (way / "precious.txt").write_text("precious")

    with pytest.raises(Conflict, match="is in the way"):
        await worktrees.take("BE", "login")
    assert (way / "precious.txt").read_text() == "precious"


async def test_removing_takes_no_work_along_unless_told(worktrees: Worktrees) -> None:
    tree = await worktrees.take("BE", "login")
    (tree.path / "work.txt").write_text("mine")

    with pytest.raises(Conflict, match="uncommitted or unmerged"):
        await worktrees.remove(tree)
    assert tree.path.exists()
    await worktrees.remove(tree, even_with_work=True)
    assert not tree.path.exists()


async def test_a_repository_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        await Worktrees(tmp_path / "nowhere", tmp_path / "trees").take("BE", "x")


async def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyForbids, match="not a git repository"):
        await Worktrees(tmp_path, tmp_path / "trees").take("BE", "x")


async def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")

    with pytest.raises(InvalidPayload, match="has no commit"):
        await Worktrees(tmp_path, tmp_path / "trees").take("BE", "x")


async def test_an_unknown_base_is_refused(worktrees: Worktrees) -> None:
    with pytest.raises(InvalidPayload, match='no branch, tag or commit "nowhere"'):
        await worktrees.take("BE", "x", "nowhere")
