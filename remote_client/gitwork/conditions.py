"""Whether work holds what was asked of it: checks, files that changed or did not, a commit; and how that is known.

Looks, and changes nothing; what does not hold is told, not raised.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pathspec

from remote_client.gitwork.checks import Check
from remote_client.gitwork.running import Ran, run
from remote_client.turn_git import changed_files, uncommitted_files
from remote_client.worktrees_git import Git
from shared.errors import InvalidPayload
from shared.payloads import CheckWork

FILES_NAMED = 50
TAIL_KEPT = 4000
"""Characters of a check's output that travel; the last ones say what failed."""

Condition = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """What a worktree holds: `start` is where the work began; `changed` are the files that differ from there."""

    start: str | None
    head: str | None
    commits: int
    changed: list[str]
    uncommitted: list[str]


def work_in(here: Git, base: str, since: str | None) -> Work:
    """Blocks.

    Raises:
        InvalidPayload: there is no commit `since`.
        SessionFailed: git failed.
    """
    head = here.commit("HEAD")
    if since is not None and here.commit(since) is None:
        raise InvalidPayload(f'check_work: there is no commit "{since}" in {here.folder}')
    start = here.commit(since) if since else None
    if start is None and head is not None:
        start = here.find("merge-base", head, base) if here.commit(base) else None
    commits = 0
    if head is not None and head != start:
        span = [f"{start}..{head}" if start else head, *([f"^{base}"] if here.commit(base) else [])]
        commits = int(here("rev-list", "--count", *span))
    changed = sorted(set(changed_files(here, base, start, head)))
    return Work(start, head, commits, changed, sorted(set(uncommitted_files(here))))


def of_files(wanted: CheckWork, work: Work) -> list[Condition]:
    """What git alone can tell.

    Raises:
        InvalidPayload: a pattern that git would not understand.
    """
    found: list[Condition] = []
    if wanted.commit:
        holds = work.commits > 0 and not work.uncommitted
        facts = {"commits": work.commits, **_files("uncommitted", work.uncommitted)}
        found.append({"kind": "commit", "holds": holds, "known_by": "git", **facts})
    for pattern in wanted.must_change or []:
        hits = _matching(pattern, work.changed)
        found.append(
            {"kind": "must_change", "pattern": pattern, "holds": bool(hits), "known_by": "git", **_files("files", hits)}
        )
    for pattern in wanted.must_not_change or []:
        hits = _matching(pattern, work.changed)
        told = {"pattern": pattern, "holds": not hits, "known_by": "git", **_files("files", hits)}
        found.append({"kind": "must_not_change", **told})
    return found


async def of_check(
    check: Check, here: Git, environment: Mapping[str, str], seconds: float, redact: Callable[[str], str]
) -> Condition:
    """Runs a check in the worktree, `seconds` at most."""
    limit = min(check.timeout_s, seconds)
    ran = await run(check.run, here.folder, environment, limit)
    told: Condition = {"kind": "check", "name": check.name, "holds": ran.status == 0, "known_by": "exit"}
    if ran.status is None:
        told |= {"known_by": "timeout", "timeout_s": limit}
    else:
        told["status"] = ran.status
    if ran.signal_name is not None:
        told["signal"] = ran.signal_name
    return told | {"seconds": ran.seconds, "output_bytes": ran.output_bytes, "tail": redact(_last(ran))}


def _last(ran: Ran) -> str:
    if len(ran.tail) <= TAIL_KEPT:
        return ran.tail
    cut = ran.tail[-TAIL_KEPT:]
    return cut[cut.find("\n") + 1 :]


def _matching(pattern: str, files: Sequence[str]) -> list[str]:
    try:
        spec = pathspec.GitIgnoreSpec.from_lines([pattern])
    except ValueError as error:
        raise InvalidPayload(f'check_work: "{pattern}" is no pattern of files: {error}') from error
    return [file for file in files if spec.match_file(file)]


def _files(name: str, files: list[str]) -> dict[str, Any]:
    more = {"more": len(files) - FILES_NAMED} if len(files) > FILES_NAMED else {}
    return {name: files[:FILES_NAMED], **more}
