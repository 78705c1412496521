"""One agent's terminal as its driver sees it: what comes out of it and what is typed both pass the monitor.

Knows no kind of agent. What was found goes to the driver, one finding after the other; how a turn is waited for and
stopped is here, when one may begin is not.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from remote_client.agents.adapter import Evidence
from remote_client.agents.agent_turn import AgentTurn
from remote_client.agents.pasting import CTRL_C, ESCAPE
from remote_client.agents.permission_requests import PermissionRequests
from remote_client.monitor.findings import Finding
from remote_client.monitor.patterns import PatternTable
from remote_client.monitor.profile import Profile
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.terminals import Chunk, ExitStatus, HookEvent, Terminals
from shared.ids import ByteOffset, SessionId

INTERRUPT_SECONDS = 2.0
INTERRUPT_PATIENCE_SECONDS = 5.0
KILL_GRACE_SECONDS = 1.0
SHOWN_LINES = 3

_KEY_NAMES = {ESCAPE: "escape", CTRL_C: "ctrl-c"}


class WatchedTerminal:
    """`heed` gets every finding. `exit` is set once the program has ended; `requests` are those of its hooks."""

    def __init__(
        self,
        session_id: SessionId,
        terminals: Terminals,
        profile: Profile,
        patterns: PatternTable | None,
        heed: Callable[[Finding], None],
    ) -> None:
        self.session_id = session_id
        self.monitor = TurnMonitor(profile, patterns=patterns)
        self.requests = PermissionRequests(session_id, terminals)
        self.position = ByteOffset(0)
        self.exit: ExitStatus | None = None
        self._terminals = terminals
        self._heed = heed
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._tick: asyncio.TimerHandle | None = None

    # What came ------------------------------------------------------------------------------------------------------

    def feed(self, chunk: Chunk) -> None:
        self.position = chunk.end
        self.take(self.monitor.feed(chunk, self._loop.time()))

    def hear(self, event: HookEvent) -> None:
        self.take(self.monitor.hear(event, self._loop.time()))

    def learn(self, evidence: Evidence) -> None:
        """A fact from outside the terminal."""
        self.take(self.monitor.learned(evidence, self._loop.time()))

    def end(self, exit_status: ExitStatus) -> None:
        self.exit = exit_status
        self.take(self.monitor.exited(exit_status, self._loop.time()))
        self.requests.close()

    def typed_by_hand(self, keys: bytes) -> None:
        self.take(self.monitor.typed(keys, self._loop.time()))

    def carry_on(self, text: str, start: ByteOffset) -> None:
        """A turn runs that was typed before this client started. What is found by that says nothing new."""
        self.monitor.carry_on(text, start, self._loop.time())

    def take(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._heed(finding)
        self._changed.set()
        if self._tick is not None:
            self._tick.cancel()
        deadline = self.monitor.deadline if self.exit is None else None
        self._tick = self._loop.call_at(deadline, self._on_tick) if deadline is not None else None

    def _on_tick(self) -> None:
        self.take(self.monitor.tick(self._loop.time()))

    async def change(self, at_most_seconds: float) -> None:
        """Returns when something came, or after so long."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_seconds):
                await self._changed.wait()

    def shown(self) -> str:
        """The last lines with words on them, in one."""
        lines = [line.strip() for line in self.monitor.screen() if line.strip(" ─╌▔▄▀█")]
        return " / ".join(lines[-SHOWN_LINES:]) or "its screen is empty"

    # What goes in ---------------------------------------------------------------------------------------------------

    async def type(self, keys: bytes, write_key: str | None = None) -> None:
        """`write_key`: no restart of the client ever writes the same again."""
        self.take(self.monitor.typed(keys, self._loop.time()))
        await self._terminals.write(self.session_id, keys, write_key)

    def give_up(self, turn: AgentTurn) -> None:
        """Nothing shows that the prompt was taken: the turn is lost."""
        evidence: Evidence = {"kind": "typed", "confirmed": False, "offset": turn.start, "screen": self.shown()}
        turn.lost(self.position, self._loop.time(), evidence)

    async def until_ended(
        self,
        turn: AgentTurn,
        timeout_seconds: float,
        interrupt: Callable[[str], Awaitable[None]],
        *beside: Coroutine[None, None, None],
    ) -> Finding:
        """What ended the turn. A time-out interrupts it; `beside` is done meanwhile, and no longer."""
        tasks = {asyncio.create_task(one) for one in beside}
        try:
            return await asyncio.wait_for(asyncio.shield(turn.ended), timeout_seconds)
        except TimeoutError:
            turn.interrupted_by = {"kind": "timeout", "after_s": timeout_seconds}
            await interrupt("timeout")
            return await turn.ended
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def stop(self, turn: AgentTurn, keys: Sequence[bytes], reason: str) -> None:
        """Presses the keys, one after the other, until the turn has ended; in the end it ends the whole tree."""
        pressed: list[str] = []
        for number, key in enumerate(keys):
            pressed.append(_KEY_NAMES[key])
            if turn.interrupted_by is None or turn.interrupted_by["kind"] == "signal":
                turn.interrupted_by = {"kind": "signal", "keys": " ".join(pressed), "reason": reason}
            await self.type(key)
            last = number == len(keys) - 1
            await asyncio.wait({turn.ended}, timeout=INTERRUPT_PATIENCE_SECONDS if last else INTERRUPT_SECONDS)
            if turn.ended.done():
                return
        await self._terminals.kill(self.session_id, KILL_GRACE_SECONDS)
        await asyncio.wait({turn.ended})
