"""The `shell` agent: a real interactive bash; a prompt is a script, typed as one bracketed paste.

Costs nothing and needs no account. How its output is read is in `shell_stream`, how a turn ends in `shell_turn`.
"""

import asyncio
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from remote_client.agent_tools.launching import path_with_command
from remote_client.agents.adapter import Abilities, AgentDriver, Launch, TurnEnd, Typing, Wish
from remote_client.agents.pasting import CTRL_C, ENTER, paste
from remote_client.agents.shell_stream import STOP_FILE, Line, ShellStream, Sign, marks
from remote_client.agents.shell_turn import ShellTurn
from remote_client.monitor.patterns import PatternTable
from remote_client.terminals import Chunk, ExitStatus, HookEvent, Terminals
from shared.errors import Conflict, SessionFailed
from shared.ids import ByteOffset, SessionId

INPUTRC = Path(__file__).with_name("shell.inputrc")
STARTUP = Path(__file__).with_name("shell.startup")
HIDDEN_PROMPT_LOOK_SECONDS = 0.1
INTERRUPT_AGAIN_SECONDS = 0.5
ABANDON_AGAIN_SECONDS = 0.2
CTRL_C_SETTLES_SECONDS = 0.1
INTERRUPT_PATIENCE_SECONDS = 5.0
KILL_GRACE_SECONDS = 1.0


class ShellAdapter:
    """bash, without anybody's start-up files and without history.

    From 4.4 on, which has bracketed pastes and PS0. An interrupt is for the whole script; one that catches the Ctrl-C
    itself is ended together with its shell, for bash would go on with its next command.
    """

    name = "shell"
    abilities = Abilities(takes_scripts=True)

    def __init__(self, program: Sequence[str] = ("bash",), *, tools: bool = False) -> None:
        """`tools`: whether scripts may call `semo-agent`."""
        self._program = tuple(program)
        self._tools = tools

    def version(self) -> str | None:
        path = shutil.which(self._program[0])
        if path is None:
            return None
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
        found = re.search(r"version (\d+\.\d+)", said)
        return found[1] if found else None

    def launch(self, wish: Wish) -> Launch:
        nonce = secrets.token_hex(8)
        # +H: a "!" in a script is a "!".
        command = [*self._program, "--noprofile", "--norc", "--posix", "+H", "-i"]
        stop_file = str(wish.state.absolute() / "stop")
        terminal = {"TERM": "xterm-256color", "HISTFILE": "", "INPUTRC": str(INPUTRC), "ENV": str(STARTUP)}
        environment = marks(nonce) | terminal | {STOP_FILE: stop_file}
        if self._tools:
            environment["PATH"] = path_with_command(wish.state.absolute() / "bin")
        return Launch(command, environment, {"nonce": nonce, "stop_file": stop_file})

    def drive(
        self,
        session_id: SessionId,
        terminals: Terminals,
        memory: Mapping[str, str],
        patterns: PatternTable | None = None,
    ) -> AgentDriver:
        return ShellDriver(session_id, terminals, memory["nonce"], Path(memory["stop_file"]))


