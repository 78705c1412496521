"""What the person at a machine sees of its client, and may have it do. How they speak to it is in `server`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from remote_client.agent_calls import AgentCalls
from remote_client.approvals import Approvals
from remote_client.connection import Connection
from remote_client.control.rules import rules_of
from remote_client.executor import Executor
from remote_client.gitwork.handlers import GitWork
from remote_client.journal import Journal
from remote_client.ledger import Ledger
from remote_client.office_link import OfficeLink
from remote_client.pause import Pause
from remote_client.policy import Policy
from remote_client.policy_watch import PolicyWatch
from remote_client.pool import Pool
from remote_client.sessions import Session
from shared.errors import CannotNote, Conflict, InvalidPayload, NotFound
from shared.ids import ApprovalId, SessionId
from shared.local import (
    Asked,
    ClientState,
    LocalApproval,
    LocalOffice,
    LocalPolicy,
    LocalQuestion,
    LocalSession,
    Snapshot,
)  # fmt: skip
from shared.states import ApprovalStatus

POLICY_MAX_BYTES = 65_536
DOING_MAX = 200
ENDED_HERE = "stopped_at_the_machine"
"""Why a session ended, as the office reads it."""


@dataclass(frozen=True)
class Parts:
    """Of one client, whose desk it is."""

    state: Path
    version: str
    connection: Connection
    link: OfficeLink
    pool: Pool
    executor: Executor
    gitwork: GitWork
    approvals: Approvals
    calls: AgentCalls
    ledger: Ledger
    pause: Pause
    journal: Journal
    policy: Policy
    policy_path: Path
    policy_watch: PolicyWatch


class Desk:
    """`stop`: ends the client in order."""

    def __init__(self, parts: Parts, stop: Callable[[], None]) -> None:
        self._parts = parts
        self._stop = stop
        self._began = _moment(datetime.now(UTC))
        self._policy_text = ""
        self._policy_version: tuple[int, int] | None = None

    @property
    def session_ids(self) -> list[SessionId]:
        return [session.session_id for session in self._parts.pool.sessions]

    # What is seen -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        parts = self._parts
        return Snapshot(
            state=self._state(),
            sessions=[self._session(session) for session in parts.pool.sessions],
            asked=parts.ledger.last_hour(),
            approvals=[
                LocalApproval(
                    approval_id=str(asking.approval_id),
                    office_id=str(session.office_id),
                    session_id=str(session.session_id),
                    role=session.role,
                    agent=session.agent,
                    tool=asking.tool,
                    input=asking.input,
                    folder=asking.folder,
                    digest=asking.digest,
                    at=_moment(asking.requested_at),
                    told=told,
                )
                for session, asking, told in parts.approvals.waiting()
            ],
            questions=[self._question(*one) for one in parts.calls.questions.items() if _lives(one[1][0])],
            policy=self._policy(),
        )

    def _state(self) -> ClientState:
        parts = self._parts
        standing = parts.connection.standing
        terms = parts.pool.terms.values()
        return ClientState(
            client_id=str(parts.link.client_id),
            name=parts.link.name,
            version=parts.version,
            pid=os.getpid(),
            connection=standing.state.value,
            connection_since=_moment(standing.since),
            offices=[LocalOffice(str(one.office_id), one.name) for one in terms],
            places=parts.policy.limits.max_sessions,
            places_taken=sum(1 for session in parts.pool.sessions if not session.is_idle),
            paused_since=_moment(parts.pause.since) if parts.pause.since is not None else None,
            state_folder=str(parts.state),
            stuck=parts.journal.is_stuck,
            started_at=self._began,
        )

    def _session(self, session: Session) -> LocalSession:
        return LocalSession(
            session_id=str(session.session_id),
            office_id=str(session.office_id),
            role=session.role,
            agent=session.agent,
            pool=session.pool.value,
            status="idle" if session.is_idle else session.status.value,
            branch=session.worktree.branch,
            worktree=str(session.worktree.path),
            pid=session.pid,
            cols=session.cols,
            rows=session.rows,
            held=session.held_by is not None,
            doing=self._doing(session),
            kept_here=[why for _, why in sorted(session.kept_here.items())],
        )

    def _doing(self, session: Session) -> str:
        """The prompt that runs in it, which need not be of the command that holds it."""
        mine = str(session.session_id)
        running = [one for one in self._parts.ledger.running() if one.session_id == mine and one.kind == "send_prompt"]
        held = self._held_by(session)
        found = running[-1] if running else held if held is not None and held.kind == "send_prompt" else None
        return found.text[:DOING_MAX] if found is not None else ""

    def _held_by(self, session: Session) -> Asked | None:
        if session.held_by is None:
            return None
        command_id, attempt = session.held_by
        return self._parts.ledger.of(str(command_id), attempt)

    def _question(self, question: UUID, asked: tuple[Session, dict[str, Any]]) -> LocalQuestion:
        session, arguments = asked
        options: list[object] = arguments.get("options") or []
        return LocalQuestion(
            question_id=str(question),
            office_id=str(session.office_id),
            session_id=str(session.session_id),
            role=session.role,
            text=str(arguments.get("text") or ""),
            options=[str(option) for option in options],
        )

    def _policy(self) -> LocalPolicy:
        parts = self._parts
        try:
            found = parts.policy_path.stat()
            version = found.st_mtime_ns, found.st_size
            if version != self._policy_version:
                with parts.policy_path.open("rb") as file:
                    self._policy_text = file.read(POLICY_MAX_BYTES).decode(errors="replace")
                self._policy_version = version
        except OSError as error:
            self._policy_text, self._policy_version = f"# {error.strerror}: {parts.policy_path}", None
        return LocalPolicy(
            str(parts.policy_path), self._policy_text, rules_of(parts.policy), parts.policy_watch.problem
        )

    # What is done -----------------------------------------------------------------------------------------------------

    async def pause(self, paused: bool) -> None:
        """
        Raises:
            CannotNote: it cannot be kept, and is not so.
        """
        try:
            self._parts.pause.set(paused)
        except OSError as error:
            raise CannotNote(f"a pause cannot be noted: {error}", advice="make room on that disk") from error

    async def answer_approval(self, approval_id: str, digest: str, *, allow: bool) -> None:
        """By way of the office, so that it is answered once, whoever is faster; the agent hears it as any other answer.

        Raises:
            NotFound: nothing of that name waits here.
            Conflict: it is another action by now, or somebody answered it already.
            Unavailable: the office does not answer. In the session's own terminal it can be answered all the same.
        """
        waiting = {str(asking.approval_id): (asking, told) for _, asking, told in self._parts.approvals.waiting()}
        if approval_id not in waiting:
            raise NotFound("this request waits no longer")
        asking, told = waiting[approval_id]
        if asking.digest != digest:
            raise Conflict("this request is of another action by now", advice="look at it again")
        if not told:
            raise Conflict(
                "the office has not heard of this request yet", advice="answer it in its terminal, or try again"
            )
        status = ApprovalStatus.APPROVED if allow else ApprovalStatus.DENIED
        await self._parts.link.answer_approval_here(ApprovalId(UUID(approval_id)), status, digest)
        self._parts.approvals.wake()

    async def answer_question(self, question_id: str, answer: str) -> None:
        """
        Raises:
            InvalidPayload: the answer says nothing.
            Conflict: it was answered already, or its agent waits no longer.
        """
        if not answer.strip():
            raise InvalidPayload("the answer is empty")
        await self._parts.link.answer_question_here(UUID(question_id), answer)

    async def stop_session(self, session_id: str) -> None:
        """Ends a session and what runs in it, whatever it is.

        Raises:
            NotFound: there is none of that id.
        """
        session = self._parts.pool.session(SessionId(UUID(session_id)))
        await self._end(session)

    async def stop_all(self) -> int:
        """Takes no new work from here on, and ends every session. Returns how many there were."""
        await self.pause(True)
        self._parts.executor.give_back_untyped()
        sessions = self._parts.pool.sessions
        for session in sessions:
            await self._end(session)
        return len(sessions)

    async def _end(self, session: Session) -> None:
        await self._parts.gitwork.stop_checks(session.session_id)
        await self._parts.pool.end(session, ENDED_HERE)

    async def stop_client(self) -> None:
        self._stop()


def _moment(at: datetime) -> str:
    return at.isoformat()


def _lives(session: Session) -> bool:
    return not session.ending
