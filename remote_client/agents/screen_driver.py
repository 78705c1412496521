"""Drives one agent by its screen and title, and by signals of its own where it has some.

Knows no kind of agent: what is particular is a `Manner`. The monitor alone says how a turn ends.
"""

import asyncio
import contextlib
from pathlib import Path

from remote_client.agents.adapter import Evidence, TurnEnd, Typing
from remote_client.agents.agent_turn import AgentTurn
from remote_client.agents.pasting import ENTER, paste
from remote_client.agents.prompt_text import as_prompt
from remote_client.agents.screen_doubt import Doubt, without_painted_markers
from remote_client.agents.screen_manner import Manner
from remote_client.agents.watched_terminal import WatchedTerminal
from remote_client.monitor.findings import Finding, FindingKind
from remote_client.monitor.patterns import PatternTable
from remote_client.monitor.profile import load_profile
from remote_client.terminals import HOOK_OVER, Chunk, ExitStatus, HookEvent, Terminals
from shared.errors import Conflict, NotFound, SessionFailed
from shared.ids import ByteOffset, SessionId
from shared.states import TurnOutcome

LOOK_SECONDS = 0.3
SETTLES_SECONDS = 0.6
SETTLES_AT_MOST_SECONDS = 5.0
PASTE_SETTLES_SECONDS = 0.1
KEY_SETTLES_SECONDS = 0.3
READY_AGAIN_SECONDS = 5.0
CONFIRM_SECONDS = 1.0
CONFIRM_PATIENCE_SECONDS = 20.0
CARRY_ON_SECONDS = 2.0
CARRY_ON_ENTERS = 3


