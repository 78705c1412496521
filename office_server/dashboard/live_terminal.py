"""The live terminal of one session in the browser, and keys from whoever took it over."""

import asyncio
import contextlib
from collections import deque
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import attributed
from office_server.dashboard.visit import Visit
from office_server.output import stitch
from office_server.picture_rows import SeenSession
from office_server.routes import commands
from office_server.rows import OutputChunk
from shared.errors import OfficeError
from shared.ids import ByteOffset
from shared.states import CommandType
from shared.terminal_picture import Unasking, picture

_LOOK_BACK_BYTES = 262_144
_LOOK_SECONDS = 1.0
_SENT_AT_ONCE = 65_536
_FETCHED_CHUNKS, _FETCHED_BYTES = 200, 1_000_000
_TIMES, _WITHIN_SECONDS = 10, 1.0
"""So often at most something is typed in so short a time; a key that is held down goes in fewer and longer pieces. Each
costs nine messages of Realtime, of which the smallest plan of Supabase carries a hundred a second."""
_LEAST, _MOST = (20, 5), (500, 300)
COLOURS = {"background": "#10131a", "foreground": "#d6dae3", "cursor": "#a5a8ff", "selectionBackground": "#3b4070"}


class LiveTerminal:
    def __init__(self, visit: Visit, seen: SeenSession) -> None:
        self._visit = visit
        self._seen = seen
        self._at = ByteOffset(0)
        self._unasking = Unasking()
        self._begun = False
        self._fetching: asyncio.Lock = asyncio.Lock()
        self._typed = ""
        self._typing: asyncio.Task[None] | None = None
        self._typed_at: deque[float] = deque(maxlen=_TIMES)
        self._following: asyncio.Task[None] | None = None
        self.taken_over = False
        options: dict[str, Any] = {
            "cols": seen.cols,
            "rows": seen.rows,
            "fontSize": 13,
            "fontFamily": "ui-monospace, 'SF Mono', 'Cascadia Mono', 'Noto Sans Mono', monospace",
            "scrollback": 5000,
            "theme": COLOURS,
            "disableStdin": True,
        }
        self.xterm = attributed(
            ui.xterm(options).classes("terminal"), role="group", aria_label=visit.words("session.terminal")
        )
        self.xterm.on_data(self._on_keys)

    async def begin(self) -> None:
        """Shows what was put out until now, from the last time that the program painted anew."""
        begin = max(0, self._seen.output_bytes - _LOOK_BACK_BYTES)
        try:
            async with self._fetching:
                before, self._at = await self._fetch(ByteOffset(begin))
        except OfficeError as error:
            self._visit.complain(error)
            return
        shown, _ = picture(before.encode(), whole=begin == 0)
        self._write(shown)
        self._begun = True

    async def follow(self) -> None:
        """Shows what came since."""
        stream = self._visit.feed.streams.get(self._seen.id)
        if not self._begun or stream is None or stream.next <= self._at or self._fetching.locked():
            return
        chunks, whole = stream.after(self._at)
        if whole:
            page = stitch(list(chunks), self._at, 10_000_000)
            self._at = page.next
            self._write(page.text.encode())
            return
        await self._catch_up()

    async def _catch_up(self) -> None:
        try:
            async with self._fetching:
                text, self._at = await self._fetch(self._at)
        except OfficeError:
            return  # the frame says that the office does not answer; the next round tries again
        self._write(text.encode())

    async def _follow_closely(self) -> None:
        """Whoever types waits for what they typed, and not for the next round of the office's feed."""
        shown: asyncio.Queue[OutputChunk | None] = asyncio.Queue()
        with self._visit.services.hints.showing(self._visit.office.id, self._seen.id, shown.put_nowait):
            while self.taken_over and not self.xterm.is_deleted:
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        chunk = await shown.get()
                except TimeoutError:
                    continue
                if chunk is None or not await self._add(chunk):
                    await self._catch_up()

    async def _add(self, chunk: OutputChunk) -> bool:
        """Shows what is new of it. False when something before it is missing."""
        async with self._fetching:
            if chunk.start_offset > self._at:
                return False
            page = stitch([chunk], self._at, _FETCHED_BYTES)
            self._at = page.next
        self._write(page.text.encode())
        return True

    async def _fetch(self, after: ByteOffset) -> tuple[str, ByteOffset]:
        texts: list[str] = []
        while True:
            chunks = await self._visit.services.backend.sessions.output(self._seen.id, after, _FETCHED_CHUNKS)
            page = stitch(chunks, after, _FETCHED_BYTES)
            texts.append(page.text)
            after = page.next
            if len(chunks) < _FETCHED_CHUNKS and not any(chunk.end_offset > after for chunk in chunks):
                return "".join(texts), after

    def _write(self, data: bytes) -> None:
        shown = self._unasking.feed(data).decode(errors="replace")
        if shown and not self.xterm.is_deleted:
            self.xterm.write(shown)

    # Taking it over ---------------------------------------------------------------------------------------------------

    async def take_over(self, taken: bool) -> bool:
        """Whether the person's keys now go to the terminal."""
        if taken:
            await self.xterm.fit()
            with contextlib.suppress(TimeoutError):
                cols, rows = await self.xterm.get_columns(), await self.xterm.get_rows()
                size = {
                    "cols": min(max(int(cols), _LEAST[0]), _MOST[0]), "rows": min(max(int(rows), _LEAST[1]), _MOST[1])
                }  # fmt: skip
                taken = await self._ask(CommandType.RESIZE, size)
        self.taken_over = taken
        if taken and (self._following is None or self._following.done()):
            self._following = asyncio.create_task(self._follow_closely())
        ui.run_javascript(
            f"getElement({self.xterm.id}).terminal.options.disableStdin = {str(not taken).lower()};"
            + (f"getElement({self.xterm.id}).terminal.focus();" if taken else "")
        )
        return taken

    def _on_keys(self, event: Any) -> None:
        """Keeps the order: what is typed while something is on its way goes together after it."""
        if not self.taken_over:
            return
        self._typed += str(event.data)
        if self._typing is None or self._typing.done():
            self._typing = asyncio.create_task(self._send())

    async def _send(self) -> None:
        now = asyncio.get_running_loop().time
        while self._typed:
            if len(self._typed_at) == _TIMES:
                await asyncio.sleep(self._typed_at[0] + _WITHIN_SECONDS - now())
            self._typed_at.append(now())
            text, self._typed = self._typed[:_SENT_AT_ONCE], self._typed[_SENT_AT_ONCE:]
            if not await self._visit.type_into(self._seen.id, text.replace("\0", "")):
                self._typed = ""
                return

    async def _ask(self, kind: CommandType, payload: dict[str, Any]) -> bool:
        body = commands.NewCommand(command_type=kind, payload=payload, session_id=self._seen.id)
        return await self._visit.attempt(commands.insert_command, body=body) is not None
