"""The persona in real git: in the file, and nowhere that git would show it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remote_client import persona
from remote_client.persona_filter import BEGIN, END, block_of, without_block
from shared.errors import SessionFailed
from tests.support.git import commit, git, new_repository

ROOT = Path(__file__).parents[3]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest.fixture
def worktree(repository: Path, tmp_path: Path) -> Path:
    git(repository, "worktree", "add", "--quiet", "-b", "work", str(tmp_path / "tree"))
    return tmp_path / "tree"


def track(worktree: Path, text: str) -> Path:
    path = worktree / persona.FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    git(worktree, "add", ".")
    git(worktree, "commit", "--quiet", "-m", "instructions")
    return path


def in_every_commit(worktree: Path) -> str:
    """All texts that any commit, stash or index of the repository holds of the file."""
    git(worktree, "add", "--all")
    return git(worktree, "log", "--all", "-p", "--format=", "--", str(persona.FILE)) + git(
        worktree, "diff", "--cached", "--", str(persona.FILE)
    )


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


async def test_what_aider_keeps_in_a_worktree_is_no_work_of_it(worktree: Path) -> None:
    await persona.inject(worktree, "You are BE.")
    (worktree / ".aider.tags.cache.v4").mkdir()
    (worktree / ".aider.tags.cache.v4" / "cache.db").write_text("a map")

    assert git(worktree, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "text", ["mine\n", "mine, without a last newline", "", "mine\r\nof windows\r\n", "\n\nmine\n\n", "no \xff utf"]
)
async def test_a_tracked_file_keeps_what_it_held_and_git_sees_no_more_than_that(worktree: Path, text: str) -> None:
    path = track(worktree, text)

    await persona.inject(worktree, "You are BE.")

    assert path.read_bytes() == block_of("You are BE.") + text.encode()
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
    assert path.read_text().count(BEGIN) == 1
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

    await persona.inject(worktree, f"a\n{END}\nb\n")

    assert git(worktree, "status", "--porcelain") == ""
    assert path.read_text().count(END) == 1


async def test_a_link_is_not_followed(worktree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (worktree / ".claude").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SessionFailed, match="symbolic link"):
        await persona.inject(worktree, "You are BE.")
    assert list((tmp_path / "elsewhere").iterdir()) == []


# What agents do with git ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracked", [True, False])
async def test_whatever_the_agent_does_with_git_the_persona_is_in_no_commit_and_still_there(
    worktree: Path, tracked: bool
) -> None:
    path = track(worktree, "mine\n") if tracked else worktree / persona.FILE
    await persona.inject(worktree, "You are BE.")

    def still_worn(what: str) -> None:
        assert git(worktree, "status", "--porcelain") == "", what
        assert persona.is_worn(worktree, "You are BE."), what

    (worktree / "README.md").write_text("changed\n")
    git(worktree, "stash")
    still_worn("stash")
    git(worktree, "stash", "pop")
    git(worktree, "commit", "--quiet", "--all", "-m", "changed")
    still_worn("commit -a")
    git(worktree, "switch", "--quiet", "-c", "side", "HEAD~1")
    commit(worktree, {"side.txt": "side"}, "side")
    still_worn("switch")
    git(worktree, "rebase", "--quiet", "work")
    still_worn("rebase")
    git(worktree, "switch", "--quiet", "work")
    git(worktree, "merge", "--quiet", "--no-ff", "--no-edit", "side")
    still_worn("merge")
    git(worktree, "reset", "--quiet", "--hard")
    still_worn("reset --hard")
    git(worktree, "checkout", ".")
    still_worn("checkout .")
    git(worktree, "clean", "-fd")
    still_worn("clean")
    assert "You are BE." not in in_every_commit(worktree)
    await persona.remove(worktree)
    assert path.exists() == tracked
    assert git(worktree, "status", "--porcelain") == ""


async def test_the_persona_is_there_after_git_itself_wrote_the_file(worktree: Path) -> None:
    path = track(worktree, "old\n")
    git(worktree, "switch", "--quiet", "-c", "other")
    track(worktree, "new\n")
    await persona.inject(worktree, "You are BE.")

    git(worktree, "switch", "--quiet", "work")
    assert path.read_bytes() == block_of("You are BE.") + b"old\n"
    git(worktree, "merge", "--quiet", "other")
    assert path.read_bytes() == block_of("You are BE.") + b"new\n"
    path.unlink()
    git(worktree, "restore", ".")
    assert path.read_bytes() == block_of("You are BE.") + b"new\n"
    assert git(worktree, "status", "--porcelain") == ""


async def test_a_conflict_in_the_file_is_about_what_people_wrote(worktree: Path) -> None:
    path = track(worktree, "first\n")
    git(worktree, "branch", "other")
    await persona.inject(worktree, "You are BE.")
    path.write_bytes(block_of("You are BE.") + b"ours\n")
    git(worktree, "commit", "--quiet", "--all", "-m", "ours")
    git(worktree, "switch", "--quiet", "other")
    path.write_bytes(block_of("You are BE.") + b"theirs\n")
    git(worktree, "commit", "--quiet", "--all", "-m", "theirs")

    with pytest.raises(AssertionError, match="CONFLICT"):
        git(worktree, "merge", "work")

    assert path.read_text().count(BEGIN) == 1
    path.write_bytes(block_of("You are BE.") + b"both\n")
    git(worktree, "commit", "--quiet", "--all", "-m", "both")
    assert git(worktree, "show", "HEAD:.claude/CLAUDE.md") == "both\n"


async def test_what_the_agent_changes_inside_the_block_is_undone_and_outside_is_kept(worktree: Path) -> None:
    path = track(worktree, "mine\n")
    await persona.inject(worktree, "You are BE.")
    path.write_text(path.read_text().replace("You are BE.", "You are free.") + "the agent's\n")
    assert commit_all(worktree) == ".claude/CLAUDE.md\nwork.txt\n"
    assert not persona.is_worn(worktree, "You are BE.")

    await persona.inject(worktree, "You are BE.")

    assert path.read_bytes() == block_of("You are BE.") + b"mine\nthe agent's\n"
    assert git(worktree, "show", "HEAD:.claude/CLAUDE.md") == "mine\nthe agent's\n"
    assert git(worktree, "status", "--porcelain") == ""


async def test_a_block_whose_end_was_deleted_takes_no_line_of_the_persons_along(worktree: Path) -> None:
    path = track(worktree, "mine\n")
    await persona.inject(worktree, "You are BE.")
    path.write_text(path.read_text().replace(f"{END}\n", ""))

    assert commit_all(worktree) == "work.txt\n"
    await persona.inject(worktree, "You are BE.")
    assert path.read_bytes() == block_of("You are BE.") + b"mine\n"


async def test_what_the_agent_adds_to_an_untracked_file_is_kept_and_shows_when_the_persona_goes(worktree: Path) -> None:
    await persona.inject(worktree, "You are BE.")
    path = worktree / persona.FILE
    with path.open("a") as file:
        file.write("the agent's\n")
    git(worktree, "add", "--force", str(persona.FILE))
    assert git(worktree, "show", ":.claude/CLAUDE.md") == "the agent's\n"
    git(worktree, "rm", "--quiet", "--cached", str(persona.FILE))

    await persona.remove(worktree)

    assert path.read_text() == "the agent's\n"
    assert git(worktree, "status", "--porcelain") == "?? .claude/\n"


# Other kinds of repositories ------------------------------------------------------------------------------------------


async def test_line_ends_that_git_converts(worktree: Path) -> None:
    git(worktree, "config", "core.autocrlf", "true")
    path = track(worktree, "mine\r\nof windows\r\n")

    await persona.inject(worktree, "You are BE.")

    assert path.read_bytes() == block_of("You are BE.") + b"mine\r\nof windows\r\n"
    assert commit_all(worktree) == "work.txt\n"
    path.unlink()
    git(worktree, "restore", ".")
    assert path.read_bytes() == block_of("You are BE.") + b"mine\r\nof windows\r\n"
    assert git(worktree, "status", "--porcelain") == ""


async def test_a_sparse_checkout_that_hides_the_file(worktree: Path) -> None:
    path = track(worktree, "mine\n")
    commit(worktree, {"src/code.txt": "code"}, "code")
    git(worktree, "sparse-checkout", "set", "src")
    assert not path.exists()

    await persona.inject(worktree, "You are BE.")

    assert path.read_bytes() == block_of("You are BE.") + b"mine\n"
    assert git(worktree, "status", "--porcelain") == ""
    commit(worktree, {"src/more.txt": "more"}, "more")
    git(worktree, "add", "--all")
    assert git(worktree, "status", "--porcelain") == ""
    await persona.remove(worktree)
    assert not path.exists()
    assert git(worktree, "status", "--porcelain") == ""


async def test_a_bare_repository(repository: Path, tmp_path: Path) -> None:
    bare, tree = tmp_path / "bare.git", tmp_path / "bare-tree"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(bare))
    git(bare, "worktree", "add", "--quiet", "-b", "bare-work", str(tree))

    await persona.inject(tree, "You are BE.")

    assert git(tree, "status", "--porcelain") == ""
    assert git(bare, "rev-parse", "--is-bare-repository") == "true\n"


async def test_a_worktree_that_the_agent_makes_of_its_own_works_without_the_persona(
    worktree: Path, tmp_path: Path
) -> None:
    track(worktree, "mine\n")
    await persona.inject(worktree, "You are BE.")

    git(worktree, "worktree", "add", "--quiet", "-b", "helper", str(tmp_path / "helper"))

    assert (tmp_path / "helper" / persona.FILE).read_text() == "mine\n"
    assert git(tmp_path / "helper", "status", "--porcelain") == ""


async def test_a_repository_that_moved_keeps_the_persona_hidden(
    repository: Path, worktree: Path, tmp_path: Path
) -> None:
    await persona.inject(worktree, "You are BE.")
    moved = repository.rename(tmp_path / "moved")
    git(moved, "worktree", "repair")

    await persona.inject(worktree, "You are BE.")

    assert git(worktree, "status", "--porcelain") == ""


async def test_another_filter_on_the_file_is_not_overruled(worktree: Path) -> None:
    (worktree / ".gitattributes").write_text("*.md filter=lfs\n")

    with pytest.raises(SessionFailed, match='has the git filter "lfs" already'):
        await persona.inject(worktree, "You are BE.")


async def test_after_removing_git_is_set_up_as_before(worktree: Path, tmp_path: Path) -> None:
    own = tmp_path / "own-excludes"
    own.write_text("*.log\n")
    git(worktree, "config", "core.excludesFile", str(own))
    (worktree / "x.log").touch()
    await persona.inject(worktree, "You are BE.")
    assert git(worktree, "status", "--porcelain") == ""

    await persona.remove(worktree)

    assert git(worktree, "config", "core.excludesFile").strip() == str(own)
    assert "semo" not in git(worktree, "config", "--list")
    await persona.remove(worktree)  # nothing to do any more


def test_many_worktrees_of_one_repository_get_their_personas_at_once(repository: Path, tmp_path: Path) -> None:
    trees = [tmp_path / f"tree-{n}" for n in range(9)]
    for tree in trees:
        git(repository, "worktree", "add", "--quiet", str(tree))
    program = (
        "import asyncio, sys; from pathlib import Path; from remote_client import persona\n"
        "async def main(*trees):\n"
        "    await asyncio.gather(*(persona.inject(Path(tree), 'You are ' + tree) for tree in trees))\n"
        "asyncio.run(main(*sys.argv[1:]))"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", program, *trees[n::3]], env=os.environ | {"PYTHONPATH": str(ROOT)})
        for n in range(3)
    ]

    assert [worker.wait(60) for worker in workers] == [0, 0, 0]

    for tree in trees:
        assert persona.is_worn(tree, f"You are {tree}")
        assert git(tree, "status", "--porcelain") == ""


@settings(max_examples=40, deadline=None)
@given(rest=st.text(alphabet="ax \r\n\u00e9-<!>", max_size=40), rendered=st.text(alphabet="b \n\t", max_size=20))
def test_taking_the_block_out_is_the_exact_opposite_of_putting_it_in(rest: str, rendered: str) -> None:
    assert without_block(block_of(rendered) + rest.encode(), ROOT) == rest.encode()
