"""Pushes a branch of ours, opens its pull request, and says how both stand.

What others have pushed is never written over: each push names what it expects to find. Blocks: run in threads.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from remote_client.gitwork.branch import FILES_NAMED, NETWORK_SECONDS, Branch
from remote_client.gitwork.hub import Hub, PullRequest
from shared.errors import Conflict, SessionFailed, Unavailable

Pushed = Literal["new", "updated", "up_to_date"]
_BODY_MAX = 60_000
MISSING = (
    "the branch is pushed; this machine's policy names no gh ([pull_requests] gh), so the pull request is yours to open"
)


@dataclass(frozen=True)
class Published:
    """How a branch stands on the remote. `missing`: what kept it from a pull request, in words; `notes`: what went
    by the way.
    """

    branch: str
    base: str
    remote: str
    head: str
    state: Literal["pushed", "open", "merged", "closed"]
    checks: str = "none"
    number: int | None = None
    url: str | None = None
    pushed: Pushed | None = None
    changed: list[str] = field(default_factory=list[str])
    missing: str | None = None
    notes: list[str] = field(default_factory=list[str])

    def told(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def push(branch: Branch) -> Pushed:
    """
    Raises:
        Conflict: others have pushed to it, or the remote takes no such push.
        Unavailable: the remote did not answer.
    """
    git, head = branch.git, branch.tip()
    with branch.repository.locks.alone("push"):
        theirs = branch.tip_on_remote()
        if theirs != head:
            ours = theirs in (None, git.commit(branch.published_reference)) or branch.is_in(theirs or "", head)
            if not ours:
                raise _others(branch)
            _push(branch, head, theirs)
        git("update-ref", branch.published_reference, head)
    return "up_to_date" if theirs == head else "updated" if theirs else "new"


def _push(branch: Branch, head: str, theirs: str | None) -> None:
    lease = f"--force-with-lease={branch.reference}:{theirs or ''}"
    try:
        branch.git("push", "--quiet", lease, branch.remote, f"{head}:{branch.reference}", seconds=NETWORK_SECONDS)
    except SessionFailed as error:
        now = branch.tip_on_remote()
        if now == head:
            return  # it arrived; only the word of it did not
        if now != theirs:
            raise _others(branch) from error
        raise Conflict(f"{branch.remote} does not take {branch.name}: {error.detail}") from error


def _others(branch: Branch) -> Conflict:
    return Conflict(
        f"others have pushed to {branch.name} on {branch.remote}; nothing was pushed",
        advice=f"git pull {branch.remote} {branch.name} in its worktree, then publish again",
    )


def publish(branch: Branch, hub: Hub | None, title: str | None, body: str, labels: list[str]) -> Published:
    """Pushes, and opens a pull request when there is a `title`, none is open, and somebody who can.

    Raises:
        Conflict: others have pushed to it, or it holds nothing that its base has not.
        Unavailable: the remote or GitHub did not answer. What was pushed stays pushed.
    """
    base_tip, head = branch.fetch_base(), branch.tip()
    if branch.is_in(head, base_tip):
        standing = follow(branch, hub)
        if standing.state == "merged":
            return standing
        raise Conflict(f"{branch.name} has no commit that {branch.base} has not; there is nothing to publish")
    pushed = push(branch)
    changed = branch.changed(base_tip, head)
    if hub is None:
        return _published(branch, head, None, pushed, changed, missing=MISSING if title else None)
    found = hub.of(branch.name, branch.base)
    if found is not None and found.state != "open" and found.head != head:
        found = None  # that one was about earlier work
    notes: list[str] = []
    if found is None and title:
        hub.open(branch.name, branch.base, title, _body(body, changed))
        found = hub.of(branch.name, branch.base)
        if found is None:
            raise Unavailable("gh opened a pull request and does not show it yet", advice="ask again in a moment")
        notes = [f"no label {label}: {words}" for label in labels if (words := hub.label(found.number, label))]
    return _published(branch, head, found, pushed, changed, notes=notes)


def follow(branch: Branch, hub: Hub | None) -> Published:
    """How it stands, changing nothing.

    Raises:
        Unavailable: the remote or GitHub did not answer.
    """
    head = branch.tip()
    found = hub.of(branch.name, branch.base) if hub is not None else None
    if found is not None:
        return _published(branch, head, found)
    base_tip = branch.fetch_base()
    published = branch.git.commit(branch.published_reference)
    if published is not None and branch.is_in(published, base_tip):
        return Published(branch.name, branch.base, branch.remote, head, "merged")
    return _published(branch, head, None, missing=MISSING if hub is None else None)


def _published(
    branch: Branch, head: str, found: PullRequest | None, pushed: Pushed | None = None,
    changed: list[str] | None = None, missing: str | None = None, notes: list[str] | None = None,
) -> Published:  # fmt: skip
    files, said = (changed or [])[:FILES_NAMED], notes or []
    if found is None:
        return Published(
            branch.name, branch.base, branch.remote, head, "pushed", pushed=pushed, changed=files, missing=missing,
            notes=said,
        )  # fmt: skip
    return Published(
        branch.name, branch.base, branch.remote, head, found.state, found.checks, found.number, found.url, pushed,
        files, missing, said,
    )  # fmt: skip


def _body(body: str, changed: list[str]) -> str:
    files = "\n".join(f"- `{name}`" for name in changed[:FILES_NAMED])
    more = f"\n- and {len(changed) - FILES_NAMED} more" if len(changed) > FILES_NAMED else ""
    return f"{body.strip()[:_BODY_MAX]}\n\n## Changed files\n\n{files}{more}\n".lstrip()
