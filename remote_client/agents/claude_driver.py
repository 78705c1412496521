"""Drives one Claude Code in its terminal: types, confirms, interrupts, answers; the monitor says how a turn ends.

What its hooks and its transcript look like is in `claude_hooks` and `claude_transcript`.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from remote_client.agents.adapter import Evidence, TurnEnd, Typing
from remote_client.agents.agent_turn import AgentTurn
from remote_client.agents.claude_cost import CostMeter
from remote_client.agents.claude_dialogs import TRUST, dialog_on, options_on, step_to_trust
from remote_client.agents.claude_hooks import COST, OF_TURNS, PROMPT_TAKEN
from remote_client.agents.claude_input import as_own_words, other_words
from remote_client.agents.claude_transcript import Transcript
from remote_client.agents.pasting import CLEAR_LINE, CTRL_C, ENTER, ESCAPE
from remote_client.agents.prompt_text import as_prompt
from remote_client.agents.watched_terminal import WatchedTerminal
from remote_client.monitor.findings import Finding, FindingKind
from remote_client.monitor.patterns import PatternTable
from remote_client.monitor.profile import load_profile
from remote_client.terminals import HOOK_OVER, Chunk, ExitStatus, HookEvent, Terminals
from shared.errors import Conflict, NotFound, SessionFailed
from shared.ids import ByteOffset, SessionId
from shared.states import TurnOutcome

LOOK_SECONDS = 0.3
SETTLES_SECONDS = 1.5
STOPPED_SETTLES_SECONDS = 0.7
TELLING_SETTLES_SECONDS = 6.0  # of an agent whose status line is known to come: on a slow machine it comes late
PASTE_SETTLES_SECONDS = 0.1
SEEN_CHARACTERS = 40
ANSWER_AGAIN_SECONDS = 5.0
KEY_SETTLES_SECONDS = 0.3
CLEARS = 20
CONFIRM_SECONDS = 0.5
ENTERS = 40
CARRY_ON_SECONDS = 2.0
READY_AGAIN_SECONDS = 5.0

_SAYS = {TurnOutcome.ERROR: "error", TurnOutcome.INTERRUPTED: "interrupted"}


class ClaudeDriver:
    """`fresh`: the conversation begins here. `trusted`: the policy lets it say that it trusts its folder."""

    def __init__(
        self, session_id: SessionId, terminals: Terminals, patterns: PatternTable | None, *, fresh: bool, trusted: bool
    ) -> None:
        self._trusted = trusted
        self._terminal = WatchedTerminal(session_id, terminals, load_profile("claude"), patterns, self._heed)
        self._monitor = self._terminal.monitor
        self._cost = CostMeter(fresh)
        self._transcript: Transcript | None = None
        self._answered: tuple[str, ...] = ()
        self._answered_at = 0.0
        self._turn: AgentTurn | None = None
        self._started = False
        self._unclean = False  # something that is not ours may stand in its input
        self._typed = ""
        self._heard = False

    # What came ------------------------------------------------------------------------------------------------------

    @property
    def position(self) -> ByteOffset:
        return self._terminal.position

    def feed(self, chunk: Chunk) -> None:
        self._terminal.feed(chunk)

    def hear(self, event: HookEvent) -> None:
        self._know(event.body)
        if event.name == COST:
            self._cost.hear(event)
            return
        if self._turn is not None:
            self._turn.hear(event)
        if event.name == HOOK_OVER:
            self._terminal.requests.discard(int(event.body["number"]))
            return
        if event.name == "SessionStart":
            self._started = True
            self._cost.session_begins(event)
        elif event.waits:
            self._terminal.requests.add(event.number)
        if self._turn is not None and event.at >= self._turn.start and event.name in OF_TURNS:
            if event.name == PROMPT_TAKEN and not self._heard:  # what follows in the same turn is somebody else's
                self._heard = True
                self._turn.other_words = other_words(self._typed, event)
            self._turn.confirm()
        self._terminal.hear(event)

    def _know(self, body: dict[str, Any]) -> None:
        session, path = body.get("session_id"), body.get("transcript_path")
        known = self._transcript.session_id if self._transcript is not None else None
        if isinstance(session, str) and isinstance(path, str) and path and session != known:
            self._transcript = Transcript(session, Path(path), in_turn=self._turn is not None)

    def end(self, exit_status: ExitStatus) -> None:
        self._terminal.end(exit_status)

    def touch(self, keys: bytes = b"") -> None:
        self._unclean = True  # also amid a dialog, which takes what comes before and after it for a prompt
        self._terminal.requests.touched()
        self._terminal.typed_by_hand(keys)

    def _heed(self, finding: Finding) -> None:
        if finding.kind is FindingKind.TURN_ENDED:
            self._cost.turn_is_over()
        elif finding.kind is FindingKind.GOES_ON:
            self._terminal.requests.agent_goes_on()
        if self._turn is not None:
            self._turn.take(finding)

    # Getting ready --------------------------------------------------------------------------------------------------

    @property
    def _is_ready(self) -> bool:
        return self._monitor.ready or (self._started and not self._monitor.turn_runs)

    async def until_ready(self, timeout_seconds: float) -> None:
        terminal = self._terminal
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self._is_ready and terminal.exit is None:
                    await self._answer_dialog()
                    await terminal.change(LOOK_SECONDS)
        except TimeoutError:
            raise SessionFailed(f"claude takes no prompt after {timeout_seconds:g} s: {terminal.shown()}") from None
        if terminal.exit is not None:
            raise SessionFailed(f"claude {terminal.exit}: {terminal.shown()}")
        if self._unclean:
            await self._clear_input()

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
        # One key for each choice that is seen: a slow agent would take all that was pressed, and choose another.
        now, options = asyncio.get_running_loop().time(), options_on(screen)
        if options != self._answered or now - self._answered_at > ANSWER_AGAIN_SECONDS:
            self._answered, self._answered_at = options, now
            await self._terminal.type(key)

    async def _clear_input(self) -> None:
        """Escape closes a menu that was left open. Clearing is pressed more often than there are lines: it does nothing
        to an empty input, while a second Escape or Ctrl-C would."""
        await self._terminal.type(ESCAPE)
        await asyncio.sleep(KEY_SETTLES_SECONDS)
        await self._terminal.type(CLEAR_LINE * (2 * self._typed.count("\n") + CLEARS))
        await asyncio.sleep(KEY_SETTLES_SECONDS)
        self._unclean = False

    # A turn ---------------------------------------------------------------------------------------------------------

    async def run_prompt(self, text: str, timeout_seconds: float, typing: Typing) -> TurnEnd:
        if self._turn is not None:
            raise Conflict(f"session {self._terminal.session_id} is in a turn already")
        if not self._is_ready or self._unclean or self._terminal.exit is not None:
            await self.until_ready(READY_AGAIN_SECONDS)
        typing.before()
        start = self.position
        turn = self._begin(text, start, typing)
        try:
            await self._terminal.type(as_own_words(self._typed), typing.key)
            typing.after(start)
            return await self._until_ended(turn, text, timeout_seconds)
        finally:
            self._turn = None

    async def carry_on(self, text: str, timeout_seconds: float, start: ByteOffset, typing: Typing) -> TurnEnd:
        self._transcript = None  # learned again, with the place where the turn began
        turn = self._begin(text, start, typing)
        try:
            typing.after(start)
            if not await turn.confirmed_within(CARRY_ON_SECONDS) and not self._monitor.ready:
                turn.confirm()  # what told of it is no longer kept; only where a prompt stands unsent, Enter is pressed
                self._terminal.carry_on(text, start)
            return await self._until_ended(turn, text, timeout_seconds)
        finally:
            self._turn = None

    def _begin(self, text: str, start: ByteOffset, typing: Typing) -> AgentTurn:
        self._typed, self._heard = as_prompt(text), False
        self._cost.begin_turn(start)
        if self._transcript is not None:
            self._transcript.begin_turn()
        self._turn = AgentTurn(start, typing)
        return self._turn

    async def _press_enter(self, turn: AgentTurn, text: str) -> None:
        """Presses Enter until the agent has taken the prompt: while it starts, it may leave a text standing.

        Never types the text again. An Enter too many meets an empty input, since the agent waits for its own hook.
        """
        await self._until_pasted(turn, text)
        if turn.taken:
            return
        with contextlib.suppress(NotFound, SessionFailed):  # it has ended, and the turn with it
            for _ in range(ENTERS):
                await self._terminal.type(ENTER)
                if await turn.confirmed_within(CONFIRM_SECONDS):
                    return
            self._unclean = True
            self._terminal.give_up(turn)

    async def _until_pasted(self, turn: AgentTurn, text: str) -> None:
        """Until the text's end stands on the screen, or has had its time: not every text is shown.

        An Enter that is read together with a long paste sends nothing.
        """
        seen = "".join(text.split())[-SEEN_CHARACTERS:]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PASTE_SETTLES_SECONDS):
                while not turn.taken:
                    if self.position > turn.start and seen in "".join("".join(self._monitor.screen()).split()):
                        return
                    await self._terminal.change(PASTE_SETTLES_SECONDS)

    async def _until_ended(self, turn: AgentTurn, text: str, timeout_seconds: float) -> TurnEnd:
        beside = self._press_enter(turn, text), self._read_transcript(turn)
        finding = await self._terminal.until_ended(turn, timeout_seconds, self.interrupt, *beside)
        return await self._verdict(turn, finding)

    async def _read_transcript(self, turn: AgentTurn) -> None:
        """A person's Escape is in no hook: only the transcript tells it."""
        while not turn.ended.done():
            await asyncio.sleep(LOOK_SECONDS)
            if self._transcript is not None:
                for told in await self._transcript.news():
                    self._terminal.learn(told)
                self._tell_tools(turn, self._transcript)

    def _tell_tools(self, turn: AgentTurn, transcript: Transcript) -> None:
        while transcript.tools:
            turn.uses(transcript.tools.popleft())

    async def _verdict(self, turn: AgentTurn, finding: Finding) -> TurnEnd:
        self._terminal.requests.release()  # they were answered by keys, or are moot
        outcome = turn.outcome(finding)
        stopped = outcome in (TurnOutcome.INTERRUPTED, TurnOutcome.LOST)
        if stopped:
            self._unclean = True  # a prompt that was not answered yet is put back into the input
        cost, counted = None, list[Evidence]()
        alive = self._terminal.exit is None
        if alive:
            comes = self._cost.is_told and outcome is TurnOutcome.DONE
            patience = TELLING_SETTLES_SECONDS if comes else STOPPED_SETTLES_SECONDS if stopped else SETTLES_SECONDS
            cost, counted = await self._cost.of_turn(patience)
        written: list[Evidence] = []
        if self._transcript is not None:
            written = await self._transcript.evidence(_SAYS.get(outcome))
            self._tell_tools(turn, self._transcript)
        first = [one for one in (turn.other_words, turn.interrupted_by) if one is not None]
        known = [*first, *finding.evidence, *counted]
        evidence = known + [one for one in written if one not in known]
        return TurnEnd(outcome, bool(finding.marker), evidence, finding.at, alive, turn.pull_requests, cost)

    # Stopping and answering -----------------------------------------------------------------------------------------

    async def interrupt(self, reason: str) -> None:
        """Escape, then one Ctrl-C (a second one would end an idle agent), then the end of the whole tree."""
        if self._turn is not None and not self._turn.ended.done():
            await self._terminal.stop(self._turn, (ESCAPE, CTRL_C), reason)

    async def answer(self, number: int, allow: bool, message: str = "") -> None:
        await self._terminal.requests.answer(number, allow, message)
