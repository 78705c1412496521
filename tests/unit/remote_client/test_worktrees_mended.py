"""Worktrees after accidents: whoever takes one next finds it whole, and nobody's work is gone."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from remote_client.worktrees import Worktrees
from remote_client.worktrees_place import STALE_SECONDS
from shared.errors import Conflict
from tests.support.git import commit, git, new_repository

ROOT = Path(__file__).parents[3]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest.fixture
def worktrees(repository: Path, tmp_path: Path) -> Worktrees:
    return Worktrees(repository, tmp_path / "trees")


def grow_old(lock: Path) -> None:
    """As if nobody had touched it for a while."""
    then = time.time() - STALE_SECONDS
    os.utime(lock, (then, then))


async def left_half_done(worktrees: Worktrees, task: str = "login") -> Path:
    """A worktree that nobody owns, with a commit and uncommitted work in it."""
    tree = await worktrees.take("BE", task)
    commit(tree.path, {"done.txt": "done\n"}, "own work")
    (tree.path / "README.md").write_text("edited\n")
    (tree.path / "half.txt").write_text("half done")
    await worktrees.give_back(tree)
    return tree.path


def is_as_left(path: Path) -> bool:
    status = git(path, "status", "--porcelain")
    return status == " M README.md\n?? half.txt\n" and git(path, "log", "-1", "--format=%s") == "own work\n"


async def test_a_branch_that_is_checked_out_elsewhere_is_not_checked_out_twice(
    worktrees: Worktrees, repository: Path, tmp_path: Path
) -> None:
    git(repository, "switch", "--quiet", "-c", "agent/BE-login")

    with pytest.raises(Conflict, match=r"agent/BE-login is checked out in .*repo"):
        await worktrees.take("BE", "login", "main")
    pooled = Worktrees(repository, tmp_path / "other-trees", "main")
    git(repository, "switch", "--quiet", "-c", "agent/BE-work-1")
    assert (await pooled.take("BE", None)).branch == "agent/BE-work-2"


async def test_the_lock_file_of_a_killed_git_is_nobodys(worktrees: Worktrees, repository: Path) -> None:
    path = await left_half_done(worktrees)
    lock = repository / ".git" / "worktrees" / "login" / "index.lock"
    lock.touch()
    grow_old(lock)

    await worktrees.take("BE", "login")

    assert not lock.exists()
    assert is_as_left(path)


async def test_a_worktree_that_a_person_locked_is_used_but_not_removed(worktrees: Worktrees, repository: Path) -> None:
    path = await left_half_done(worktrees)
    git(repository, "worktree", "lock", "--reason", "precious", str(path))

    tree = await worktrees.take("BE", "login")

    with pytest.raises(Conflict, match="is locked: precious"):
        await worktrees.remove(tree, even_with_work=True)
    assert is_as_left(path)


async def test_a_locked_worktree_whose_folder_is_gone_is_waited_for(worktrees: Worktrees, repository: Path) -> None:
    path = await left_half_done(worktrees)
    git(repository, "worktree", "lock", "--reason", "on a drive", str(path))
    path.rename(path.with_name("unplugged"))

    with pytest.raises(Conflict, match="is gone, but locked: on a drive"):
        await worktrees.take("BE", "login")
    path.with_name("unplugged").rename(path)
    await worktrees.take("BE", "login")
    assert is_as_left(path)


async def test_a_folder_deleted_by_hand_comes_back_with_the_commits_of_its_branch(worktrees: Worktrees) -> None:
    path = await left_half_done(worktrees)
    shutil.rmtree(path)

    await worktrees.take("BE", "login")

    assert git(path, "log", "-1", "--format=%s") == "own work\n"
    assert git(path, "status", "--porcelain") == ""


@pytest.mark.parametrize("moved", ["the repository", "the workspace", "both"])
async def test_moving_house_loses_nothing(repository: Path, tmp_path: Path, moved: str) -> None:
    path = await left_half_done(Worktrees(repository, tmp_path / "trees"))
    house = tmp_path / "new house"
    house.mkdir()
    workspace = tmp_path / "trees"
    if moved != "the workspace":
        repository = repository.rename(house / "repo")
    if moved != "the repository":
        workspace = workspace.rename(house / "trees")

    tree = await Worktrees(repository, workspace).take("BE", "login")

    assert tree.path.relative_to(workspace) == path.relative_to(tmp_path / "trees")
    assert is_as_left(tree.path)
    git(repository, "fsck")


async def test_files_whose_git_folder_was_pruned_get_a_new_one(worktrees: Worktrees, repository: Path) -> None:
    path = await left_half_done(worktrees)
    shutil.rmtree(repository / ".git" / "worktrees")

    await worktrees.take("BE", "login")

    assert is_as_left(path)


async def test_a_worktree_of_another_repository_is_not_taken_over(
    worktrees: Worktrees, tmp_path: Path
) -> None:  # fmt: skip
    other = Worktrees(new_repository(tmp_path / "other"), tmp_path / "trees")
    path = await left_half_done(other)

    with pytest.raises(Conflict, match="is not a worktree of this repository"):
        await worktrees.take("BE", "login")
    assert is_as_left(path)


async def test_a_branch_of_the_agents_own_is_left_checked_out(worktrees: Worktrees) -> None:
    tree = await worktrees.take("BE", None)
    git(tree.path, "switch", "--quiet", "-c", "feature")
    await worktrees.give_back(tree)

    assert (await worktrees.take("BE", None)).task == "work-2"
    again = await worktrees.take("BE", "work-1")
    assert git(again.path, "branch", "--show-current") == "feature\n"


async def test_a_rebase_left_unfinished_is_work(worktrees: Worktrees) -> None:
    tree = await worktrees.take("BE", None)
    commit(tree.path, {"one.txt": "1"}, "one")
    commit(tree.path, {"two.txt": "2"}, "two")
    git(tree.path, "-c", "sequence.editor=sed -i s/^pick/edit/", "rebase", "--quiet", "-i", "main")
    git(tree.path, "reset", "--quiet", "--hard", "main")  # clean, at the base, and yet amid something

    assert not await worktrees.is_untouched(tree)


async def test_files_that_the_persons_settings_hide_are_work(worktrees: Worktrees, repository: Path) -> None:
    git(repository, "config", "status.showUntrackedFiles", "no")
    tree = await worktrees.take("BE", None)
    (tree.path / "work.txt").write_text("mine")

    assert not await worktrees.is_untouched(tree)


async def test_nothing_ignored_is_handed_on_to_the_next_session(worktrees: Worktrees, repository: Path) -> None:
    commit(repository, {".gitignore": "build/\n*.env\n"}, "ignore")
    tree = await worktrees.take("BE", None)
    (tree.path / "build").mkdir()
    (tree.path / "build" / "left.txt").write_text("left")
    (tree.path / "secret.env").write_text("left")

    await worktrees.freshen(tree)

    assert sorted(path.name for path in tree.path.iterdir()) == [".git", ".gitignore", "README.md"]


async def test_a_repository_with_submodules(worktrees: Worktrees, repository: Path, tmp_path: Path) -> None:
    inner = new_repository(tmp_path / "inner")
    allowed = ("-c", "protocol.file.allow=always")
    git(repository, *allowed, "submodule", "--quiet", "add", str(inner), "inner")
    git(repository, "commit", "--quiet", "-m", "submodule")
    tree = await worktrees.take("BE", None)
    git(tree.path, *allowed, "submodule", "--quiet", "update", "--init")
    (tree.path / "inner" / "README.md").write_text("work inside")
    assert not await worktrees.is_untouched(tree)
    git(tree.path / "inner", "checkout", "--quiet", "README.md")

    await worktrees.freshen(tree)

    assert await worktrees.is_untouched(tree)
    git(tree.path, *allowed, "submodule", "--quiet", "update", "--init")
    await worktrees.remove(tree)
    assert not tree.path.exists()


async def test_a_base_without_a_branch(repository: Path, tmp_path: Path) -> None:
    first = git(repository, "rev-parse", "HEAD").strip()
    commit(repository, {"second.txt": "2"}, "second")
    git(repository, "checkout", "--quiet", "--detach", first)
    worktrees = Worktrees(repository, tmp_path / "trees")

    tree = await worktrees.take("BE", None)

    assert (tree.base, git(tree.path, "rev-parse", "HEAD").strip()) == (first, first)
    assert (await worktrees.sync(tree)).how == "up to date"


async def test_a_bare_repository(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare.git")

    tree = await Worktrees(tmp_path / "bare.git", tmp_path / "trees").take("BE", None)

    assert (tree.path / "README.md").exists()


async def test_a_hook_of_the_repository_does_not_run_for_us(worktrees: Worktrees, repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    await worktrees.take("BE", None)


# Killed at any moment -------------------------------------------------------------------------------------------------

SHIM = """#!/bin/sh
# Counts the calls of git; at the {number}th it lets git run for a moment and then kills whoever called, and git.
n=$(($(cat "{count}" 2>/dev/null || echo 0) + 1))
echo $n > "{count}"
[ $n -eq {number} ] || exec "{git}" "$@"
"{git}" "$@" &
sleep {seconds}
kill -9 $PPID $! 2>/dev/null
exit 1
"""


def killed_at(number: int, seconds: float, repository: Path, folder: Path) -> bool:
    """Runs the scenario of the victim until its git call of that number. Returns whether it came that far."""
    real, shim, count = shutil.which("git"), folder / "bin" / "git", folder / "count"
    shim.parent.mkdir()
    shim.write_text(SHIM.format(number=number, seconds=seconds, git=real, count=count))
    shim.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.worktree_victim", repository, folder / "trees"],
        cwd=ROOT, env=os.environ | {"PATH": f"{shim.parent}:{os.environ['PATH']}"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode in (0, -9), done.stderr
    return done.returncode != 0


async def whole_after_kill(number: int, seconds: float, folder: Path) -> bool:
    """Returns whether the victim was killed; asserts that everything is whole again when it is taken."""
    repository = new_repository(folder / "repo")
    worktrees = Worktrees(repository, folder / "trees")
    half_done = [await left_half_done(worktrees, "synced"), await left_half_done(worktrees, "pruned")]
    for task in (None, "removed"):
        await worktrees.give_back(await worktrees.take("BE", task))
    tip = commit(repository, {f"base-{n}.txt": "base\n" * 1000 for n in range(20)}, "base work")
    shutil.rmtree(repository / ".git" / "worktrees" / "pruned")

    killed = killed_at(number, seconds, repository, folder)

    for lock in (repository / ".git").rglob("*.lock"):
        if lock.name == "index.lock" or "refs" in lock.parts:
            grow_old(lock)
    for path in half_done:
        tree = await worktrees.take("BE", path.name)
        assert is_as_left(path), git(path, "status")
        assert (await worktrees.sync(tree)).onto == tip
        assert is_as_left(path), git(path, "status")
    pooled = await worktrees.take("BE", None)
    assert pooled.task == "work-1"
    for tree in (pooled, await worktrees.take("BE", "removed"), await worktrees.take("BE", "made")):
        assert git(tree.path, "status", "--porcelain") == ""
        assert git(tree.path, "rev-parse", "HEAD").strip() == tip
    git(repository, "fsck", "--no-dangling")
    assert len(git(repository, "worktree", "list").splitlines()) == 6
    assert len(list((repository / ".git" / "worktrees").iterdir())) == 5
    assert not list((folder / "trees" / ".semo-scratch").rglob("BE-*"))
    return killed


async def test_killed_at_random_moments_everything_is_whole_for_the_next(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(3))
    chance = random.Random(seed)  # noqa: S311  chance, not a secret
    for turn in range(4):
        folder = tmp_path / str(turn)
        number, seconds = chance.randint(1, 60), chance.choice((0, 0.002, 0.005, 0.01))
        print(f"seed {seed}: killed at git call {number} after {seconds} s")  # noqa: T201  shown when it fails
        await whole_after_kill(number, seconds, folder)


@pytest.mark.proof
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seconds", [0, 0.003, 0.1])
async def test_killed_at_every_call_of_git_everything_is_whole_for_the_next(tmp_path: Path, seconds: float) -> None:
    number = 1
    while await whole_after_kill(number, seconds, tmp_path / str(number)):
        number += 1
    assert number > 40
