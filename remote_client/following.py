"""The one reader of each terminal: the agent's driver sees every byte first, then it goes to the office.

A terminal that an earlier process of this client began is read again from the first byte that is kept.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from remote_client.agent_tools.tools import CALL_EVENT
from remote_client.redaction import LONGEST_BYTES
from remote_client.sessions import Session
from remote_client.terminals import TOUCHED, UNSEEN_EXIT, Chunk, HookEvent, Terminals
from remote_client.touches import note_touch
from remote_client.uplink import Uplink
from shared.errors import SessionFailed
from shared.ids import ByteOffset

log = structlog.get_logger(__name__)


@dataclass
class TurnStart:
    """Where a turn began: reading pauses there until somebody follows the turn."""

    at: ByteOffset
    last_hook: int
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    taken_up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Again:
    """How a terminal is read again. `told`: up to where the office has its output; `turn`: one that goes on."""

    told: ByteOffset
    turn: TurnStart | None = None


class Following:
    """`on_death` is told of an agent that ended by itself, and how; `on_call` of what agents call from inside."""

    def __init__(
        self,
        terminals: Terminals,
        uplink: Uplink,
        on_death: Callable[[Session, str], None],
        on_call: Callable[[Session, HookEvent], None],
    ) -> None:
        self._terminals = terminals
        self._uplink = uplink
        self._on_death = on_death
        self._on_call = on_call

    async def follow(self, session: Session, offset: ByteOffset, again: Again | None = None) -> None:
        """Returns when the terminal has ended and its driver knows."""
        again = again or Again(offset)
        driver, terminal = session.driver, session.session_id
        try:
            await self._read(session, offset, again)
            exit_status = await self._terminals.wait(terminal)
        except SessionFailed as error:
            log.error("terminal lost", session_id=str(terminal), error=error.detail)
            exit_status = UNSEEN_EXIT
        if again.turn is not None and not again.turn.reached.is_set():
            again.turn.reached.set()
            await again.turn.taken_up.wait()
        driver.end(exit_status)
        if not session.ending:
            session.ending = True
            self._on_death(session, str(exit_status))

    async def _read(self, session: Session, offset: ByteOffset, again: Again) -> None:
        await _pause(session, offset, again)
        async for found in self._terminals.follow(session.session_id, offset):
            if isinstance(found, HookEvent):
                self._hear(session, found, again)
                session.last_hook = found.number
                await _pause(session, offset, again)
                continue
            for part in _split(found, again.turn.at) if again.turn is not None else [found]:
                session.driver.feed(part)
                for new in _split(part, again.told):
                    if new.end <= again.told:
                        if new.end > again.told - LONGEST_BYTES:
                            self._uplink.output_before(session.office_id, session.session_id, new)
                    elif new.start >= again.told:
                        self._uplink.output(session.office_id, session.session_id, new)
                offset = part.end
                await _pause(session, offset, again)

    def _hear(self, session: Session, event: HookEvent, again: Again) -> None:
        if event.name == CALL_EVENT:
            self._on_call(session, event)
            return
        if event.name != TOUCHED:
            session.driver.hear(event)
            return
        session.driver.touch(str(event.body["keys"]).encode())
        if event.at >= min(again.told, again.turn.at if again.turn is not None else again.told):
            note_touch(
                self._uplink, session.touches, session.office_id, session.session_id, str(event.body["by"]), event.at
            )


async def _pause(session: Session, offset: ByteOffset, again: Again) -> None:
    """Stands still where a turn begins, once."""
    turn = again.turn
    if turn is None or turn.reached.is_set() or offset < turn.at or session.last_hook < turn.last_hook:
        return
    turn.reached.set()
    await turn.taken_up.wait()


def _split(chunk: Chunk, at: ByteOffset) -> list[Chunk]:
    if not chunk.start < at < chunk.end:
        return [chunk]
    cut = at - chunk.start
    return [Chunk(chunk.start, chunk.data[:cut]), Chunk(at, chunk.data[cut:])]