class ScreenDriver:
    """`state`: the session's folder of the adapter's own files."""

    def __init__(
        self, session_id: SessionId, terminals: Terminals, patterns: PatternTable | None, manner: Manner, state: Path
    ) -> None:
        self._manner = manner
        self._profile = load_profile(manner.profile)
        self._terminal = WatchedTerminal(session_id, terminals, self._profile, patterns, self._heed)
        self._monitor = self._terminal.monitor
        self._history = manner.history(state) if manner.history is not None else None
        self._titled = False
        self._started = False
        self._settled = False
        self._agent_session: str | None = None
        self._turn: AgentTurn | None = None
        self._doubt = Doubt(manner.hooked)
        self._unclean = False  # something that is not ours may stand in its input

    # What came ------------------------------------------------------------------------------------------------------

    @property
    def position(self) -> ByteOffset:
        return self._terminal.position

    def feed(self, chunk: Chunk) -> None:
        self._terminal.feed(chunk)

    def hear(self, event: HookEvent) -> None:
        if event.name == HOOK_OVER:
            self._terminal.requests.discard(int(event.body["number"]))
            if self._turn is not None:
                self._turn.hear(event)
            return
        event = self._manner.hears(event)
        session = event.body.get("session_id")
        if isinstance(session, str):
            self._agent_session = session
        if event.waits:
            self._terminal.requests.add(event.number)
        if self._turn is not None:
            self._turn.hear(event)
        self._started = self._started or event.name == "SessionStart"
        if event.name == "Interrupt":
            self._terminal.learn({"kind": "hook", "name": event.name, "says": "interrupted", "offset": event.at})
            return
        if event.name == "UserPromptSubmit" and self._turn is not None and event.at >= self._turn.start:
            self._turn.confirm()
        self._terminal.hear(event)

    def end(self, exit_status: ExitStatus) -> None:
        self._terminal.end(exit_status)

    def touch(self, keys: bytes = b"") -> None:
        """A request that waits for an answer from elsewhere becomes a dialog on the screen, for who sits there."""
        self._unclean = True
        self._terminal.requests.release()
        self._terminal.typed_by_hand(keys)

    def _heed(self, finding: Finding) -> None:
        if finding.kind is FindingKind.TITLE:
            self._titled = True
        if self._turn is not None:
            self._doubt.weigh(finding, self._turn, waits=bool(self._terminal.requests))

    # Getting ready --------------------------------------------------------------------------------------------------

    @property
    def _takes_prompt(self) -> bool:
        """A place to type is on view, and nothing is asked and nothing done."""
        if self._manner.starts is not None:
            shown = any(self._manner.starts in line for line in self._monitor.screen())
            return self._started and shown and not self._monitor.turn_runs
        if self._profile.full_screen:
            return self._monitor.ready and (self._titled or not self._manner.titled)
        last = next((line for line in reversed(self._monitor.screen()) if line.strip()), "")
        return not self._monitor.turn_runs and bool(
            self._profile.line_prompt and self._profile.line_prompt.search(last)
        )

    async def until_ready(self, timeout_seconds: float) -> None:
        name, terminal = self._manner.profile, self._terminal
        try:
            async with asyncio.timeout(timeout_seconds):
                if self._unclean and self._settled and self._profile.line_prompt is not None:
                    await self._clear_input()  # only an empty line shows that it takes one
                while not self._takes_prompt and terminal.exit is None:
                    await terminal.change(LOOK_SECONDS)
                if not self._settled:
                    await self._settle()
        except TimeoutError:
            raise SessionFailed(
                f"{name} takes no prompt after {timeout_seconds:g} s: {terminal.shown()}",
                advice=f"start {name} once by hand in the repository, and answer what it asks",
            ) from None
        if terminal.exit is not None:
            raise SessionFailed(f"{name} {terminal.exit}: {terminal.shown()}")
        if self._unclean:
            await self._clear_input()

    async def _settle(self) -> None:
        """What has just started may show its place to type before it reads keys: waits until it paints no more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLES_AT_MOST_SECONDS):
                seen = -1
                while self._terminal.exit is None and not (seen == self.position and self._takes_prompt):
                    seen = self.position
                    await asyncio.sleep(SETTLES_SECONDS)
        self._settled = True

    async def _clear_input(self) -> None:
        for keys in self._manner.clear:
            await self._terminal.type(keys)
            await asyncio.sleep(KEY_SETTLES_SECONDS)
        self._unclean = False

    # A turn ---------------------------------------------------------------------------------------------------------

    async def run_prompt(self, text: str, timeout_seconds: float, typing: Typing) -> TurnEnd:
        if self._turn is not None:
            raise Conflict(f"session {self._terminal.session_id} is in a turn already")
        if not self._takes_prompt or self._unclean or self._terminal.exit is not None:
            await self.until_ready(READY_AGAIN_SECONDS)
        typing.before()
        start = self.position
        if self._history is not None:
            self._history.begin_turn()
        turn = self._turn = AgentTurn(start, typing)
        try:
            await self._terminal.type(paste(as_prompt(text)), typing.key)
            typing.after(start)
            return await self._until_ended(turn, timeout_seconds)
        finally:
            self._turn = None

    async def carry_on(self, text: str, timeout_seconds: float, start: ByteOffset, typing: Typing) -> TurnEnd:
        turn = self._turn = AgentTurn(start, typing)
        try:
            if self._history is not None:
                self._history.carry_on(text)
            self._terminal.carry_on(text, start)
            typing.after(start)
            return await self._until_ended(turn, timeout_seconds, earlier=True)
        finally:
            self._turn = None

    async def _send(self, turn: AgentTurn, earlier: bool) -> None:
        with contextlib.suppress(NotFound, SessionFailed):  # it has ended, and the turn with it
            if earlier:
                await self._send_what_stands(turn)
            else:
                await self._press_enter(turn)

    async def _send_what_stands(self, turn: AgentTurn) -> None:
        """For a prompt that was typed before a restart: Enter may have been pressed already, or never."""
        for _ in range(CARRY_ON_ENTERS):
            if await turn.confirmed_within(CARRY_ON_SECONDS):
                return
            if self._monitor.takes_text:
                await self._terminal.type(ENTER)

    async def _press_enter(self, turn: AgentTurn) -> None:
        """Presses Enter, and again while nothing shows that it was heard: never where it could answer a question."""
        if await turn.confirmed_within(PASTE_SETTLES_SECONDS):
            return
        await self._terminal.type(ENTER)
        if not self._profile.full_screen and not self._manner.hooked:
            return  # it prints lines, and none of them would confirm it
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + CONFIRM_PATIENCE_SECONDS
        while loop.time() < give_up_at:
            if await turn.confirmed_within(CONFIRM_SECONDS):
                return
            if self._monitor.takes_text:
                await self._terminal.type(ENTER)
        self._unclean = True
        self._terminal.give_up(turn)

    async def _until_ended(self, turn: AgentTurn, timeout_seconds: float, *, earlier: bool = False) -> TurnEnd:
        sending = self._send(turn, earlier)
        finding = await self._terminal.until_ended(turn, timeout_seconds, self.interrupt, sending)
        if self._history is not None:
            finding = await self._history.judge(finding)
        return self._verdict(turn, finding)

    def _verdict(self, turn: AgentTurn, finding: Finding) -> TurnEnd:
        self._terminal.requests.release()
        outcome = turn.outcome(finding)
        if outcome in (TurnOutcome.INTERRUPTED, TurnOutcome.LOST):
            self._unclean = True  # a prompt that was not answered yet may be put back into the input
        told = without_painted_markers(finding.evidence) if self._manner.hooked else finding.evidence
        marker = bool(finding.marker) and any(one["kind"] == "marker" for one in told)
        evidence = [*([turn.interrupted_by] if turn.interrupted_by else []), *told]
        if self._agent_session is not None:
            evidence.append({"kind": "agent_session", "session_id": self._agent_session})
        alive = self._terminal.exit is None
        return TurnEnd(outcome, marker, evidence, finding.at, alive, turn.pull_requests)

    # Stopping and answering -----------------------------------------------------------------------------------------

    async def interrupt(self, reason: str) -> None:
        """The keys that stop it, one after the other, then the end of the whole tree."""
        if self._turn is not None and not self._turn.ended.done():
            self._terminal.requests.release()
            await self._terminal.stop(self._turn, self._manner.interrupt, reason)

    async def answer(self, number: int, allow: bool, message: str = "") -> None:
        await self._terminal.requests.answer(number, allow, message)
        evidence: Evidence = {"kind": "answer", "number": number, "allow": allow}
        now = asyncio.get_running_loop().time()
        self._terminal.take([Finding(FindingKind.GOES_ON, self.position, now, [evidence])])
