"""One prompt in one session, from the journal entry before its first byte to the result with its evidence."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import uuid4

import git
from git.exc import GitError

from remote_client.agents.adapter import Evidence, TurnEnd, Typing
from remote_client.commands import Completion, Hold, Retry
from remote_client.journal import Journal
from remote_client.office_link import ConfirmedStep, OfficeLink, TypedStep
from remote_client.sessions import Session
from remote_client.turn_moves import TurnMoves
from remote_client.uplink import Uplink
from shared.ids import ByteOffset, TurnId
from shared.payloads import TurnResult
from shared.states import SessionStatus, TurnOutcome

COMMITS_KEPT = 100


class Turns:
    def __init__(self, journal: Journal, link: OfficeLink, uplink: Uplink) -> None:
        self._journal = journal
        self._link = link
        self._uplink = uplink

    async def run(self, session: Session, hold: Hold, text: str, timeout_seconds: float) -> Completion:
        """
        Raises:
            Fenced: the lease ran out before anything was typed.
            SessionFailed: the agent cannot take a prompt.
        """
        command = hold.command
        turn_id = TurnId(uuid4())
        head_before = session.head()
        began = time.monotonic()
        start = ByteOffset(session.driver.position)
        confirmed_at: datetime | None = None

        def before() -> None:
            hold.check()
            session.settled.clear()
            self._journal.typing(command)

        def after(offset: ByteOffset) -> None:
            nonlocal start, began
            hold.mark_typed()
            began, start = time.monotonic(), offset
            session.status = SessionStatus.EXECUTING
            self._journal.typed(command)
            step = TypedStep(
                command.command_id,
                command.attempt,
                hold.typed_at or datetime.now(UTC),
                session.session_id,
                turn_id,
                offset,
            )
            self._uplink.step(step)

        def confirmed() -> None:
            nonlocal confirmed_at
            if confirmed_at is None:
                confirmed_at = datetime.now(UTC)
                self._uplink.step(ConfirmedStep(command.command_id, command.attempt, confirmed_at))

        try:
            async with TurnMoves.of(self._link, self._uplink, session, command) as moves:
                typing = Typing(before, after, confirmed, moves.tell)
                ended = await session.driver.run_prompt(text, timeout_seconds, typing)
            duration = time.monotonic() - began
            commits, git_evidence = await _commits_since(session, head_before)
            session.status = _status_after(ended)
        finally:
            session.settled.set()
        result = TurnResult(
            session_id=session.session_id,
            turn_id=turn_id,
            outcome=ended.outcome,
            marker=ended.marker,
            evidence=ended.evidence + git_evidence,
            output_start=start,
            output_end=ended.end,
            commits=commits,
            pull_requests=ended.pull_requests,
            cost_usd=ended.cost_usd,
            duration_s=round(duration, 4),
        )
        done = ended.outcome is TurnOutcome.DONE
        return Completion(
            success=done,
            result=result.model_dump(mode="json", exclude_none=True),
            error_code=None if done else f"turn_{ended.outcome}",
            error=None if done else _in_words(ended),
            session_status=session.status,
            typed_at=hold.typed_at,
            confirmed_at=confirmed_at,
            retry=_retry_after(ended, session),
        )


def _status_after(ended: TurnEnd) -> SessionStatus:
    if not ended.alive:
        return SessionStatus.TERMINATED
    if ended.outcome in (TurnOutcome.WAITING_INPUT, TurnOutcome.NEEDS_PERMISSION):
        return SessionStatus(ended.outcome.value)
    return SessionStatus.READY


async def _commits_since(session: Session, before: str | None) -> tuple[list[str], list[Evidence]]:
    """Commits that are new on the branch since the turn began, oldest first."""
    now = session.head()
    if now is None or now == before:
        return [], []
    commits = await asyncio.to_thread(_new_commits, session, before, now)
    return commits, [{"kind": "git", "head_before": before, "head_after": now, "commits": len(commits)}]


def _new_commits(session: Session, before: str | None, now: str) -> list[str]:
    span = f"{before}..{now}" if before else now
    try:
        found = git.Repo(session.worktree.path).git.rev_list("--reverse", f"--max-count={COMMITS_KEPT}", span)
    except GitError:
        return []
    return str(found).split()


def _retry_after(ended: TurnEnd, session: Session) -> Retry | None:
    """How the turn failed without anybody's wish, if that is how it ended."""
    if any(one["kind"] == "timeout" for one in ended.evidence):
        return "timeout"
    if ended.alive or session.end_wanted or ended.outcome is not TurnOutcome.ERROR:
        return None
    return "died"


def _in_words(ended: TurnEnd) -> str:
    last = ended.evidence[-1] if ended.evidence else {}
    if ended.outcome is TurnOutcome.INTERRUPTED:
        timed_out = any(one["kind"] == "timeout" for one in ended.evidence)
        return "the time for the prompt ran out; it was interrupted" if timed_out else "the prompt was interrupted"
    if last.get("kind") == "exit":
        return f"the agent ended ({_end_of(last)}) without saying that it is done"
    if ended.outcome is TurnOutcome.LOST:
        return "it was typed, and nothing shows that the agent took it"
    if last.get("prompt") == "continuation":
        return "the agent waits for the rest of an unfinished prompt"
    said = [str(one["message"]) for one in ended.evidence if one.get("message")]
    if ended.outcome is TurnOutcome.ERROR and said:
        return f"the agent failed: {said[-1]}"
    if ended.outcome is TurnOutcome.ERROR:
        return f"it failed with status {last.get('status')}"
    return "it stopped and did not say that it is done"


def _end_of(evidence: Evidence) -> str:
    return f"signal {evidence['signal']}" if "signal" in evidence else f"status {evidence.get('status')}"
