"""Brings a worktree up to its base, all or nothing: put together in a scratch worktree, and only what fits is moved in.

What is uncommitted stays uncommitted. Nothing is ever left in conflict; the files that conflict are named.
"""

import os
from dataclasses import dataclass
from enum import StrEnum

from remote_client.worktrees_git import Git
from remote_client.worktrees_locks import RepositoryLocks
from remote_client.worktrees_place import Place
from shared.errors import Conflict, InvalidPayload, SessionFailed, Unavailable

FETCH_SECONDS = 120.0
FILES_NAMED = 20


class SyncBy(StrEnum):
    REBASE = "rebase"
    MERGE = "merge"


@dataclass(frozen=True)
class Synced:
    """`how`: up to date, fast-forward, rebase or merge. The rest are commits; `fetched_from` is a remote."""

    how: str
    before: str
    after: str
    onto: str
    fetched_from: str | None


def fetch(git: Git, base: str) -> str | None:
    """Fetches what `base` follows. Returns the remote; None when it follows none.

    Raises:
        Unavailable: the remote did not answer.
    """
    followed = upstream_of(git, base) or git.find("rev-parse", "--symbolic-full-name", "--verify", "--quiet", base)
    if not followed or not followed.startswith("refs/remotes/"):
        return None
    followed = followed.removeprefix("refs/remotes/")
    remote = next((name for name in git("remote").split() if followed.startswith(f"{name}/")), None)
    if remote is None:
        return None
    try:
        git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, seconds=FETCH_SECONDS)
    except SessionFailed as error:
        raise Unavailable(f"{remote} could not be fetched: {error.detail}", advice="sync without a fetch") from error
    return remote


def upstream_of(git: Git, base: str) -> str | None:
    """The remote branch that a local one follows, as `refs/remotes/…`."""
    if not git.says_yes("show-ref", "--verify", "--quiet", f"refs/heads/{base}"):
        return None
    return git("for-each-ref", "--format=%(upstream)", f"refs/heads/{base}") or None


def tip_of(git: Git, base: str) -> str:
    """The newest of a base and of what it follows; the base itself when the two have parted.

    Raises:
        InvalidPayload: there is no such base.
    """
    own = git.commit(base)
    if own is None:
        raise InvalidPayload(f'there is no branch, tag or commit "{base}" in {git.folder}')
    upstream = upstream_of(git, base)
    theirs = git.commit(upstream) if upstream else None
    return theirs if theirs and git.says_yes("merge-base", "--is-ancestor", own, theirs) else own


def sync(git: Git, locks: RepositoryLocks, place: Place, base: str, by: SyncBy | None, remote: str | None) -> Synced:
    """
    Raises:
        Conflict: commits conflict, uncommitted work is in the way, or something else is unfinished there. As before.
        SessionFailed: git failed. As before.
    """
    unfinished = place.unfinished()
    if unfinished:
        raise Conflict(f"{unfinished} is unfinished in {place.path}", advice="end it or take it back first")
    if not place.is_on_branch():
        raise Conflict(f"{place.path} has something else than {place.branch} checked out", advice="switch back first")
    onto, before = tip_of(git, base), git("rev-parse", "--verify", f"refs/heads/{place.branch}")
    if git.says_yes("merge-base", "--is-ancestor", onto, before):
        return Synced("up to date", before, before, onto, remote)
    if git.says_yes("merge-base", "--is-ancestor", before, onto):
        how, after = "fast-forward", onto
    else:
        by = by or _gentlest(git, before, onto)
        how, after = by.value, put_together(git, place, by, before, onto, base)
    _check_nothing_in_the_way(git.at(place.path), place, before, after)
    place.move_on(git, locks, base, after)
    return Synced(how, before, after, onto, remote)


def _gentlest(git: Git, before: str, onto: str) -> SyncBy:
    """A rebase reads best, but must not rewrite what others may have, nor take merges apart."""
    merges = git("rev-list", "--max-count=1", "--min-parents=2", before, f"^{onto}")
    own = int(git("rev-list", "--count", before, f"^{onto}"))
    unpublished = int(git("rev-list", "--count", before, f"^{onto}", "--not", "--remotes"))
    return SyncBy.MERGE if merges or unpublished < own else SyncBy.REBASE


def put_together(git: Git, place: Place, by: SyncBy, before: str, onto: str, base: str) -> str:
    """The commit that `before` becomes on top of `onto`, or merged with it. Nothing else is touched.

    Raises:
        Conflict: they conflict in `context["files"]`.
        SessionFailed: git failed.
    """
    place.clear_scratch(git)
    scratch = git.at(place.scratch)
    try:
        place.scratch.parent.mkdir(parents=True, exist_ok=True)
        git("worktree", "add", "--quiet", "--detach", str(place.scratch), before)
        if by is SyncBy.REBASE:
            scratch("rebase", "--quiet", onto)
        else:
            scratch("merge", "--quiet", "--no-edit", "-m", f"Merge {base} into {place.branch}", onto)
        return scratch("rev-parse", "HEAD")
    except SessionFailed as error:
        files = scratch.names("diff", "--name-only", "--diff-filter=U", "-z") if place.scratch.exists() else []
        if not files:
            raise
        raise Conflict(
            f"{place.branch} conflicts with {base} in {_listed(files)}; nothing was changed",
            advice=f"in {place.path}: git {by.value} {base}, and settle them there",
            files=files,
        ) from error
    finally:
        place.clear_scratch(git)


def _check_nothing_in_the_way(here: Git, place: Place, before: str, after: str) -> None:
    changed = set(here.names("diff", "--name-only", "--no-renames", "-z", before, after))
    added = set(here.names("diff", "--name-only", "--no-renames", "--diff-filter=A", "-z", before, after))
    uncommitted = set(here.names("diff", "--name-only", "--no-renames", "-z", "HEAD"))
    files = sorted(changed & uncommitted | {name for name in added if os.path.lexists(place.path / name)})
    if files:
        raise Conflict(
            f"uncommitted work in {place.path} is in the way of the base: {_listed(files)}; nothing was changed",
            advice="commit it first",
            files=files,
        )


def _listed(files: list[str]) -> str:
    more = f" and {len(files) - FILES_NAMED} more" if len(files) > FILES_NAMED else ""
    return ", ".join(files[:FILES_NAMED]) + more
