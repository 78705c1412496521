"""One prompt in one session, from the journal entry before its first byte to the result with its evidence."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from remote_client.agents.adapter import TurnEnd, Typing
from remote_client.approvals import Approvals
from remote_client.commands import Completion, Hold, Retry, lease_clock
from remote_client.journal import Journal
from remote_client.notes import TurnNote, TypingNote
from remote_client.office_link import OfficeLink
from remote_client.office_records import ConfirmedStep, TypedStep
from remote_client.sessions import Session
from remote_client.turn_git import git_facts
from remote_client.turn_moves import TurnMoves
from remote_client.turn_seen import TurnSeen
from remote_client.turn_words import in_words
from remote_client.uplink import Uplink
from shared.ids import ByteOffset, TurnId
from shared.payloads import TurnResult
from shared.states import SessionStatus, TurnOutcome

LEAST_SECONDS = 1.0
"""What is left at least of the time of a turn that went on while no client was there."""


class Turns:
    def __init__(self, journal: Journal, link: OfficeLink, uplink: Uplink, approvals: Approvals) -> None:
        self._journal = journal
        self._link = link
        self._uplink = uplink
        self._approvals = approvals

    async def run(self, session: Session, hold: Hold, text: str, timeout_seconds: float) -> Completion:
        """
        Raises:
            Fenced: the lease ran out before anything was typed.
            SessionFailed: the agent cannot take a prompt.
        """
        await session.persona.keep_current(session.worktree.path, session.status, hold.command.persona_version)
        turn = _Turn(TurnId(uuid4()), session.head(), time.monotonic(), ByteOffset(session.driver.position))

        def before() -> None:
            hold.check()
            session.settled.clear()
            session.touches.begin_turn()
            note = TurnNote(
                turn.turn_id, text, timeout_seconds, lease_clock(), turn.head_before, session.driver.position,
                session.last_hook, hold.command.session_id is not None,
            )  # fmt: skip
            self._journal.typing(hold.command, TypingNote(session.office_id, session.session_id, note))
            hold.begin_typing()

        def after(offset: ByteOffset) -> None:
            hold.mark_typed()
            turn.began, turn.start = time.monotonic(), offset
            self._journal.typed(hold.command)
            self._tell_typed(session, hold, turn)

        def drive(typing: Typing) -> Awaitable[TurnEnd]:
            return session.driver.run_prompt(text, timeout_seconds, typing)

        return await self._to_its_end(session, hold, turn, drive, Typing(before, after, key=hold.command.key))

    async def carry_on(
        self, session: Session, hold: Hold, note: TurnNote, start: ByteOffset, on_ready: Callable[[], None]
    ) -> Completion:
        """Follows a turn that an earlier process of this client typed. Its output from `start` on may be read when
        `on_ready` is called.
        """
        ago = lease_clock() - note.began
        turn = _Turn(note.turn_id, note.head_before, time.monotonic() - ago, start)
        session.settled.clear()
        session.touches.begin_turn()
        self._tell_typed(session, hold, turn)
        typing = Typing(lambda: None, lambda _: on_ready(), key=hold.command.key)

        def drive(typing: Typing) -> Awaitable[TurnEnd]:
            left = max(LEAST_SECONDS, note.timeout_s - ago)
            return session.driver.carry_on(note.text, left, start, typing)

        return await self._to_its_end(session, hold, turn, drive, typing)

    def _tell_typed(self, session: Session, hold: Hold, turn: "_Turn") -> None:
        command, typed_at = hold.command, hold.typed_at or datetime.now(UTC)
        session.status = SessionStatus.EXECUTING
        self._uplink.step(
            TypedStep(command.command_id, command.attempt, typed_at, session.session_id, turn.turn_id, turn.start)
        )

    async def _to_its_end(
        self, session: Session, hold: Hold, turn: "_Turn", drive: Callable[[Typing], Awaitable[TurnEnd]], typing: Typing
    ) -> Completion:
        command = hold.command
        began = datetime.now(UTC) - timedelta(seconds=time.monotonic() - turn.began)
        seen = TurnSeen(self._uplink, session, command, began)
        confirmed_at: datetime | None = None

        def confirmed() -> None:
            nonlocal confirmed_at
            if confirmed_at is None:
                confirmed_at = datetime.now(UTC)
                self._uplink.step(ConfirmedStep(command.command_id, command.attempt, confirmed_at))

        try:
            async with (
                TurnMoves.of(self._link, self._uplink, session, command) as moves,
                self._approvals.of(session, hold, turn.turn_id) as approvals,
            ):
                told = {
                    "confirmed": confirmed, "moved": moves.tell, "asks": approvals.ask, "moot": approvals.moot,
                    "uses": seen.uses,
                }  # fmt: skip
                ended = await drive(replace(typing, **told))
            duration = time.monotonic() - turn.began
            facts = await git_facts(session, turn.head_before)
            seen.commits(facts.told)
            session.status = _status_after(ended)
        finally:
            session.settled.set()
        result = TurnResult(
            session_id=session.session_id,
            turn_id=turn.turn_id,
            outcome=ended.outcome,
            marker=ended.marker,
            evidence=session.touches.evidence() + approvals.evidence() + ended.evidence + facts.evidence,
            output_start=turn.start,
            output_end=ended.end,
            commits=facts.commits,
            pull_requests=ended.pull_requests,
            cost_usd=ended.cost_usd,
            duration_s=round(duration, 4),
        )
        done = ended.outcome is TurnOutcome.DONE
        return Completion(
            success=done,
            result=result.model_dump(mode="json", exclude_none=True),
            error_code=None if done else f"turn_{ended.outcome}",
            error=None if done else in_words(ended),
            session_status=session.status,
            typed_at=hold.typed_at,
            confirmed_at=confirmed_at,
            retry=_retry_after(ended, session),
        )


@dataclass
class _Turn:
    """`began` is on the monotonic clock."""

    turn_id: TurnId
    head_before: str | None
    began: float
    start: ByteOffset


def _status_after(ended: TurnEnd) -> SessionStatus:
    if not ended.alive:
        return SessionStatus.TERMINATED
    if ended.outcome in (TurnOutcome.WAITING_INPUT, TurnOutcome.NEEDS_PERMISSION):
        return SessionStatus(ended.outcome.value)
    return SessionStatus.READY


def _retry_after(ended: TurnEnd, session: Session) -> Retry | None:
    """How the turn failed without anybody's wish, if that is how it ended."""
    if any(one["kind"] == "timeout" for one in ended.evidence):
        return "timeout"
    if ended.alive or session.end_wanted or ended.outcome is not TurnOutcome.ERROR:
        return None
    return "died"
