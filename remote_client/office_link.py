"""Each SQL function that a client may call, as a typed method. How a call travels is the business of `Calls`.

Every write carries the client and its epoch; the database refuses what is stale.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import structlog

from remote_client.commands import Command, Completion
from remote_client.office_records import (
    Answer,
    Asking,
    ConfirmedStep,
    Happening,
    KeptSession,
    OfficeTerms,
    OpenedSession,
    OutputChunk,
    Persona,
    Registration,
    Step,
    TypedStep,
)
from shared.ids import (
    ApprovalId,
    Attempt,
    ClientId,
    CommandId,
    Epoch,
    OfficeId,
    SessionId,
    StartId,
)  # fmt: skip
from shared.states import ApprovalStatus, ConnectionState, SessionStatus

log = structlog.get_logger(__name__)


class Calls(Protocol):
    """Carries one call of a SQL function.

    Raises:
        OfficeError: of the class that the SQLSTATE stands for; BackendDown when there is no answer.
    """

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any: ...


def _plain(value: object) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _record(item: Any) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(item).items()}


ALREADY_REDACTED = frozenset({"chunks", "output"})
"""Terminal output: it was redacted as it came, whatever its pieces (`uplink`)."""


class OfficeLink:
    """The office as this client sees it. One per process; `register` comes first.

    Whatever is told passes here, and `redact`, on its way out of the machine.
    """

    def __init__(self, calls: Calls, client_id: ClientId, redact: Callable[[Any], Any] = lambda told: told) -> None:
        self._calls = calls
        self._redact = redact
        self.client_id = client_id
        self.epoch = Epoch(0)
        self.name = ""
        """What its offices call this machine; empty until they said so."""
        self._claims = 0
        self._unanswered: int | None = None
        """The first of the latest claims to which no answer came."""

    async def _own(self, function: str, **arguments: Any) -> Any:
        owner = {"p_client": str(self.client_id), "p_epoch": self.epoch}
        told = {
            f"p_{name}": value if name in ALREADY_REDACTED else self._redact(_plain(value))
            for name, value in arguments.items()
        }
        return await self._calls(function, owner | told)

    async def register(
        self,
        capabilities: dict[str, Any],
        capacity: int,
        version: str,
        held: Sequence[tuple[CommandId, Attempt]],
        live_sessions: Sequence[SessionId],
        start: StartId,
        starts: Sequence[StartId],
        machine_restarted: bool,
    ) -> Registration:
        """Begins a new epoch: any older process of this client is fenced out from here on.

        Asking again under the same `start` begins nothing anew. `starts`: all that the journal knows of.
        `machine_restarted`: the journal may not know of all that was typed; what is not among `held` is resolved as
        if this client had not come back.

        Raises:
            Fenced: the journal is a copy, or older than what was done since, and the other process may still run.
        """
        arguments = {
            "p_client": str(self.client_id),
            "p_capabilities": capabilities,
            "p_capacity": capacity,
            "p_version": version,
            "p_start": str(start),
            "p_starts": [str(one) for one in starts],
            "p_machine_restarted": machine_restarted,
            "p_live_sessions": [str(session) for session in live_sessions],
            "p_held": [{"command_id": str(command), "attempt": attempt} for command, attempt in held],
        }
        answer = await self._calls("register_client", arguments)
        self.epoch = Epoch(answer["epoch"])
        self.name = str(answer.get("name") or "")
        return Registration(
            self.epoch,
            _readable(answer["offices"], OfficeTerms.from_row),
            _holds(answer["held"]),
            _readable(answer["sessions"], KeptSession.from_row),
        )

    async def heartbeat(self, **told: Any) -> tuple[OfficeTerms, ...]:
        """Says that this client lives, and whatever of `memory`, `policy` and `repositories` is given."""
        answer = await self._own("heartbeat", **told)
        self.name = str(answer.get("name") or self.name)
        return _readable(answer["offices"], OfficeTerms.from_row)

    async def report_connection(self, state: ConnectionState) -> None:
        """Says that this client lives, and whether hints reach it."""
        await self._own("report_connection", state=state.value)

    async def report_capabilities(self, capabilities: dict[str, Any], capacity: int) -> None:
        """Says what this client can do by now."""
        await self._own("report_capabilities", capabilities=capabilities, capacity=capacity)

    async def echo_hint(self, topic: str) -> None:
        """Has the database say something on a topic that this client listens to."""
        await self._calls("echo_hint", {"p_topic": topic})

    async def sign_off(self) -> None:
        """This client ends: others take over what it kept warm, and nobody waits for it."""
        await self._own("sign_off")

    async def claim_commands(
        self, limit: int, lease_seconds: int, holding_back: dict[str, Any] | None = None
    ) -> list[Command]:
        """`holding_back`: why some agents get no new sessions here, and so nothing that would need one.

        What an earlier claim took whose answer never came is handed over with this one.
        """
        self._claims += 1
        more: dict[str, Any] = {} if self._unanswered is None else {"unanswered": self._unanswered}
        if self._unanswered is None:
            self._unanswered = self._claims
        rows = await self._own(
            "claim_commands", limit=limit, lease_seconds=lease_seconds, holding_back=holding_back, claim=self._claims,
            **more,
        )  # fmt: skip
        self._unanswered = None
        return list(_readable(rows, Command.from_row))

    async def renew_leases(
        self, leases: Sequence[tuple[CommandId, Attempt]], lease_seconds: int
    ) -> frozenset[tuple[CommandId, Attempt]]:
        """Returns those that are still ours."""
        wanted = [{"command_id": str(command), "attempt": attempt} for command, attempt in leases]
        return _holds(await self._own("renew_leases", leases=wanted, lease_seconds=lease_seconds))

    async def complete_command(
        self, command_id: CommandId, attempt: Attempt, completion: Completion, output: Sequence[OutputChunk]
    ) -> None:
        await self._own(
            "complete_command",
            command=command_id,
            attempt=attempt,
            success=completion.success,
            result=completion.result,
            error_code=completion.error_code,
            error=completion.error,
            session_status=completion.session_status,
            typed_at=completion.typed_at,
            confirmed_at=completion.confirmed_at,
            output=[_record(chunk) for chunk in output],
            retry=completion.retry,
            finished_at=completion.finished_at,
        )

    async def report_lost(self, command_id: CommandId, attempt: Attempt, error: str) -> None:
        await self._own("report_lost", command=command_id, attempt=attempt, error=error)

    async def give_back_command(self, command_id: CommandId, attempt: Attempt) -> None:
        await self._own("give_back_command", command=command_id, attempt=attempt)

    async def open_session(self, session: OpenedSession) -> None:
        told = {name: value for name, value in asdict(session).items() if not name.endswith("_id")}
        await self._own(
            "open_session",
            session=session.session_id,
            office=session.office_id,
            command=session.command_id,
            **told,
        )

    async def update_session(self, session_id: SessionId, status: SessionStatus, **facts: Any) -> None:
        """Facts: any of pid, worktree_path, branch, cols, rows, task, agent_session, end_reason, persona_version."""
        told = {name: _plain(value) for name, value in facts.items() if value is not None}
        await self._own("update_session", session=session_id, status=status, facts=told)

    async def acquire_session(self, session_id: SessionId, command_id: CommandId, attempt: Attempt) -> None:
        await self._own("acquire_session", session=session_id, command=command_id, attempt=attempt)

    async def release_session(self, session_id: SessionId) -> None:
        await self._own("release_session", session=session_id)

    async def open_circuit(
        self, office_id: OfficeId, role: str, failures: int, open_seconds: int, error_code: str, error: str
    ) -> None:
        await self._own(
            "open_circuit", office=office_id, role=role, failures=failures, open_seconds=open_seconds,
            error_code=error_code, error=error,
        )  # fmt: skip

    async def close_circuit(self, office_id: OfficeId, role: str) -> None:
        await self._own("close_circuit", office=office_id, role=role)

    async def record_progress(self, steps: Sequence[Step]) -> None:
        names = {TypedStep: "typed", ConfirmedStep: "confirmed"}
        await self._own("record_progress", steps=[{"step": names[type(step)]} | _record(step) for step in steps])

    async def append_output(self, chunks: Sequence[OutputChunk], awaited: Collection[SessionId] = ()) -> None:
        """Whoever looks at one of the sessions `awaited` is told that there is more."""
        await self._own("append_output", chunks=[_record(chunk) for chunk in chunks], awaited=[*map(str, awaited)])

    async def record_events(self, events: Sequence[Happening]) -> None:
        await self._own("record_events", events=[_record(event) for event in events])

    async def request_approval(self, asking: Asking) -> None:
        """Asking for the same again changes nothing."""
        shown = self._redact([asking.input, asking.folder])
        await self._own(
            "request_approval", approval=asking.approval_id, session=asking.session_id, command=asking.command_id,
            attempt=asking.attempt, turn=asking.turn_id, tool=asking.tool, input=asking.input, cwd=asking.folder,
            digest=asking.digest, redacted=shown != [asking.input, asking.folder], requested_at=asking.requested_at,
        )  # fmt: skip

    async def watch_approvals(self, approvals: Sequence[ApprovalId]) -> list[Answer]:
        """Those that wait no longer."""
        rows = await self._own("watch_approvals", approvals=[str(approval) for approval in approvals])
        return [Answer.from_row(row) for row in rows]

    async def withdraw_approval(self, approval: ApprovalId, reason: str) -> None:
        """Nobody need answer it any more. What was answered stays so."""
        await self._own("withdraw_approval", approval=approval, reason=reason)

    async def approval_delivered(self, approval: ApprovalId) -> None:
        await self._own("approval_delivered", approval=approval)

    async def answer_approval_here(self, approval: ApprovalId, status: ApprovalStatus, digest: str) -> None:
        """As the person at this machine answers the action of that digest.

        Raises:
            Conflict: somebody was faster, it waits no longer, or it is another action.
        """
        await self._own("answer_approval_here", approval=approval, status=status, digest=digest)

    async def answer_question_here(self, question: UUID, answer: str) -> None:
        """
        Raises:
            Conflict: it was answered, or waits no longer.
        """
        await self._own("answer_question_here", question=question, answer=answer)

    async def pause(self, paused: bool) -> None:
        """Says whether the person at this machine lets it take new work."""
        await self._own("pause_client", paused=paused)

    async def report_conflicts(
        self, office_id: OfficeId, branches: list[dict[str, Any]], pairs: list[dict[str, Any]], problem: str | None
    ) -> None:
        """All that is known now of the live branches on this machine, and which pairs of them would conflict."""
        await self._own("report_conflicts", office=office_id, branches=branches, pairs=pairs, problem=problem)

    async def agent_call(
        self, session_id: SessionId, call_id: UUID, tool: str, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        """What the office answers an agent: `{"answer"}`, or `{"question"}` when a person has to answer first."""
        return await self._own("agent_call", session=session_id, call=call_id, tool=tool, arguments=arguments)

    async def agent_answers(self, questions: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
        """Of these questions, the ones that are settled, with what their agents are told."""
        told = await self._own("agent_answers", questions=[str(question) for question in questions])
        return {UUID(question): answer for question, answer in told.items()}

    async def get_persona(self, office_id: OfficeId, role: str) -> Persona | None:
        rows = await self._calls("get_persona", {"p_office": str(office_id), "p_role": role})
        if not rows:
            return None
        row = rows[0]
        scope = tuple(row["scope_patterns"])
        return Persona(row["role"], row["version"], row["rendered"], row["rendered_version"], scope)


_T = TypeVar("_T")


def _readable(rows: list[dict[str, Any]], read: Callable[[dict[str, Any]], _T]) -> tuple[_T, ...]:
    """What can be read. A row that only a newer or a broken office could write ends nobody."""
    found: list[_T] = []
    for row in rows:
        try:
            found.append(read(row))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.error("a row of the office makes no sense and is passed over", row=repr(row)[:500], error=repr(error))
    return tuple(found)


def _holds(rows: list[dict[str, Any]]) -> frozenset[tuple[CommandId, Attempt]]:
    return frozenset((CommandId(UUID(row["command_id"])), Attempt(row["attempt"])) for row in rows)