class ShellDriver:
    """One bash. Its state is what the marks said last."""

    def __init__(self, session_id: SessionId, terminals: Terminals, nonce: str, stop_file: Path) -> None:
        self._session_id = session_id
        self._terminals = terminals
        self._stream = ShellStream(nonce)
        self._stop_file = stop_file
        self._settled_at = 0.0  # a Ctrl-C may be on its way to the shell until then
        self._begun = False
        self._at_prompt = asyncio.Event()
        self._unfinished = asyncio.Event()  # a continuation prompt is shown
        self._shell_pid = 0
        self._touched = False
        self._exit: ExitStatus | None = None
        self._turn: ShellTurn | None = None
        self._last_ended: Sign | None = None  # a prompt is due
        self._hidden_prompt: asyncio.Task[None] | None = None

    @property
    def position(self) -> ByteOffset:
        return self._stream.position

    def feed(self, chunk: Chunk) -> None:
        if chunk.start != self._stream.position and not self._begun:
            self._stream.position = chunk.start
        self._begun = True
        for found in self._stream.feed(chunk.data):
            if isinstance(found, Line):
                self._take_line(found)
            else:
                self._take_sign(found)
        if self._last_ended is not None and (self._hidden_prompt is None or self._hidden_prompt.done()):
            self._hidden_prompt = asyncio.create_task(self._until_reading_keys())

    def hear(self, event: HookEvent) -> None:
        """A shell has no hooks."""

    def end(self, exit_status: ExitStatus) -> None:
        for line in self._stream.finish_line():
            self._take_line(line)
        self._exit = exit_status
        self._last_ended = None
        self._at_prompt.set()
        if self._hidden_prompt is not None:
            self._hidden_prompt.cancel()
        if self._turn is not None:
            self._turn.shell_ended(exit_status, self.position)

    def _take_line(self, line: Line) -> None:
        if self._turn is not None:
            self._turn.line(line)

    def _take_sign(self, sign: Sign) -> None:
        if self._turn is not None:
            self._turn.sign(sign)
        if sign.kind == "ended":
            self._last_ended = sign
        elif sign.kind == "runs":
            self._last_ended = None
            self._at_prompt.clear()
            self._unfinished.clear()
        elif sign.kind == "continuation":
            self._unfinished.set()
        elif sign.kind == "prompt":
            self._shell_pid = sign.pid
            self._last_ended = None
            self._unfinished.clear()
            self._stop_file.unlink(missing_ok=True)
            self._at_prompt.set()

    async def _until_reading_keys(self) -> None:
        """A prompt may carry no mark or go where standard error went. That bash reads keys again shows it as well."""
        while (ended := self._last_ended) is not None:
            position = self.position
            await asyncio.sleep(HIDDEN_PROMPT_LOOK_SECONDS)
            if ended is not self._last_ended or position != self.position:
                continue
            if await self._terminals.input_mode(self._session_id) == "raw":
                for line in self._stream.finish_line():
                    self._take_line(line)
                self._take_sign(Sign("prompt", self.position, pid=ended.pid, status=ended.status, hidden=True))

    def touch(self, keys: bytes = b"") -> None:
        self._touched = True
        if self._turn is not None:
            self._turn.touched = True

    async def until_ready(self, timeout_seconds: float) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                if self._unfinished.is_set() or (self._touched and self._at_prompt.is_set()):
                    self._at_prompt.clear()
                    await self._abandon_input()
                await self._at_prompt.wait()
        except TimeoutError:
            raise SessionFailed(f"the shell of session {self._session_id} shows no prompt") from None
        if self._exit is not None:
            raise SessionFailed(f"the shell of session {self._session_id} {self._exit}")
        self._touched = False

    async def _abandon_input(self) -> None:
        """Ctrl-C, again until there is a new prompt: readline loses one that comes right before it reads."""
        while not self._at_prompt.is_set():
            await self._press_ctrl_c()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._at_prompt.wait(), ABANDON_AGAIN_SECONDS)

    async def _press_ctrl_c(self) -> None:
        self._settled_at = asyncio.get_running_loop().time() + CTRL_C_SETTLES_SECONDS
        await self._terminals.write(self._session_id, CTRL_C)

    async def run_prompt(self, text: str, timeout_seconds: float, typing: Typing) -> TurnEnd:
        if self._turn is not None:
            raise Conflict(f"session {self._session_id} is in a turn already")
        if not self._at_prompt.is_set() or self._touched or self._exit is not None:
            await self.until_ready(INTERRUPT_PATIENCE_SECONDS)
        await asyncio.sleep(self._settled_at - asyncio.get_running_loop().time())
        typing.before()
        start = self.position
        turn = self._turn = ShellTurn(text, self._shell_pid, start)
        try:
            self._at_prompt.clear()
            self._stop_file.unlink(missing_ok=True)
            await self._terminals.write(self._session_id, paste(text) + ENTER, typing.key)
            typing.after(start)
            return await self._until_ended(turn, timeout_seconds)
        finally:
            self._turn = None

    async def carry_on(self, text: str, timeout_seconds: float, start: ByteOffset, typing: Typing) -> TurnEnd:
        turn = self._turn = ShellTurn(text, self._shell_pid, start)
        try:
            self._at_prompt.clear()
            typing.after(start)
            return await self._until_ended(turn, timeout_seconds)
        finally:
            self._turn = None

    async def _until_ended(self, turn: ShellTurn, timeout_seconds: float) -> TurnEnd:
        try:
            return await asyncio.wait_for(asyncio.shield(turn.ended), timeout_seconds)
        except TimeoutError:
            turn.interrupted_by = {"kind": "timeout", "after_s": timeout_seconds}
            await self.interrupt("timeout")
            return await turn.ended

    async def interrupt(self, reason: str) -> None:
        """Lets no further command of the script begin; Ctrl-C for the one that runs; then the end of the whole tree."""
        turn = self._turn
        if turn is None or turn.ended.done():
            return
        if turn.interrupted_by is None:
            turn.interrupted_by = {"kind": "signal", "keys": "ctrl-c", "reason": reason}
        self._stop_file.touch()
        skipped = 0
        try:
            async with asyncio.timeout(INTERRUPT_PATIENCE_SECONDS) as patience:
                while not turn.ended.done():
                    await self._press_ctrl_c()
                    await asyncio.wait({turn.ended}, timeout=INTERRUPT_AGAIN_SECONDS)
                    if (now_skipped := self._skipped()) > skipped:
                        skipped = now_skipped
                        patience.reschedule(asyncio.get_running_loop().time() + INTERRUPT_PATIENCE_SECONDS)
        except TimeoutError:
            await self._terminals.kill(self._session_id, KILL_GRACE_SECONDS)
            await asyncio.wait({turn.ended})

    async def answer(self, number: int, allow: bool, message: str = "") -> None:
        raise Conflict("a shell asks for nothing")

    def _skipped(self) -> int:
        """Grows with every command that was not let begin."""
        return self._stop_file.stat().st_size if self._stop_file.exists() else 0
