"""Drives one agent by its screen and title, and by signals of its own where it has some.

Knows no kind of agent: what is particular is a `Manner`. The monitor alone says how a turn ends.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from remote_client.agents.adapter import Evidence, TurnEnd, Typing
from remote_client.agents.claude_prompt import as_prompt
from remote_client.agents.claude_turn import ClaudeTurn
from remote_client.agents.pasting import ENTER, paste
from remote_client.agents.permission_requests import PermissionRequests
from remote_client.agents.screen_doubt import Doubt
from remote_client.monitor.findings import Finding, FindingKind
from remote_client.monitor.profile import load_profile
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.terminals import Chunk, ExitStatus, HookEvent, Terminals
from shared.errors import Conflict, NotFound, SessionFailed
from shared.ids import ByteOffset, SessionId
from shared.states import TurnOutcome

LOOK_SECONDS = 0.3
SETTLES_SECONDS = 0.6
SETTLES_AT_MOST_SECONDS = 5.0
PASTE_SETTLES_SECONDS = 0.1
KEY_SETTLES_SECONDS = 0.3
CONFIRM_SECONDS = 1.0
CONFIRM_PATIENCE_SECONDS = 20.0
CARRY_ON_SECONDS = 2.0
CARRY_ON_ENTERS = 3
INTERRUPT_SECONDS = 2.0
INTERRUPT_PATIENCE_SECONDS = 5.0
KILL_GRACE_SECONDS = 1.0
SHOWN_LINES = 3


def as_told(event: HookEvent) -> HookEvent:
    return event


@dataclass(frozen=True)
class Manner:
    """How one kind of agent behaves in its terminal.

    `profile`: the name of its looks. `interrupt`: the keys that stop a turn, one after the other. `clear`: those that
    empty its input. `titled`: it is ready only after its first title. `starts`: what its screen shows once it has
    started, if nothing else there tells; it is ready when its own hook says so too. `hooked`: a prompt has arrived when
    its own hook says so, and its end likewise. `hears`: what its signals say, in the words of Claude Code's hooks.
    """

    profile: str
    interrupt: Sequence[bytes]
    clear: Sequence[bytes]
    titled: bool = False
    starts: str | None = None
    hooked: bool = False
    hears: Callable[[HookEvent], HookEvent] = field(default=as_told)


class ScreenDriver:
    def __init__(self, session_id: SessionId, terminals: Terminals, manner: Manner) -> None:
        self._session_id = session_id
        self._terminals = terminals
        self._manner = manner
        self._profile = load_profile(manner.profile)
        self._loop = asyncio.get_running_loop()
        self._monitor = TurnMonitor(self._profile)
        self._position = ByteOffset(0)
        self._titled = False
        self._started = False
        self._settled = False
        self._agent_session: str | None = None
        self._requests = PermissionRequests(session_id, terminals)
        self._turn: ClaudeTurn | None = None
        self._doubt = Doubt(manner.hooked)
        self._unclean = False  # something that is not ours may stand in its input
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
        event = self._manner.hears(event)
        session = event.body.get("session_id")
        if isinstance(session, str):
            self._agent_session = session
        if event.waits:
            self._requests.add(event.number)
        now = self._loop.time()
        self._started = self._started or event.name == "SessionStart"
        if event.name == "Interrupt":
            evidence: Evidence = {"kind": "hook", "name": event.name, "says": "interrupted", "offset": event.at}
            self._take(self._monitor.learned(evidence, now))
            return
        if event.name == "UserPromptSubmit" and self._turn is not None and event.at >= self._turn.start:
            self._turn.confirm()
        self._take(self._monitor.hear(event, now))

    def end(self, exit_status: ExitStatus) -> None:
        self._exit = exit_status
        self._take(self._monitor.exited(exit_status, self._loop.time()))
        self._requests.close()

    def touch(self, keys: bytes = b"") -> None:
        """A request that waits for an answer from elsewhere becomes a dialog on the screen, for who sits there."""
        self._unclean = True
        self._requests.release()
        self._take(self._monitor.typed(keys, self._loop.time()))

    def _take(self, findings: list[Finding]) -> None:
        for finding in findings:
            if finding.kind is FindingKind.TITLE:
                self._titled = True
            if self._turn is not None:
                self._doubt.weigh(finding, self._turn, waits=bool(self._requests))
        self._changed.set()
        if self._tick is not None:
            self._tick.cancel()
        deadline = self._monitor.deadline if self._exit is None else None
        self._tick = self._loop.call_at(deadline, self._on_tick) if deadline is not None else None

    def _on_tick(self) -> None:
        self._take(self._monitor.tick(self._loop.time()))

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
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self._takes_prompt and self._exit is None:
                    await self._change(LOOK_SECONDS)
                if not self._settled:
                    await self._settle()
        except TimeoutError:
            raise SessionFailed(
                f"{self._manner.profile} takes no prompt after {timeout_seconds:g} s: {self._shown()}",
                advice=f"start {self._manner.profile} once by hand in the repository, and answer what it asks",
            ) from None
        if self._exit is not None:
            raise SessionFailed(f"{self._manner.profile} {self._exit}: {self._shown()}")
        if self._unclean:
            await self._clear_input()

    async def _settle(self) -> None:
        """What has just started may show its place to type before it reads keys: waits until it paints no more."""
        deadline = self._loop.time() + SETTLES_AT_MOST_SECONDS
        seen = -1
        while (
            self._loop.time() < deadline and self._exit is None and not (seen == self._position and self._takes_prompt)
        ):
            seen = self._position
            await asyncio.sleep(SETTLES_SECONDS)
        self._settled = True

    async def _change(self, at_most_seconds: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_seconds):
                await self._changed.wait()

    def _shown(self) -> str:
        lines = [line.strip() for line in self._monitor.screen() if line.strip(" ─╌▔▄▀█")]
        return " / ".join(lines[-SHOWN_LINES:]) or "its screen is empty"

    async def _clear_input(self) -> None:
        for keys in self._manner.clear:
            await self._type(keys)
            await asyncio.sleep(KEY_SETTLES_SECONDS)
        self._unclean = False

    async def _type(self, data: bytes, key: str | None = None) -> None:
        self._take(self._monitor.typed(data, self._loop.time()))
        await self._terminals.write(self._session_id, data, key)

    # A turn ---------------------------------------------------------------------------------------------------------

    async def run_prompt(self, text: str, timeout_seconds: float, typing: Typing) -> TurnEnd:
        if self._turn is not None:
            raise Conflict(f"session {self._session_id} is in a turn already")
        if not self._takes_prompt or self._unclean or self._exit is not None:
            await self.until_ready(INTERRUPT_PATIENCE_SECONDS)
        typing.before()
        start = self._position
        turn = self._turn = ClaudeTurn(start, typing)
        try:
            await self._type(paste(as_prompt(text)), typing.key)
            typing.after(start)
            return await self._until_ended(turn, timeout_seconds)
        finally:
            self._turn = None

    async def carry_on(self, text: str, timeout_seconds: float, start: ByteOffset, typing: Typing) -> TurnEnd:
        turn = self._turn = ClaudeTurn(start, typing)
        try:
            self._monitor.carry_on(text, start, self._loop.time())
            typing.after(start)
            return await self._until_ended(turn, timeout_seconds, earlier=True)
        finally:
            self._turn = None

    async def _send(self, turn: ClaudeTurn, earlier: bool) -> None:
        with contextlib.suppress(NotFound, SessionFailed):  # it has ended, and the turn with it
            if earlier:
                await self._send_what_stands(turn)
            else:
                await self._press_enter(turn)

    async def _send_what_stands(self, turn: ClaudeTurn) -> None:
        """For a prompt that was typed before a restart: Enter may have been pressed already, or never."""
        for _ in range(CARRY_ON_ENTERS):
            if await self._confirmed_within(turn, CARRY_ON_SECONDS):
                return
            if self._monitor.takes_text:
                await self._type(ENTER)

    async def _press_enter(self, turn: ClaudeTurn) -> None:
        """Presses Enter, and again while nothing shows that it was heard: never where it could answer a question."""
        await asyncio.sleep(PASTE_SETTLES_SECONDS)
        if turn.ended.done() or turn.confirmed.is_set():
            return
        await self._type(ENTER)
        if not self._profile.full_screen and not self._manner.hooked:
            return  # it prints lines, and none of them would confirm it
        give_up_at = self._loop.time() + CONFIRM_PATIENCE_SECONDS
        while self._loop.time() < give_up_at:
            if await self._confirmed_within(turn, CONFIRM_SECONDS):
                return
            if self._monitor.takes_text:
                await self._type(ENTER)
        self._unclean = True
        evidence: Evidence = {"kind": "typed", "confirmed": False, "offset": turn.start, "screen": self._shown()}
        turn.lost(self._position, self._loop.time(), evidence)

    async def _confirmed_within(self, turn: ClaudeTurn, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await turn.confirmed.wait()
        return turn.confirmed.is_set() or turn.ended.done()

    async def _until_ended(self, turn: ClaudeTurn, timeout_seconds: float, *, earlier: bool = False) -> TurnEnd:
        sending = asyncio.create_task(self._send(turn, earlier))
        try:
            try:
                finding = await asyncio.wait_for(asyncio.shield(turn.ended), timeout_seconds)
            except TimeoutError:
                turn.interrupted_by = {"kind": "timeout", "after_s": timeout_seconds}
                await self.interrupt("timeout")
                finding = await turn.ended
        finally:
            sending.cancel()
            await asyncio.wait({sending})
        return self._verdict(turn, finding)

    def _verdict(self, turn: ClaudeTurn, finding: Finding) -> TurnEnd:
        self._requests.release()
        outcome = turn.outcome(finding)
        if outcome in (TurnOutcome.INTERRUPTED, TurnOutcome.LOST):
            self._unclean = True  # a prompt that was not answered yet may be put back into the input
        told = [one for one in finding.evidence if not (self._manner.hooked and _is_painted_marker(one))]
        marker = bool(finding.marker) and any(one["kind"] == "marker" for one in told)
        evidence = [*([turn.interrupted_by] if turn.interrupted_by else []), *told]
        if self._agent_session is not None:
            evidence.append({"kind": "agent_session", "session_id": self._agent_session})
        alive = self._exit is None
        return TurnEnd(outcome, marker, evidence, finding.at, alive, turn.pull_requests)

    # Stopping and answering -----------------------------------------------------------------------------------------

    async def interrupt(self, reason: str) -> None:
        """The keys that stop it, one after the other, then the end of the whole tree."""
        turn = self._turn
        if turn is None or turn.ended.done():
            return
        keys = self._manner.interrupt
        if turn.interrupted_by is None:
            turn.interrupted_by = {"kind": "signal", "keys": _names(keys), "reason": reason}
        self._requests.release()
        for number, key in enumerate(keys):
            await self._type(key)
            last = number == len(keys) - 1
            await asyncio.wait({turn.ended}, timeout=INTERRUPT_PATIENCE_SECONDS if last else INTERRUPT_SECONDS)
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
        evidence: Evidence = {"kind": "answer", "number": number, "allow": allow}
        self._take([Finding(FindingKind.GOES_ON, self._position, self._loop.time(), [evidence])])


def _is_painted_marker(evidence: Evidence) -> bool:
    """In the bytes alone: whoever has a screen paints again what was said before."""
    return evidence["kind"] == "marker" and evidence.get("in") == "output"


def _names(keys: Sequence[bytes]) -> str:
    names = {b"\x1b": "escape", b"\x03": "ctrl-c"}
    return " ".join(names.get(key, repr(key)) for key in keys)
