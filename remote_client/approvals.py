"""Hands what an agent asks leave for to the office, one exact action each, and brings the one answer back to it.

An answer goes to the hook that waits for it, never to the screen. While the office is away the agent goes on waiting. A
later process of this client asks under the same ids, so that what was answered meanwhile is found.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import structlog

from remote_client.agents.adapter import Evidence, Request
from remote_client.commands import Hold
from remote_client.office_link import OfficeLink
from remote_client.office_records import Answer, Asking, Happening
from remote_client.policy import Policy
from remote_client.sessions import Session
from remote_client.uplink import Uplink
from shared.errors import Conflict, NotFound, OfficeError, Refused, SessionFailed
from shared.ids import ApprovalId, TurnId
from shared.states import ApprovalStatus

log = structlog.get_logger(__name__)

WATCH_SECONDS = 2.0
PAUSE_SECONDS = 1.0
WITHDRAW_SECONDS = 2.0
INPUT_BYTES = 262_144
"""What is longer cannot be shown to people whole, and is left to the terminal."""

_AT_TERMINAL = "answered at the terminal, or stopped"
_TURN_OVER = "its turn is over"
_WORDS = {
    ApprovalStatus.DENIED: "Somebody at the office denied this.",
    ApprovalStatus.EXPIRED: "Nobody answered in time, so this was denied.",
}


@dataclass
class _Open:
    """A request on its way. `told`: the office has it; `moot`: it waits no longer."""

    request: Request
    asking: Asking
    told: bool = False
    moot: bool = False
    answer: Answer | None = None
    """What its terminal was told; the office is to know that it was."""


class Approvals:
    """Of one client. `policy` is asked at each request."""

    def __init__(self, link: OfficeLink, uplink: Uplink, policy: Policy) -> None:
        self._link = link
        self._uplink = uplink
        self._policy = policy
        self._open: set[TurnApprovals] = set()

    def waiting(self) -> "list[tuple[Session, Asking, bool]]":
        """The requests that wait for an answer, each with its session and whether the office has it."""
        return [(turn.session, asking, told) for turn in self._open for asking, told in turn.waiting()]

    def wake(self) -> None:
        """An answer may be there."""
        for turn in self._open:
            turn.look()

    @asynccontextmanager
    async def of(self, session: Session, hold: Hold, turn_id: TurnId) -> "AsyncGenerator[TurnApprovals]":
        """Of one turn, while the block lasts."""
        turn = TurnApprovals(self._link, self._uplink, self._policy, session, hold, turn_id)
        self._open.add(turn)
        stays = False
        try:
            yield turn
        except asyncio.CancelledError:
            stays = True  # the turn goes on without this process, and its requests with it
            raise
        finally:
            self._open.discard(turn)
            await turn.end(stays=stays)


class TurnApprovals:
    def __init__(
        self,
        link: OfficeLink,
        uplink: Uplink,
        policy: Policy,
        session: Session,
        hold: Hold,
        turn_id: TurnId,
    ) -> None:
        self._link = link
        self._uplink = uplink
        self._policy = policy
        self._session = session
        self._hold = hold
        self._turn_id = turn_id
        self._requests: dict[ApprovalId, _Open] = {}
        self._evidence: list[Evidence] = []
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        """Runs from the first request on: most turns ask for nothing."""

    @property
    def session(self) -> Session:
        return self._session

    def waiting(self) -> list[tuple[Asking, bool]]:
        return [(one.asking, one.told) for one in self._requests.values() if not one.moot and one.answer is None]

    # What the driver tells; nothing here waits ------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        folder = request.folder or str(self._session.worktree.path)
        written = json.dumps([request.tool, request.input, folder], sort_keys=True, separators=(",", ":"))
        if (reason := self._kept_here(request, len(written))) is not None:
            self._session.kept_here[request.number] = reason
            self._event("approval_not_offered", {"tool": request.tool, "number": request.number, "because": reason})
            return
        approval_id = ApprovalId(uuid5(UUID(str(self._turn_id)), str(request.number)))
        digest = hashlib.sha256(f"{approval_id}\n{written}".encode()).hexdigest()
        command = self._hold.command
        asking = Asking(
            approval_id, self._session.session_id, command.command_id, command.attempt, self._turn_id,
            request.tool, request.input, folder, digest, datetime.now(UTC),
        )  # fmt: skip
        self._requests[approval_id] = _Open(request, asking)
        self._news.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"approvals of {command.command_id}")

    def _kept_here(self, request: Request, size: int) -> str | None:
        """Why only the terminal may answer it; None: the office may."""
        if not request.whole or size > INPUT_BYTES:
            return f"it is longer than {INPUT_BYTES} bytes, and nobody could see all of it"
        rule = self._policy.approvals.forbids(request.tool)
        return f"the machine's policy forbids it ({rule})" if rule is not None else None

    def moot(self, number: int) -> None:
        self._session.kept_here.pop(number, None)
        for one in self._requests.values():
            if one.request.number == number:
                one.moot = True
                self._news.set()

    def look(self) -> None:
        self._news.set()

    def evidence(self) -> list[Evidence]:
        """How what was asked in this turn was answered from outside."""
        return list(self._evidence)

    # What goes to the office and back ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            waits = WATCH_SECONDS if self._requests else None
            try:
                async with asyncio.timeout(waits):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            try:
                for one in list(self._requests.values()):
                    await self._take_care(one)
                await self._watch()
            except OfficeError as error:
                log.warning("the office does not hear what an agent asks", error=error.detail)
                await asyncio.sleep(PAUSE_SECONDS)
                self._news.set()

    async def _take_care(self, one: _Open) -> None:
        try:
            if not one.told and not one.moot:
                await self._link.request_approval(one.asking)
                one.told = True
            if one.answer is not None:
                await self._link.approval_delivered(one.asking.approval_id)
            elif one.moot and one.told:
                await self._link.withdraw_approval(one.asking.approval_id, _AT_TERMINAL)
        except Refused as error:  # it is left to the terminal
            log.warning("a request is not for the office", approval=str(one.asking.approval_id), error=error.detail)
            one.moot = True
        if one.moot or one.answer is not None:
            self._requests.pop(one.asking.approval_id, None)

    async def _watch(self) -> None:
        waiting = [one.asking.approval_id for one in self._requests.values() if one.told and not one.moot]
        if not waiting:
            return
        for answer in await self._link.watch_approvals(waiting):
            one = self._requests.get(answer.approval_id)
            if one is not None and not one.moot:
                await self._deliver(one, answer)
                await self._take_care(one)

    async def _deliver(self, one: _Open, answer: Answer) -> None:
        """Exactly this answer, to exactly this action, or none."""
        if answer.digest != one.asking.digest or answer.status is ApprovalStatus.WITHDRAWN:
            self._refused(one, answer, "it is of another action" if answer.digest != one.asking.digest else _TURN_OVER)
            return
        if (rule := self._policy.approvals.forbids(one.request.tool)) is not None:
            self._refused(one, answer, f"the machine's policy forbids it by now ({rule})")
            return
        allow = answer.status is ApprovalStatus.APPROVED
        try:
            await self._session.driver.answer(
                one.request.number, allow, answer.message or _WORDS.get(answer.status, "")
            )
        except (Conflict, NotFound, SessionFailed) as error:
            self._refused(one, answer, error.detail)
            return
        one.answer = answer
        said: Evidence = {"kind": "approval", "approval_id": str(answer.approval_id), "tool": one.request.tool}
        self._evidence.append(said | {"says": answer.status.value, "by": answer.answered_by or "time"})

    def _refused(self, one: _Open, answer: Answer, because: str) -> None:
        one.moot = True
        detail = {"approval_id": str(answer.approval_id), "status": answer.status.value, "because": because}
        self._event("approval_not_delivered", detail)

    def _event(self, kind: str, detail: dict[str, Any]) -> None:
        command = self._hold.command
        self._uplink.event(
            Happening(command.office_id, kind, detail, datetime.now(UTC), self._session.session_id, command.command_id)
        )

    async def end(self, *, stays: bool) -> None:
        """Nothing more is asked. `stays`: what is open waits for a later process of this client."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                log.error("what an agent asked was lost on the way", exc_info=error)
        if not stays:
            await self._take_back()

    async def _take_back(self) -> None:
        """Takes back what nobody answered; what cannot be told now, the office finds out by itself."""
        self._session.kept_here.clear()
        for approval_id, one in list(self._requests.items()):
            if not one.told:
                continue
            try:
                async with asyncio.timeout(WITHDRAW_SECONDS):
                    if one.answer is not None:
                        await self._link.approval_delivered(approval_id)
                    else:
                        await self._link.withdraw_approval(approval_id, _AT_TERMINAL if one.moot else _TURN_OVER)
            except (OfficeError, TimeoutError) as error:
                log.info("a request was not taken back", approval=str(approval_id), error=str(error))
