"""Merges a branch of ours into its base on the remote: by its pull request, or where there is none by git alone.

Brought up to the base first where they would conflict otherwise, or where GitHub wants it. Either all of it happens, or
nothing does and the files that conflict are named. Blocks: run in threads.
"""

import os
from dataclasses import dataclass
from typing import Literal

from remote_client import worktrees_sync
from remote_client.gitwork import trees
from remote_client.gitwork.branch import NETWORK_SECONDS, Branch
from remote_client.gitwork.hub import Hub, PullRequest
from remote_client.gitwork.publishing import push
from remote_client.worktrees_place import Found
from remote_client.worktrees_sync import SyncBy
from shared.errors import Conflict, SessionFailed, Unavailable

PUSHES = 3
FILES_IN_WORDS = 20

Method = Literal["merge", "squash", "rebase"]


@dataclass(frozen=True)
class MergedBranch:
    """`head`: the branch's last commit, all of which is in its base now. `rebased`: it was brought up to it first.
    `state` open: GitHub merges it later by itself.
    """

    head: str
    state: Literal["merged", "open"]
    rebased: bool = False
    number: int | None = None
    url: str | None = None


def merge(branch: Branch, hub: Hub | None, method: Method) -> MergedBranch:
    """
    Raises:
        Conflict: `context["files"]` conflict, a session works in it, or it cannot be merged as it stands.
        Unavailable: the remote or GitHub did not answer, or do not merge it yet.
    """
    base_tip, head = branch.fetch_base(), branch.tip()
    found = hub.of(branch.name, branch.base) if hub is not None else None
    if found is not None and found.state == "merged" and found.head == head:
        return MergedBranch(head, "merged", number=found.number, url=found.url)
    if branch.is_in(head, base_tip):
        return MergedBranch(head, "merged")
    if hub is None:
        return _merge_by_git(branch, base_tip, method)
    return _merge_by_hub(branch, hub, found, base_tip, method)


def _merge_by_hub(branch: Branch, hub: Hub, found: PullRequest | None, base_tip: str, method: Method) -> MergedBranch:
    if found is None or found.state != "open":
        what = f"its pull request {found.url} is {found.state}" if found else "it has no pull request"
        raise Conflict(f"{branch.name} cannot be merged: {what}", advice="publish the branch first")
    rebased = _caught_up(branch, base_tip, wanted=found.behind)
    push(branch)
    head = branch.tip()
    hub.merge(found.number, method, head)
    after = hub.of(branch.name, branch.base)
    done = after is None or after.number != found.number or after.state == "merged"
    return MergedBranch(head, "merged" if done else "open", rebased, found.number, found.url)


def _merge_by_git(branch: Branch, base_tip: str, method: Method) -> MergedBranch:
    rebased = False
    for _ in range(PUSHES):
        rebased = _caught_up(branch, base_tip, wanted=method == "rebase") or rebased
        head = branch.tip()
        commit = head if method == "rebase" else _commit(branch, base_tip, head, method)
        try:
            branch.git("push", "--quiet", branch.remote, f"{commit}:refs/heads/{branch.base}", seconds=NETWORK_SECONDS)
        except SessionFailed as error:
            before, base_tip = base_tip, branch.fetch_base()
            if base_tip == commit:
                return MergedBranch(head, "merged", rebased)  # it arrived; only the word of it did not
            if base_tip == before:
                raise Conflict(f"{branch.remote} does not take {branch.base}: {error.detail}") from error
            continue
        branch.fetch_base()
        return MergedBranch(head, "merged", rebased)
    raise Unavailable(f"{branch.base} on {branch.remote} moved {PUSHES} times meanwhile", advice="merge it again")


def _commit(branch: Branch, base_tip: str, head: str, method: Method) -> str:
    tree = trees.merged(branch.git, base_tip, head).tree
    if method == "squash":
        subjects = branch.git("log", "--reverse", "--format=%s", f"{base_tip}..{head}")
        words, parents = f"{branch.name} into {branch.base}\n\n{subjects}", ["-p", base_tip]
    else:
        words, parents = f"Merge {branch.name} into {branch.base}", ["-p", base_tip, "-p", head]
    return branch.git("commit-tree", tree, *parents, "-m", words)


def _caught_up(branch: Branch, base_tip: str, *, wanted: bool) -> bool:
    """Rebases the branch where it would conflict as it is, or where that is `wanted`. Returns whether it moved.

    Raises:
        Conflict: it conflicts all the same, in `context["files"]`; or a session works in it. Nothing was changed.
    """
    git, before = branch.git, branch.tip()
    trees.require_merge_tree(git)
    files = trees.merged(git, base_tip, before).files
    if not files and not (wanted and not branch.is_in(base_tip, before)):
        return False
    owner = branch.repository.locks.take(branch.name)
    if owner is None:
        if files:
            raise _conflict(branch, files)
        raise Conflict(f"a session works on {branch.name}, which must be brought up to {branch.base}", advice="end it")
    try:
        place = branch.place()
        with branch.repository.alone() as alone:
            if place.look() is Found.WORKTREE:
                place.mend(alone, branch.repository.locks)
                base = branch.remote_base.removeprefix("refs/remotes/")
                worktrees_sync.sync(alone, branch.repository.locks, place, base, SyncBy.REBASE, None)
            else:
                after = worktrees_sync.put_together(alone, place, SyncBy.REBASE, before, base_tip, branch.base)
                alone("update-ref", branch.reference, after, before)
    finally:
        os.close(owner)
    return branch.tip() != before


def _conflict(branch: Branch, files: list[str]) -> Conflict:
    more = f" and {len(files) - FILES_IN_WORDS} more" if len(files) > FILES_IN_WORDS else ""
    return Conflict(
        f"{branch.name} conflicts with {branch.base} in {', '.join(files[:FILES_IN_WORDS])}{more}; nothing was changed",
        advice=f"have its session rebase on {branch.remote}/{branch.base} and settle them",
        files=files,
    )
