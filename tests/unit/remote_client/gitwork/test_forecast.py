"""Conflicts to come, by real git: seen while the work is not even committed, and nothing of anybody's is touched."""

from pathlib import Path

import pytest

from remote_client.gitwork import trees
from remote_client.gitwork.forecast import Forecast, LiveBranch
from remote_client.worktrees_git import Git
from remote_client.worktrees_repository import Worktree
from shared.errors import Conflict
from tests.support.git import commit, git
from tests.unit.remote_client.gitwork.conftest import Place


@pytest.fixture
def forecast(place: Place, tmp_path: Path) -> Forecast:
    return Forecast(Git(place.repository), place.repository / ".git", tmp_path / "forecast")


def live(place: Place, *trees_: Worktree) -> list[LiveBranch]:
    base = git(place.repository, "rev-parse", "main").strip()
    return [
        LiveBranch(one.branch, git(one.path, "rev-parse", "HEAD").strip(), base, one.path) for one in trees_
    ]  # fmt: skip


def clashes(forecast: Forecast, branches: list[LiveBranch]) -> list[tuple[str, str, tuple[str, ...], bool]]:
    found = forecast.clashes(forecast.as_they_are(branches))
    return [(one.first.name, one.second.name, one.files, one.uncommitted) for one in found]


def all_of(place: Place, *trees_: Worktree) -> list[str]:
    """Everything that a look might have changed."""
    seen = [git(place.repository, "count-objects", "-v"), git(place.repository, "for-each-ref")]
    for one in trees_:
        seen += [
            git(one.path, "status", "--porcelain"),
            git(one.path, "diff", "--cached"),
            git(one.path, "ls-files", "-s"),
        ]
    return seen


async def test_pairs_that_would_conflict_are_named_with_their_files(place: Place, forecast: Forecast) -> None:
    a = await place.work("BE", "a", {"README.md": "a\n", "own-a.txt": "a"})
    b = await place.work("BE", "b", {"README.md": "b\n", "new.txt": "b\n"})
    c = await place.work("FE", "c", {"new.txt": "c\n"})
    idle = await place.worktrees.take("QA", "idle")

    assert clashes(forecast, live(place, c, a, idle, b)) == [
        ("agent/BE-a", "agent/BE-b", ("README.md",), False),
        ("agent/BE-b", "agent/FE-c", ("new.txt",), False),
    ]


async def test_work_that_is_not_committed_counts_and_is_left_as_it_is(place: Place, forecast: Forecast) -> None:
    a = await place.work("BE", "a", {"README.md": "a\n"})
    b = await place.worktrees.take("BE", "b")
    (b.path / "README.md").write_text("staged\n")
    git(b.path, "add", "README.md")
    (b.path / "README.md").write_text("and more\n")
    (b.path / "untracked.txt").write_text("x\n")
    before = all_of(place, a, b)

    assert clashes(forecast, live(place, a, b)) == [("agent/BE-a", "agent/BE-b", ("README.md",), True)]

    assert all_of(place, a, b) == before
    git(b.path, "checkout", "--quiet", "HEAD", "--", "README.md")
    assert clashes(forecast, live(place, a, b)) == [], "what is taken back conflicts no more"


async def test_what_is_remembered_of_two_commits_is_not_looked_for_again(
    place: Place, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [await place.work("BE", f"t{n}", {"README.md": f"{n}\n"}) for n in range(4)]
    merges: list[tuple[str, str]] = []
    real = trees.merged

    def counted(git: Git, ours: str, theirs: str) -> trees.Merged:
        merges.append((ours, theirs))
        return real(git, ours, theirs)

    monkeypatch.setattr(trees, "merged", counted)
    assert len(clashes(forecast, live(place, *made))) == 6
    assert len(clashes(forecast, live(place, *made))) == 6
    assert len(merges) == 6
    commit(made[0].path, {"more.txt": "x"}, "more")
    assert len(clashes(forecast, live(place, *made))) == 6
    assert len(merges) == 9, "only the pairs of the branch that moved"


async def test_a_worktree_that_is_going_away_is_taken_as_its_last_commit(place: Place, forecast: Forecast) -> None:
    a = await place.work("BE", "a", {"README.md": "a\n"})
    b = await place.work("BE", "b", {"README.md": "b\n"})
    branches = live(place, a, b)
    (b.path / ".git").unlink()
    assert clashes(forecast, branches) == [("agent/BE-a", "agent/BE-b", ("README.md",), False)]


async def test_a_git_that_is_too_old_is_told_apart_by_its_version(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, fits in (((2, 37), False), ((1, 99), False), ((2, 38), True), ((3, 0), True)):

        def version_of(_git: Git, found: tuple[int, int] = version) -> tuple[int, int]:
            return found

        monkeypatch.setattr(trees, "version_of", version_of)
        if fits:
            trees.require_merge_tree(Git(place.repository))
        else:
            with pytest.raises(Conflict, match=r"cannot merge in memory; that takes 2\.38"):
                trees.require_merge_tree(Git(place.repository))
    monkeypatch.undo()
    assert trees.version_of(Git(place.repository)) >= (2, 38)
