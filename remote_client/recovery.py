"""Goes on where an earlier process of this client was when it ended: sessions that live in their host, turns that run.

The journal says what was held, the hosts what was typed, the office what it was told. Nothing is ever typed again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog

from remote_client.commands import Command, Completion, Hold, lease_clock
from remote_client.executor import Executor
from remote_client.following import Again, TurnStart
from remote_client.journal import Entry, Journal
from remote_client.notes import SessionNote, TurnNote
from remote_client.office_link import OfficeLink
from remote_client.office_records import KeptSession, Registration
from remote_client.pool import Pool
from remote_client.session_maker import SessionMaker
from remote_client.sessions import Session
from remote_client.terminals import TerminalInfo, Terminals
from remote_client.turns import Turns
from shared.errors import BackendDown, Conflict, NotFound, OfficeError, SessionFailed
from shared.ids import CommandId, Epoch, OfficeId, SessionId
from shared.states import SessionStatus

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

ASK_AGAIN_SECONDS = 0.5

_LOST_WORDS = "the client ended between typing this and reporting it, and its terminal is gone; it was not typed again"
_ENDED_WORDS = "client_restarted"


@dataclass(frozen=True)
class _Left:
    """A command that the earlier process held. `typed` None: nobody knows whether it was."""

    entry: Entry
    typed: bool | None
    turn: TurnNote | None
    start: TurnStart | None


class Recovery:
    """`find` comes before registering, `run` after it and before anything is claimed."""

    def __init__(
        self,
        link: OfficeLink,
        terminals: Terminals,
        journal: Journal,
        maker: SessionMaker,
        pool: Pool,
        turns: Turns,
        executor: Executor,
    ) -> None:
        self._link = link
        self._terminals = terminals
        self._journal = journal
        self._maker = maker
        self._pool = pool
        self._turns = turns
        self._executor = executor
        self._epoch = Epoch(0)
        self._asked_at = 0.0
        self._found: dict[SessionId, tuple[SessionNote, TerminalInfo]] = {}

    async def find(self) -> list[SessionId]:
        """The sessions that may go on. Ends terminals of which the journal knows nothing."""
        notes = {note.session_id: note for note in self._journal.sessions()}
        infos = {info.session_id: info for info in await self._terminals.list()}
        for session_id in infos.keys() - notes.keys():
            log.info("a terminal was left behind", session_id=str(session_id), pid=infos[session_id].pid)
            await self._maker.drop(session_id)
        for session_id in notes.keys() - infos.keys():
            self._journal.session_over(session_id)
        self._found = {session_id: (notes[session_id], infos[session_id]) for session_id in notes.keys() & infos.keys()}
        return list(self._found)

    async def run(self, registration: Registration, asked_at: float) -> None:
        """`asked_at`: when the registration was sent, on the lease clock; what is held holds from then on."""
        self._epoch, self._asked_at = registration.epoch, asked_at
        left = {entry.command_id: await self._how_far(entry) for entry in self._journal.entries()}
        kept = {one.session_id: one for one in registration.sessions}
        for session_id in self._found.keys() - kept.keys():
            log.info("the office has ended a session meanwhile", session_id=str(session_id))
            await self._maker.drop(session_id)
        ours = {
            command_id
            for command_id, one in left.items()
            if (command_id, one.entry.attempt) in registration.held or one.entry.state == "finished"
        }
        for one in kept.values():
            await self._take_up(one, left, ours)
        for command_id, one in left.items():
            if command_id in ours:
                await self._go_on(one)
            else:
                self._journal.settled(command_id, one.entry.attempt)

    async def _how_far(self, entry: Entry) -> _Left:
        typing = entry.typing
        if entry.state not in ("typing", "typed") or typing is None:
            return _Left(entry, False, None, None)
        try:
            typed = await self._terminals.settle(typing.session_id, entry.key) is not None
        except NotFound:
            typed = None
        except SessionFailed:  # its host has died: what came of it can only be read
            typed = True if entry.state == "typed" else None
        turn = typing.turn
        if not typed or turn is None or typing.session_id not in self._found:
            return _Left(entry, typed, None, None)
        return _Left(entry, typed, turn, TurnStart(turn.position, turn.last_hook))

    # Sessions ---------------------------------------------------------------------------------------------------------

    async def _take_up(self, kept: KeptSession, left: dict[CommandId, _Left], ours: set[CommandId]) -> None:
        note, info = self._found[kept.session_id]
        running = [one for one in left.values() if one.entry.typing and one.entry.typing.session_id == kept.session_id]
        turn = next((one.start for one in running if one.start is not None), None)
        # The office gave its command up meanwhile: nobody would follow it, and what came after it would wait for ever.
        given_up = any(one.start is not None and one.entry.command_id not in ours for one in running)
        holder = left.get(kept.acquired_by) if kept.acquired_by is not None else None
        untyped = holder is not None and holder.entry.state == "claimed"
        finished = any(one.entry.state == "finished" for one in running)
        unfollowed = kept.status is SessionStatus.EXECUTING and turn is None and not finished
        if kept.status is SessionStatus.CREATING or unfollowed or given_up or (untyped and not kept.goes_back):
            await self._maker.drop(kept.session_id, _ENDED_WORDS)
            return
        try:
            session = await _answered(lambda: self._maker.take_up(note, info, Again(kept.output_end, turn)))
        except OfficeError as error:
            log.warning("a session cannot go on", session_id=str(kept.session_id), error=error.detail)
            await self._maker.drop(kept.session_id, error.detail)
            return
        session.status = SessionStatus.READY if finished or turn is not None else kept.status
        if kept.acquired_by is not None:
            session.held_by = (kept.acquired_by, holder.entry.attempt if holder is not None else kept.attempt)
        self._pool.take_in(session)
        if turn is None:
            session.driver.touch()  # what may stand in its input is nobody's any more
        log.info("a session goes on", session_id=str(kept.session_id), role=note.role, in_turn=turn is not None)
        if kept.goes_back and (holder is None or untyped):
            self._pool.recycle(session)

    # Commands ---------------------------------------------------------------------------------------------------------

    async def _go_on(self, one: _Left) -> None:
        entry = one.entry
        session = self._session_of(one)
        if entry.state == "finished" and entry.completion is not None:
            completion = entry.completion if session is not None else replace(entry.completion, session_status=None)
            self._resume(one, _at_once(completion))
        elif one.turn is not None and one.start is not None and session is not None:
            await self._carry_on(one, one.turn, one.start, session)
        elif one.typed and entry.typing is not None and entry.typing.turn is None:
            self._resume(one, _at_once(Completion(True, {}, typed_at=datetime.now(UTC))))
        else:
            await self._let_go(one)
        log.info("recovered", command_id=str(entry.command_id), was=entry.state, typed=one.typed)

    def _session_of(self, one: _Left) -> Session | None:
        try:
            return self._pool.session(one.entry.typing.session_id) if one.entry.typing is not None else None
        except NotFound:
            return None

    def _resume(self, one: _Left, work: Callable[[Hold], Awaitable[Completion]]) -> None:
        entry, typing = one.entry, one.entry.typing
        named = typing is not None and (typing.turn is None or typing.turn.own_session)
        command = Command(
            entry.command_id, entry.attempt,
            typing.office_id if typing is not None else OfficeId(entry.command_id),  # nobody asks it of a result
            typing.session_id if typing is not None and named else None,
            entry.command_type, {},
        )  # fmt: skip
        self._executor.resume(Hold(command, self._epoch, 0), self._asked_at, work)

    async def _carry_on(
        self,
        one: _Left,
        turn: TurnNote,
        start: TurnStart,
        session: Session,
    ) -> None:
        async def follow(hold: Hold) -> Completion:
            hold.typed_at = datetime.now(UTC) - timedelta(seconds=lease_clock() - turn.began)
            try:
                await start.reached.wait()
                return await self._turns.carry_on(session, hold, turn, start.at, start.taken_up.set)
            finally:
                start.taken_up.set()

        self._resume(one, follow)
        await start.taken_up.wait()  # whoever cancels it meets a turn

    async def _let_go(self, one: _Left) -> None:
        entry = one.entry
        try:
            if one.typed is False:
                await _answered(lambda: self._link.give_back_command(entry.command_id, entry.attempt))
            else:
                await _answered(lambda: self._link.report_lost(entry.command_id, entry.attempt, _LOST_WORDS))
        except Conflict as error:
            log.warning("not ours any more", command_id=str(entry.command_id), error=error.detail)
        self._journal.settled(entry.command_id, entry.attempt)


async def _answered(ask: Callable[[], Awaitable[_T]]) -> _T:
    """What the office says, however long it is away."""
    while True:
        try:
            return await ask()
        except BackendDown as error:
            log.warning("not recovered yet", error=error.detail)
            await asyncio.sleep(ASK_AGAIN_SECONDS)


def _at_once(completion: Completion) -> Callable[[Hold], Awaitable[Completion]]:
    async def work(_hold: Hold) -> Completion:
        return completion

    return work
