"""Merging branches into a remote's base, with real git: all of it or nothing, and the files that conflict named."""

import pytest

from remote_client.gitwork.branch import branch_named
from remote_client.gitwork.merging import Method, merge
from remote_client.gitwork.publishing import publish
from shared.errors import Conflict, Unavailable
from tests.support.git import commit, git
from tests.unit.remote_client.gitwork.conftest import Place


def content(place: Place, name: str) -> str:
    return git(place.origin, "show", f"main:{name}")


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
@pytest.mark.parametrize("by_gh", [True, False])
async def test_a_branch_is_merged_and_merging_it_again_changes_nothing(
    place: Place, method: Method, by_gh: bool
) -> None:
    await place.worktrees.give_back(await place.work("BE", "login", {"a.txt": "x"}))
    hub, branch = place.hub if by_gh else None, place.branch("agent/BE-login")
    publish(branch, hub, "[BE] login", "", [])
    place.colleague("main", {"news.txt": "news"})

    first = merge(branch, hub, method)
    after = place.on_origin("main")

    assert (first.state, content(place, "a.txt"), content(place, "news.txt")) == ("merged", "x", "news")
    if by_gh or method != "squash":  # what a squash was is known by its pull request alone
        assert merge(branch, hub, method).state == "merged"
        assert place.on_origin("main") == after
    assert git(place.repository, "status", "--porcelain", "--branch").splitlines() == ["## main"]
    assert git(place.repository, "log", "--format=%s").splitlines() == ["first"], "the person's own branch was moved"


@pytest.mark.parametrize("by_gh", [True, False])
async def test_a_conflict_is_reported_with_its_files_and_nothing_is_half_merged(place: Place, by_gh: bool) -> None:
    tree = await place.work("BE", "login", {"README.md": "ours\n", "fine.txt": "fine"})
    hub, branch = place.hub if by_gh else None, place.branch("agent/BE-login")
    publish(branch, hub, "[BE] login", "", [])
    tip = place.colleague("main", {"README.md": "theirs\n"})
    before = branch.tip()

    with pytest.raises(Conflict, match=r"agent/BE-login conflicts with main in README\.md; nothing was") as caught:
        merge(branch, hub, "merge")
    assert caught.value.context["files"] == ["README.md"]
    await place.worktrees.give_back(tree)
    with pytest.raises(Conflict, match=r"conflicts with .*main in README\.md; nothing was changed") as caught:
        merge(branch, hub, "merge")

    assert caught.value.context["files"] == ["README.md"]
    assert (place.on_origin("main"), branch.tip()) == (tip, before)
    assert git(tree.path, "status", "--porcelain") == ""


async def test_what_a_rebase_settles_is_rebased_and_pushed_with_a_lease(place: Place) -> None:
    """It stands on work that went in as another commit and was changed since: a plain merge would conflict."""
    await place.work("BE", "below", {"a.txt": "1\n"})
    tree = await place.worktrees.take("FE", "above", "agent/BE-below")
    commit(tree.path, {"b.txt": "above\n"}, "above")
    await place.worktrees.give_back(tree)
    below = place.branch("agent/BE-below")
    above = branch_named(place.worktrees.look(), "agent/FE-above", "main", "origin")
    for branch in (below, above):
        publish(branch, place.hub, branch.name, "", [])
    assert merge(below, place.hub, "squash").state == "merged"
    place.colleague("main", {"a.txt": "2\n"})

    merged = merge(above, place.hub, "merge")

    assert (merged.state, merged.rebased) == ("merged", True)
    assert (content(place, "a.txt"), content(place, "b.txt")) == ("2\n", "above\n")
    assert place.on_origin("agent/FE-above") == above.tip() == merged.head
    assert git(tree.path, "status", "--porcelain", "--branch") == "## agent/FE-above\n"


async def test_what_must_be_caught_up_is_left_alone_while_a_session_works_in_it(place: Place) -> None:
    await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    publish(branch, place.hub, "t", "", [])
    place.colleague("main", {"news.txt": "news"})
    place.gh.change(1, mergeStateStatus="BEHIND")
    before = branch.tip()

    with pytest.raises(Conflict, match="a session works on agent/BE-login"):
        merge(branch, place.hub, "merge")
    assert branch.tip() == before


async def test_a_branch_whose_worktree_is_gone_is_merged_all_the_same(place: Place) -> None:
    tree = await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    publish(branch, None, None, "", [])
    await place.worktrees.give_back(tree)
    git(place.repository, "worktree", "remove", "--force", str(tree.path))
    place.colleague("main", {"news.txt": "news"})

    merged = merge(branch, None, "rebase")

    assert (merged.state, merged.rebased, place.on_origin("main")) == ("merged", True, branch.tip())
    assert git(place.origin, "log", "--format=%s", "main").splitlines()[:2] == [
        "BE works on login",
        "from a colleague",
    ]


async def test_without_an_open_pull_request_gh_merges_nothing(place: Place) -> None:
    await place.work("BE", "login", {"a.txt": "x"})
    branch, before = place.branch("agent/BE-login"), place.on_origin("main")

    with pytest.raises(Conflict, match="it has no pull request"):
        merge(branch, place.hub, "merge")
    publish(branch, place.hub, "t", "", [])
    place.gh.change(1, state="CLOSED")
    with pytest.raises(Conflict, match="is closed"):
        merge(branch, place.hub, "merge")
    assert place.on_origin("main") == before


async def test_a_remote_that_protects_its_base_is_believed(place: Place) -> None:
    await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    publish(branch, None, None, "", [])
    hook = place.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected >&2; exit 1\n")
    hook.chmod(0o755)

    with pytest.raises(Conflict, match=r"does not take main.*protected"):
        merge(branch, None, "merge")
    place.gh.refuses("not mergeable")
    with pytest.raises(Unavailable, match="not mergeable"):
        merge(branch, place.hub, "merge")
