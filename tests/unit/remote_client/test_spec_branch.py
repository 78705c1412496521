"""The branch of a spec task in real git: read, written and merged without a worktree, within its own folder."""

from pathlib import Path

import pytest

from remote_client.spec_branch import SpecBranch
from remote_client.worktrees import Worktrees
from shared.errors import Conflict, InvalidPayload, NotFound
from shared.payloads import DOCUMENT_MAX_BYTES
from tests.support.git import commit, git, new_repository

FOLDER = ".semo/specs/login"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest.fixture
def worktrees(repository: Path, tmp_path: Path) -> Worktrees:
    return Worktrees(repository, tmp_path / "trees")


@pytest.fixture
def spec(worktrees: Worktrees) -> SpecBranch:
    found = worktrees.look()
    return SpecBranch(found.git, found.locks, "login", found.default_base)


def files_at(repository: Path, branch: str) -> list[str]:
    return git(repository, "ls-tree", "-r", "--name-only", branch).split()


def test_what_is_written_is_committed_on_the_task_s_branch_and_nowhere_else(spec: SpecBranch, repository: Path) -> None:
    before = git(repository, "status", "--porcelain", "--branch")
    written = spec.write({"tasks.md": "- [ ] 1. Ä\n", "history/BE-1.md": "did\n"}, "Tasks", None)

    assert written.changed
    assert files_at(repository, "spec/login") == [f"{FOLDER}/history/BE-1.md", f"{FOLDER}/tasks.md", "README.md"]
    assert spec.read().documents == {"tasks.md": "- [ ] 1. Ä\n", "history/BE-1.md": "did\n"}
    assert spec.read().commit == written.commit
    assert git(repository, "status", "--porcelain", "--branch") == before


def test_writing_the_same_again_makes_no_commit(spec: SpecBranch, repository: Path) -> None:
    first = spec.write({"tasks.md": "a", "design.md": "b"}, "one", None)
    again = spec.write({"tasks.md": "a"}, "two", None)
    assert (again.commit, again.changed) == (first.commit, False)
    assert spec.write({"tasks.md": "c"}, "three", None).changed
    assert spec.read().documents == {"tasks.md": "c", "design.md": "b"}


async def test_an_agent_s_branch_is_merged_and_merging_it_again_changes_nothing(
    spec: SpecBranch, worktrees: Worktrees, repository: Path
) -> None:
    tree = await worktrees.take("PM", "login")
    tip = commit(tree.path, {f"{FOLDER}/tasks.md": "- [ ] 1. x"}, "plan")
    merged = spec.merge("agent/PM-login", None)
    assert (merged.commit, merged.changed, merged.conflicts) == (tip, True, [])

    spec.write({"tasks.md": "- [x] 1. x"}, "tick", None)
    commit(tree.path, {"code.py": "1"}, "code")
    merged = spec.merge("agent/PM-login", None)
    assert files_at(repository, "spec/login") == [f"{FOLDER}/tasks.md", "README.md", "code.py"]
    assert not spec.merge("agent/PM-login", None).changed
    assert git(repository, "log", "--format=%s", "-1", "spec/login").strip() == "Merge agent/PM-login into spec/login"


async def test_what_conflicts_is_named_and_nothing_moves(spec: SpecBranch, worktrees: Worktrees) -> None:
    one, two = await worktrees.take("BE", "login-1"), await worktrees.take("BE", "login-2")
    commit(one.path, {"a.txt": "one", "b.txt": "one"}, "one")
    commit(two.path, {"a.txt": "two", "b.txt": "two", "c.txt": "two"}, "two")
    tip = spec.merge("agent/BE-login-1", None).commit
    refused = spec.merge("agent/BE-login-2", None)
    assert refused.conflicts == ["a.txt", "b.txt"]
    assert (refused.commit, refused.changed) == (tip, False)


async def test_in_the_folder_of_the_task_its_own_branch_wins(spec: SpecBranch, worktrees: Worktrees) -> None:
    tree = await worktrees.take("BE", "login-1")
    spec.write({"tasks.md": "- [x] 1. office"}, "tick", None)
    commit(tree.path, {f"{FOLDER}/tasks.md": "- [x] 1. agent", "code.py": "1"}, "work")
    merged = spec.merge("agent/BE-login-1", None)
    assert (merged.changed, merged.conflicts) == (True, [])
    assert spec.read().documents == {"tasks.md": "- [x] 1. office"}


async def test_what_is_no_text_or_too_large_is_passed_over_and_said(spec: SpecBranch, worktrees: Worktrees) -> None:
    tree = await worktrees.take("PM", "login")
    folder = tree.path / FOLDER
    folder.mkdir(parents=True)
    (folder / "design.md").write_bytes(b"\xff\xfe")
    (folder / "nul.md").write_bytes(b"a\0b")
    (folder / "link.md").symlink_to("/etc/passwd")
    (folder / "run.sh").write_text("x")
    commit(tree.path, {f"{FOLDER}/tasks.md": "x" * (DOCUMENT_MAX_BYTES + 1)}, "tasks")
    git(tree.path, "add", "-f", FOLDER)
    git(tree.path, "commit", "-qm", "more")
    spec.merge("agent/PM-login", None)
    read = spec.read()
    assert read.documents == {}
    assert {name: why.split(" (")[0] for name, why in read.skipped.items()} == {
        "design.md": "it is not UTF-8, or holds NUL",
        "nul.md": "it is not UTF-8, or holds NUL",
        "link.md": "it is no file",
        "run.sh": "it is neither .md nor .json",
        "tasks.md": "it is too large",
    }


async def test_only_agents_branches_are_merged(spec: SpecBranch, repository: Path) -> None:
    git(repository, "branch", "person")
    with pytest.raises(InvalidPayload, match="no branch of an agent"):
        spec.merge("person", None)
    with pytest.raises(NotFound, match="no branch agent/BE-x"):
        spec.merge("agent/BE-x", None)
    with pytest.raises(NotFound, match="no branch spec/login"):
        spec.read()
    with pytest.raises(InvalidPayload, match='"nowhere"'):
        spec.write({"a.md": ""}, "x", "nowhere")


def test_a_branch_that_somebody_has_checked_out_is_left_alone(spec: SpecBranch, repository: Path) -> None:
    spec.write({"tasks.md": "a"}, "one", None)
    git(repository, "switch", "--quiet", "spec/login")
    with pytest.raises(Conflict, match="checked out"):
        spec.write({"tasks.md": "b"}, "two", None)
    assert not spec.write({"tasks.md": "a"}, "again", None).changed
