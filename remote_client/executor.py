"""Runs claimed commands: in order per session and lane, each in a task of its own, each with its lease kept.

What a command does is in `handlers`; how its result gets to the office in `outbox`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from remote_client.commands import Command, Completion, Hold, lease_clock
from remote_client.handlers import Handlers
from remote_client.journal import Journal
from remote_client.leases import Leases
from remote_client.ledger import Ledger
from remote_client.office_link import OfficeLink
from remote_client.office_records import Happening
from remote_client.outbox import Outbox
from remote_client.uplink import Uplink
from shared.errors import Conflict, Fenced, NoRoom, OfficeError, Unavailable
from shared.ids import CommandId, SessionId
from shared.states import CommandType

log = structlog.get_logger(__name__)

_WORK = frozenset(
    {CommandType.CREATE_SESSION, CommandType.SEND_PROMPT, CommandType.RELEASE_SESSION, CommandType.CHECK_WORK}
)

GIVE_BACK_AGAIN_SECONDS = 1.0

Lane = tuple[SessionId, bool]
Work = Callable[[Hold], Awaitable[Completion]]


class Executor:
    """`on_let_go` is called with each command that ended here without an answer that the office took."""

    def __init__(
        self,
        link: OfficeLink,
        handlers: Handlers,
        journal: Journal,
        leases: Leases,
        outbox: Outbox,
        uplink: Uplink,
        lease_seconds: int,
        on_let_go: Callable[[CommandId], None],
        ledger: Ledger,
    ) -> None:
        self._link = link
        self._handlers = handlers
        self._journal = journal
        self._leases = leases
        self._outbox = outbox
        self._uplink = uplink
        self._lease_seconds = lease_seconds
        self._on_let_go = on_let_go
        self._ledger = ledger
        self._lanes: defaultdict[Lane, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._running: dict[asyncio.Task[None], Hold] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._stopping = False

    def submit(self, commands: list[Command], asked_at: float) -> None:
        """Takes over what was claimed by a request sent at `asked_at` on the lease clock. Returns at once."""
        self._journal.claimed(commands)
        for command in commands:
            hold = Hold(command, self._link.epoch, 0)
            self._begin(hold, asked_at, self._handlers.run)

    def resume(self, hold: Hold, asked_at: float, work: Work) -> None:
        """Goes on with what an earlier process of this client had begun, as `work` says. Returns at once."""
        self._begin(hold, asked_at, work)

    def _begin(self, hold: Hold, asked_at: float, work: Work) -> None:
        hold.renew(asked_at, self._lease_seconds)
        command = hold.command
        self._ledger.begins(command)
        task = asyncio.create_task(self._run(hold, work), name=f"{command.command_type} {command.command_id}")
        self._running[task] = hold
        task.add_done_callback(self._finished)
        self._leases.keep(hold, lambda: self._lease_gone(hold, task))

    def _lease_gone(self, hold: Hold, task: asyncio.Task[None]) -> None:
        if hold.command.command_type is CommandType.SEND_PROMPT and not hold.is_untouched:
            ending = asyncio.create_task(self._end_turn(hold))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        else:
            task.cancel()

    async def _end_turn(self, hold: Hold) -> None:
        """The turn comes to its end, and with it the task that follows it, whose result the office will not take."""
        self._tell_lease_lost(hold)
        await self._handlers.interrupt(hold.command, "lease_lost")

    def _tell_lease_lost(self, hold: Hold) -> None:
        command = hold.command
        detail = {"attempt": command.attempt, "typed": not hold.is_untouched}
        self._uplink.event(
            Happening(
                command.office_id, "lease_lost", detail, datetime.now(UTC), command.session_id, command.command_id
            )
        )

    def _finished(self, task: asyncio.Task[None]) -> None:
        hold = self._running.pop(task)
        self._ledger.let_go(hold.command)
        if hold.gone or not hold.delivered.is_set():
            self._on_let_go(hold.command.command_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a command broke its task", exc_info=error)

    async def _run(self, hold: Hold, work: Work) -> None:
        command = hold.command
        try:
            if command.session_id is None:
                completion = await self._outcome(hold, work)
            else:
                lane = (command.session_id, command.command_type in _WORK)
                async with self._lanes[lane]:
                    completion = await self._outcome(hold, work)
        except asyncio.CancelledError:
            await self._cancelled(hold)
            raise
        if completion is None:
            self._journal.settled(command.command_id, command.attempt)
            self._leases.drop(hold)
        else:
            completion = replace(completion, finished_at=completion.finished_at or datetime.now(UTC))
            self._journal.finished(command, completion)
            self._ledger.finished(command, completion)
            self._leases.finished(hold)
            self._outbox.put(hold, completion)
            await hold.delivered.wait()
        if not self._stopping:
            await self._handlers.after_delivery(hold, completion)

    async def _outcome(self, hold: Hold, work: Work) -> Completion | None:
        """None when the command is no longer ours to answer."""
        try:
            hold.check()
            return await work(hold)
        except Fenced as error:
            log.warning("not done", command_id=str(hold.command.command_id), error=error.detail)
            if hold.is_untouched and not hold.gone:
                await self._give_back(hold, error)  # it may still be ours: the office knows, as soon as it answers
            return None
        except NoRoom as error:
            await self._give_back(hold, error)
            return None
        except OfficeError as error:
            retry = "not_made" if isinstance(error, Unavailable) and hold.is_untouched else None
            return Completion(False, None, error.code, _sentence(error), typed_at=hold.typed_at, retry=retry)
        except Exception as error:
            log.exception("a handler failed", command_id=str(hold.command.command_id))
            return Completion(False, None, "internal", f"{type(error).__name__} in the client", typed_at=hold.typed_at)

    async def _give_back(self, hold: Hold, reason: OfficeError) -> None:
        """Nothing was typed: another client may take it, or this one again."""
        command = hold.command
        detail = {"attempt": command.attempt, "reason": reason.detail}
        self._uplink.event(
            Happening(command.office_id, "given_back", detail, datetime.now(UTC), command_id=command.command_id)
        )
        while True:
            try:
                await self._link.give_back_command(command.command_id, command.attempt)
                return
            except Unavailable as error:
                log.warning("not given back yet", command_id=str(command.command_id), error=error.detail)
            except Conflict as error:
                log.warning("not given back", command_id=str(command.command_id), error=error.detail)
                return
            await asyncio.sleep(GIVE_BACK_AGAIN_SECONDS)

    async def _cancelled(self, hold: Hold) -> None:
        """Our lease is gone, or the client stops."""
        command = hold.command
        self._leases.drop(hold)
        if hold.is_untouched and not hold.gone:
            try:
                await self._link.give_back_command(command.command_id, command.attempt)
            except Unavailable:
                return  # the journal knows: it is given back at the next start, or rescued
            except OfficeError as error:
                log.warning("not given back", command_id=str(command.command_id), error=error.detail)
            self._journal.settled(command.command_id, command.attempt)
        elif hold.gone:
            self._uplink.forget_step(command.command_id)
            self._tell_lease_lost(hold)
            await self._handlers.after_delivery(hold, None)
            self._journal.settled(command.command_id, command.attempt)

    def give_back_untyped(self) -> None:
        """Whatever was not typed yet, somebody else may do."""
        for task, hold in self._running.items():
            if hold.is_untouched and not hold.delivered.is_set():
                task.cancel()

    async def leave(self, seconds: float) -> None:
        """Gives back what was not typed; lets what runs go on, for a later process of this client to follow."""
        self._stopping = True
        running = list(self._running.items())
        for task in (*(task for task, _ in running), *self._ending):
            task.cancel()
        if running:
            await asyncio.wait([task for task, _ in running], timeout=seconds)

    async def stop(self, seconds: float) -> None:
        """Gives back what was not typed, interrupts what runs, and waits for both to be told, `seconds` at most."""
        self._stopping = True
        deadline = lease_clock() + seconds
        for task, hold in list(self._running.items()):
            if hold.is_untouched:
                task.cancel()
        interrupts = [
            asyncio.create_task(self._handlers.interrupt(hold.command, "client_stopping"))
            for hold in list(self._running.values())
            if not hold.is_untouched and not hold.delivered.is_set()
        ]
        waiting = {*self._running, *self._ending, *interrupts}
        if waiting:
            await asyncio.wait(waiting, timeout=max(0.1, deadline - lease_clock()))
        for task in waiting:
            task.cancel()


def _sentence(error: OfficeError) -> str:
    return f"{error.detail} ({error.advice})" if error.advice else error.detail
