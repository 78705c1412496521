"""Answers what agents call from inside their sessions: each call goes to the office once, and its answer back.

An answer that a person has to give first is waited for, through restarts of this client and of the office: a call
whose agent still waits is told again by its terminal's host, and the office knows it by its id.
"""

import asyncio
from typing import Any
from uuid import UUID

import structlog

from remote_client.office_link import OfficeLink
from remote_client.policy import Policy
from remote_client.sessions import Session
from remote_client.terminals import HookEvent, Terminals
from shared.errors import Conflict, NotFound, OfficeError, Unavailable

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 2.0
Caller = tuple[Session, int]


class AgentCalls:
    def __init__(self, link: OfficeLink, terminals: Terminals, policy: Policy) -> None:
        self._link = link
        self._terminals = terminals
        self._policy = policy
        self._running: set[asyncio.Task[None]] = set()
        self._open: dict[UUID, Caller] = {}
        self.questions: dict[UUID, tuple[Session, dict[str, Any]]] = {}
        """Those that wait for a person, with what was asked."""
        self._asked = asyncio.Event()

    def take(self, session: Session, event: HookEvent) -> None:
        """A call that an agent waits for. Returns at once."""
        if not event.waits:
            return  # it was answered, or its agent has given up
        task = asyncio.create_task(self._answer(session, event), name=f"call {session.session_id} {event.number}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def run(self) -> None:
        """Looks for people's answers while an agent waits for one, until cancelled."""
        while True:
            await self._asked.wait()
            await asyncio.sleep(LOOK_SECONDS)
            if not self._open:
                self._asked.clear()
                continue
            try:
                settled = await self._link.agent_answers(list(self._open))
            except OfficeError as error:
                log.warning("people's answers are not to be had yet", error=error.detail)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            for question, answer in settled.items():
                session, number = self._open.pop(question)
                self.questions.pop(question, None)
                await self._tell(session, number, {"answer": answer})

    async def _answer(self, session: Session, event: HookEvent) -> None:
        tool = str(event.body.get("tool"))
        try:
            call_id = UUID(str(event.body.get("call")))
        except ValueError:
            await self._tell(session, event.number, {"error": "the call has no id", "code": "invalid_payload"})
            return
        if tool not in self._policy.tools_of(session.agent):
            words = f'the policy of this machine does not let the agent "{session.agent}" call {tool}'
            await self._tell(session, event.number, {"error": words, "code": "policy_forbids"})
            return
        arguments: Any = event.body.get("arguments")
        while True:
            try:
                answer = await self._link.agent_call(session.session_id, call_id, tool, arguments or {})
            except Unavailable:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except OfficeError as error:
                words = f"{error.detail} ({error.advice})" if error.advice else error.detail
                answer = {"error": words, "code": error.code}
            break
        if "question" in answer:
            question = UUID(answer["question"])
            self._open[question] = (session, event.number)
            self.questions[question] = (session, arguments or {})
            self._asked.set()
        else:
            await self._tell(session, event.number, answer)

    async def _tell(self, session: Session, number: int, answer: dict[str, Any]) -> None:
        try:
            await self._terminals.answer_hook(session.session_id, number, answer)
        except (Conflict, NotFound):
            log.info("an agent no longer waits for its answer", session_id=str(session.session_id))
        except OfficeError as error:
            log.warning("an agent could not be answered", session_id=str(session.session_id), error=error.detail)
