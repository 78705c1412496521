"""What a turn did to the repository, as git knows it: new commits, and files changed that are not the persona's."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from remote_client.agents.adapter import Evidence
from remote_client.scope import Scope
from remote_client.sessions import Session
from remote_client.worktrees import Worktree
from remote_client.worktrees_git import Git
from shared.errors import SessionFailed

COMMITS_KEPT = 100
FILES_NAMED = 100
SUBJECT_CHARACTERS = 200


@dataclass(frozen=True)
class Commit:
    commit: str
    at: datetime
    subject: str


@dataclass
class GitFacts:
    """`commits`: those that are new on the branch, oldest first."""

    commits: list[str] = field(default_factory=list[str])
    told: list[Commit] = field(default_factory=list[Commit])
    evidence: list[Evidence] = field(default_factory=list[Evidence])


async def git_facts(session: Session, head_before: str | None) -> GitFacts:
    """Looks at the worktree of a session whose turn began at a commit and has just ended."""
    scope, head_now = session.persona.scope, session.head()
    if not scope and head_now in (None, head_before):
        return GitFacts()
    return await asyncio.to_thread(_look, session.worktree, scope, head_before, head_now)


def _look(worktree: Worktree, scope: Scope, before: str | None, now: str | None) -> GitFacts:
    here, facts = Git(worktree.path), GitFacts()
    try:
        if now is not None and now != before:
            span = f"{before}..{now}" if before else now
            log = here(
                "rev-list", "--reverse", f"--max-count={COMMITS_KEPT}", "--no-commit-header", "--format=%H %ct %s", span
            )
            facts.told = [_commit(*line.split(" ", 2)) for line in log.splitlines()]
            facts.commits = [one.commit for one in facts.told]
            facts.evidence.append(
                {"kind": "git", "head_before": before, "head_after": now, "commits": len(facts.commits)}
            )
        if scope:
            outside = scope.outside(changed_files(here, worktree.base, before, now))
            if outside:
                more = {"more": len(outside) - FILES_NAMED} if len(outside) > FILES_NAMED else {}
                facts.evidence.append({"kind": "scope", "outside": outside[:FILES_NAMED], **more})
    except SessionFailed as error:
        facts.evidence.append({"kind": "git", "error": error.detail})
    return facts


def _commit(commit: str, at: str, subject: str = "") -> Commit:
    return Commit(commit, datetime.fromtimestamp(int(at), UTC), subject[:SUBJECT_CHARACTERS])


def changed_files(here: Git, base: str, before: str | None, now: str | None) -> list[str]:
    """Files that own commits from `before` to `now` changed, not those of the base; and what is not committed."""
    files = uncommitted_files(here)
    if before is not None and now is not None and now != before:
        own = [f"{before}..{now}", *([f"^{base}"] if here.commit(base) else [])]
        files += here.names("log", "--no-merges", "--no-renames", "--format=", "--name-only", "-z", *own)
    return files


def uncommitted_files(here: Git) -> list[str]:
    entries = here.names("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    return [entry[3:] for entry in entries]
