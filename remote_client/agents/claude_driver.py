"""Drives one Claude Code in its terminal: types, confirms, interrupts, answers; the monitor says how a turn ends.

What its hooks and its transcript look like is in `claude_hooks` and `claude_transcript`.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from remote_client.agents.adapter import Evidence, TurnEnd, Typing
from remote_client.agents.claude_cost import CostMeter
from remote_client.agents.claude_dialogs import TRUST, dialog_on, last_shown, step_to_trust
from remote_client.agents.claude_hooks import COST, OF_TURNS
from remote_client.agents.claude_prompt import as_prompt
from remote_client.agents.claude_transcript import Transcript
from remote_client.agents.claude_turn import ClaudeTurn
from remote_client.agents.pasting import CLEAR_LINE, CTRL_C, ENTER, ESCAPE, paste
from remote_client.agents.permission_requests import PermissionRequests
from remote_client.monitor.findings import Finding, FindingKind
from remote_client.monitor.profile import load_profile
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.terminals import Chunk, ExitStatus, HookEvent, Terminals
from shared.errors import Conflict, NotFound, SessionFailed
from shared.ids import ByteOffset, SessionId
from shared.states import TurnOutcome

LOOK_SECONDS = 0.3
SETTLES_SECONDS = 1.5
STOPPED_SETTLES_SECONDS = 0.7
PASTE_SETTLES_SECONDS = 0.1
KEY_SETTLES_SECONDS = 0.3
CLEARS = 20
CONFIRM_SECONDS = 0.5
ENTERS = 40
CARRY_ON_SECONDS = 2.0
INTERRUPT_SECONDS = 2.0
INTERRUPT_PATIENCE_SECONDS = 5.0
KILL_GRACE_SECONDS = 1.0

_SAYS = {TurnOutcome.ERROR: "error", TurnOutcome.INTERRUPTED: "interrupted"}


class ClaudeDriver:
    """`fresh`: the conversation begins here. `trusted`: the policy lets it say that it trusts `folder`."""

    def __init__(self, session_id: SessionId, terminals: Terminals, folder: str, *, fresh: bool, trusted: bool) -> None:
        self._session_id = session_id
        self._terminals = terminals
        self._folder = folder
        self._trusted = trusted
        self._loop = asyncio.get_running_loop()
        self._monitor = TurnMonitor(load_profile("claude"))
        self._position = ByteOffset(0)
        self._cost = CostMeter(fresh)
        self._transcript: Transcript | None = None
        self._requests = PermissionRequests(session_id, terminals)
        self._turn: ClaudeTurn | None = None
        self._started = False
        self._unclean = False  # something that is not ours may stand in its input
        self._lines_typed = 0
        self._exit: ExitStatus | None = None
        self._changed = asyncio.Event()
        self._tick: asyncio.TimerHandle | None = None

    # What came ------------------------------------------------------------------------------------------------------

    @property
    def position(self) -> ByteOffset:
        return self._position

    def feed(self, chunk: Chunk) -> None:
        self._position = chunk.end
        self._take(self._monitor.feed(chunk, self._loop.time()))

    def hear(self, event: HookEvent) -> None:
        self._know(event.body)
        if event.name == COST:
            self._cost.hear(event)
            return
        if event.name == "SessionStart":
            self._started = True
            self._cost.session_begins(event)
        elif event.waits:
            self._requests.add(event.number)
        if self._turn is not None and event.at >= self._turn.start and event.name in OF_TURNS:
            self._turn.confirm()
        self._take(self._monitor.hear(event, self._loop.time()))

    def _know(self, body: dict[str, Any]) -> None:
        session, path = body.get("session_id"), body.get("transcript_path")
        known = self._transcript.session_id if self._transcript is not None else None
        if isinstance(session, str) and isinstance(path, str) and path and session != known:
            self._transcript = Transcript(session, Path(path), in_turn=self._turn is not None)

    def end(self, exit_status: ExitStatus) -> None:
        self._exit = exit_status
        self._take(self._monitor.exited(exit_status, self._loop.time()))
        self._requests.close()

    def touch(self, keys: bytes = b"") -> None:
        if not self._requests:  # else the keys are for its dialog
            self._unclean = True
        self._take(self._monitor.typed(keys, self._loop.time()))

    def _take(self, findings: list[Finding]) -> None:
        for finding in findings:
            if finding.kind is FindingKind.TURN_ENDED:
                self._cost.turn_is_over()
            if self._turn is not None:
                self._turn.take(finding)
        self._changed.set()
        if self._tick is not None:
            self._tick.cancel()
        deadline = self._monitor.deadline if self._exit is None else None
        self._tick = self._loop.call_at(deadline, self._on_tick) if deadline is not None else None

    def _on_tick(self) -> None:
        self._take(self._monitor.tick(self._loop.time()))

    # Getting ready --------------------------------------------------------------------------------------------------

    @property
    def _is_ready(self) -> bool:
        return self._monitor.ready or (self._started and not self._monitor.turn_runs)

    async def until_ready(self, timeout_seconds: float) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self._is_ready:
                    if self._exit is not None:
                        raise SessionFailed(f"claude {self._exit}: {self._shown()}")
                    await self._answer_dialog()
                    await self._change(LOOK_SECONDS)
        except TimeoutError:
            raise SessionFailed(f"claude takes no prompt after {timeout_seconds:g} s: {self._shown()}") from None
        if self._exit is not None:
            raise SessionFailed(f"claude {self._exit}: {self._shown()}")
        if self._unclean:
            await self._clear_input()

    async def _change(self, at_most_seconds: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(at_most_seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _answer_dialog(self) -> None:
        """
        Raises:
            SessionFailed: it asks what only a person may answer.
        """
        screen = self._monitor.screen()
        dialog = dialog_on(screen)
        if dialog is None:
            return
        key = step_to_trust(screen) if dialog is TRUST and self._trusted else None
        if key is None:
            raise SessionFailed(f"claude asks {dialog.name} before it takes a prompt", advice=dialog.advice)
        await self._type(key)

    def _shown(self) -> str:
        return last_shown(self._monitor.screen())

    async def _clear_input(self) -> None:
        """Escape closes a menu that was left open. Clearing is pressed more often than there are lines: it does nothing
        to an empty input, while a second Escape or Ctrl-C would."""
        await self._type(ESCAPE)
        await asyncio.sleep(KEY_SETTLES_SECONDS)
        await self._type(CLEAR_LINE * (2 * self._lines_typed + CLEARS))
        await asyncio.sleep(KEY_SETTLES_SECONDS)
        self._unclean = False

    async def _type(self, data: bytes, key: str | None = None) -> None:
        self._take(self._monitor.typed(data, self._loop.time()))
        await self._terminals.write(self._session_id, data, key)

    # A turn ---------------------------------------------------------------------------------------------------------

    async def run_prompt(self, text: str, timeout_seconds: float, typing: Typing) -> TurnEnd:
        if self._turn is not None:
            raise Conflict(f"session {self._session_id} is in a turn already")
        if not self._is_ready or self._unclean or self._exit is not None:
            await self.until_ready(INTERRUPT_PATIENCE_SECONDS)
        typing.before()
        start = self._position
        turn = self._begin(start, typing)
        try:
            await self._type(paste(as_prompt(text)), typing.key)
            typing.after(start)
            return await self._until_ended(turn, timeout_seconds)
        finally:
            self._turn = None

    async def carry_on(self, text: str, timeout_seconds: float, start: ByteOffset, typing: Typing) -> TurnEnd:
        self._transcript = None  # learned again, with the place where the turn began
        turn = self._begin(start, typing)
        try:
            typing.after(start)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CARRY_ON_SECONDS):
                    await turn.confirmed.wait()
            if not turn.confirmed.is_set() and not self._monitor.ready:
                turn.confirm()  # what told of it is no longer kept; only where a prompt stands unsent, Enter is pressed
                self._monitor.carry_on(text, start, self._loop.time())
            return await self._until_ended(turn, timeout_seconds)
        finally:
            self._turn = None

    def _begin(self, start: ByteOffset, typing: Typing) -> ClaudeTurn:
        self._cost.begin_turn(start)
        if self._transcript is not None:
            self._transcript.begin_turn()
        self._turn = ClaudeTurn(start, typing)
        return self._turn

    async def _confirm(self, turn: ClaudeTurn) -> None:
        with contextlib.suppress(NotFound, SessionFailed):  # it has ended, and the turn with it
            await self._press_enter(turn)

    async def _press_enter(self, turn: ClaudeTurn) -> None:
        """Presses Enter until the agent has taken the prompt: while it starts, it may leave a text standing.

        Never types the text again. An Enter too many meets an empty input, since the agent waits for its own hook.
        """
        await asyncio.sleep(PASTE_SETTLES_SECONDS)
        for _ in range(ENTERS):
            if turn.ended.done() or turn.confirmed.is_set():
                return
            await self._type(ENTER)
            try:
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await turn.confirmed.wait()
                    return
            except TimeoutError:
                pass
        self._unclean = True
        evidence: Evidence = {"kind": "typed", "confirmed": False, "offset": turn.start, "screen": self._shown()}
        turn.lost(self._position, self._loop.time(), evidence)

    async def _until_ended(self, turn: ClaudeTurn, timeout_seconds: float) -> TurnEnd:
        beside = {asyncio.create_task(self._confirm(turn)), asyncio.create_task(self._read_transcript(turn))}
        try:
            try:
                finding = await asyncio.wait_for(asyncio.shield(turn.ended), timeout_seconds)
            except TimeoutError:
                turn.interrupted_by = {"kind": "timeout", "after_s": timeout_seconds}
                await self.interrupt("timeout")
                finding = await turn.ended
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
        return await self._verdict(turn, finding)

    async def _read_transcript(self, turn: ClaudeTurn) -> None:
        """A person's Escape is in no hook: only the transcript tells it."""
        while not turn.ended.done():
            await asyncio.sleep(LOOK_SECONDS)
            if self._transcript is not None:
                for told in await self._transcript.news():
                    self._take(self._monitor.learned(told, self._loop.time()))

    async def _verdict(self, turn: ClaudeTurn, finding: Finding) -> TurnEnd:
        self._requests.release()  # they were answered by keys, or are moot
        outcome = turn.outcome(finding)
        stopped = outcome in (TurnOutcome.INTERRUPTED, TurnOutcome.LOST)
        if stopped:
            self._unclean = True  # a prompt that was not answered yet is put back into the input
        cost, counted = None, list[Evidence]()
        if self._exit is None:
            cost, counted = await self._cost.of_turn(STOPPED_SETTLES_SECONDS if stopped else SETTLES_SECONDS)
        written = await self._transcript.evidence(_SAYS.get(outcome)) if self._transcript is not None else []
        known = [*([turn.interrupted_by] if turn.interrupted_by else []), *finding.evidence, *counted]
        evidence = known + [one for one in written if one not in known]
        return TurnEnd(
            outcome, bool(finding.marker), evidence, finding.at, self._exit is None, turn.pull_requests, cost
        )

    # Stopping and answering -----------------------------------------------------------------------------------------

    async def interrupt(self, reason: str) -> None:
        """Escape, then one Ctrl-C (a second one would end an idle agent), then the end of the whole tree."""
        turn = self._turn
        if turn is None or turn.ended.done():
            return
        if turn.interrupted_by is None:
            turn.interrupted_by = {"kind": "signal", "keys": "escape", "reason": reason}
        for keys, seconds in ((ESCAPE, INTERRUPT_SECONDS), (CTRL_C, INTERRUPT_PATIENCE_SECONDS)):
            await self._type(keys)
            await asyncio.wait({turn.ended}, timeout=seconds)
            if turn.ended.done():
                return
        await self._terminals.kill(self._session_id, KILL_GRACE_SECONDS)
        await asyncio.wait({turn.ended})

    async def answer(self, number: int, allow: bool, message: str = "") -> None:
        """Allows or forbids the one action that permission request `number` asked for.

        Raises:
            Conflict: it waits no longer.
        """
        await self._requests.answer(number, allow, message)
