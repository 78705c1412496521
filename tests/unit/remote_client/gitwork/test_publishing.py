"""Branches on a remote, with real git: never over others' commits, once however often it is asked."""

import pytest

from remote_client.gitwork.branch import branch_named
from remote_client.gitwork.publishing import follow, publish, push
from shared.errors import Conflict, NotFound, PolicyForbids, Unavailable
from tests.support.git import commit, git
from tests.unit.remote_client.gitwork.conftest import Place


async def test_a_branch_is_pushed_and_its_pull_request_opened_once(place: Place) -> None:
    await place.work("BE", "login", {"src/login.py": "x\n", "docs/a b.md": "y\n"})
    branch = place.branch("agent/BE-login")

    first = publish(branch, place.hub, "[BE] login", "The job.", ["semo", "no-such-label"])
    again = publish(branch, place.hub, "[BE] login", "The job.", ["semo"])

    assert place.on_origin("agent/BE-login") == branch.tip() == first.head
    assert (first.pushed, first.state, first.number, first.checks) == ("new", "open", 1, "none")
    assert (again.pushed, again.number, again.url) == ("up_to_date", 1, first.url)
    [opened] = place.gh.pull_requests
    assert (opened["title"], opened["baseRefName"], opened["labels"]) == ("[BE] login", "main", ["semo"])
    assert opened["body"] == "The job.\n\n## Changed files\n\n- `docs/a b.md`\n- `src/login.py`\n"
    assert len(first.notes) == 1
    assert first.notes[0].startswith("no label no-such-label")


async def test_without_gh_it_is_pushed_and_the_missing_part_named(place: Place) -> None:
    await place.work("BE", "login", {"a.txt": "x"})

    told = publish(place.branch("agent/BE-login"), None, "[BE] login", "", []).told()

    assert (told["state"], told["pushed"], told["changed"]) == ("pushed", "new", ["a.txt"])
    assert "names no gh" in told["missing"]
    assert "number" not in told


async def test_what_was_rebased_replaces_what_we_pushed_ourselves(place: Place) -> None:
    tree = await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    push(branch)
    git(tree.path, "commit", "--quiet", "--amend", "-m", "said better")

    assert push(branch) == "updated"
    assert place.on_origin("agent/BE-login") == branch.tip()


async def test_commits_of_others_are_never_written_over(place: Place) -> None:
    tree = await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    push(branch)
    theirs = place.colleague("agent/BE-login", {"b.txt": "theirs"})
    git(tree.path, "commit", "--quiet", "--amend", "-m", "said better")

    with pytest.raises(Conflict, match="others have pushed to agent/BE-login"):
        push(branch)
    assert place.on_origin("agent/BE-login") == theirs
    git(place.repository, "fetch", "--quiet", "origin")  # knowing of them is not having them
    with pytest.raises(Conflict, match="others have pushed"):
        push(branch)

    git(tree.path, "reset", "--quiet", "--hard", theirs)
    commit(tree.path, {"c.txt": "on top"}, "on top of theirs")
    assert push(branch) == "updated"


async def test_a_remote_that_takes_no_push_is_believed(place: Place) -> None:
    tree = await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    push(branch)
    commit(tree.path, {"b.txt": "ours"}, "ours")
    hook = place.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected >&2; exit 1\n")
    hook.chmod(0o755)
    before = place.on_origin("agent/BE-login")

    with pytest.raises(Conflict, match=r"does not take agent/BE-login.*protected"):
        push(branch)
    assert place.on_origin("agent/BE-login") == before


async def test_what_happens_to_a_pull_request_is_followed(place: Place) -> None:
    await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    publish(branch, place.hub, "[BE] login", "", [])

    place.gh.change(1, statusCheckRollup=[{"status": "IN_PROGRESS", "conclusion": ""}, {"conclusion": "SUCCESS"}])
    assert follow(branch, place.hub).checks == "pending"
    place.gh.change(1, statusCheckRollup=[{"conclusion": "SUCCESS"}, {"state": "FAILURE"}])
    assert follow(branch, place.hub).checks == "failing"
    place.gh.change(1, statusCheckRollup=[{"conclusion": "SUCCESS"}, {"state": "SUCCESS"}, {"conclusion": "SKIPPED"}])
    assert follow(branch, place.hub).checks == "passing"
    place.gh.change(1, state="CLOSED")
    assert follow(branch, place.hub).state == "closed"


async def test_a_closed_one_about_earlier_work_is_followed_by_another(place: Place) -> None:
    tree = await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    publish(branch, place.hub, "[BE] login", "", [])
    place.gh.change(1, state="CLOSED")
    assert publish(branch, place.hub, "[BE] login", "", []).state == "closed", "the same work is not proposed again"
    commit(tree.path, {"b.txt": "more"}, "more")

    assert publish(branch, place.hub, "[BE] login again", "", []).number == 2


async def test_without_gh_a_merge_is_seen_in_the_remote(place: Place) -> None:
    await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    publish(branch, None, None, "", [])
    assert follow(branch, None).state == "pushed"

    git(place.origin, "update-ref", "refs/heads/main", branch.tip())

    assert follow(branch, None).state == "merged"


async def test_what_cannot_be_published_says_why(place: Place) -> None:
    await place.worktrees.take("BE", "empty")
    with pytest.raises(Conflict, match="no commit that main has not"):
        publish(place.branch("agent/BE-empty"), None, "t", "", [])
    with pytest.raises(PolicyForbids, match="main is not a branch of an agent's"):
        place.branch("main")
    with pytest.raises(NotFound, match="no branch agent/BE-nothing"):
        place.branch("agent/BE-nothing")
    with pytest.raises(NotFound, match="origin has no branch nowhere"):
        publish(branch_named(place.worktrees.look(), "agent/BE-empty", "nowhere", "origin"), None, "t", "", [])
    with pytest.raises(Conflict, match="has no remote upstream"):
        branch_named(place.worktrees.look(), "agent/BE-empty", None, "upstream")
    git(place.repository, "remote", "set-url", "origin", "/nowhere/at/all")
    with pytest.raises(Unavailable, match="origin does not answer"):
        publish(place.branch("agent/BE-empty"), None, "t", "", [])


async def test_gh_that_fails_leaves_the_branch_pushed_and_says_its_words(place: Place) -> None:
    await place.work("BE", "login", {"a.txt": "x"})
    branch = place.branch("agent/BE-login")
    place.gh.refuses("HTTP 502: bad gateway")

    with pytest.raises(Unavailable, match="gh pr list failed: HTTP 502: bad gateway"):
        publish(branch, place.hub, "[BE] login", "", [])

    assert place.on_origin("agent/BE-login") == branch.tip()
    place.gh.refuses(None)
    assert publish(branch, place.hub, "[BE] login", "", []).number == 1
