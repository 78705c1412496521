"""A person's visit to a session's terminal on this machine, through the host that keeps it: to see it, and to type."""

import asyncio
import contextlib
import getpass
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from remote_client.ptyhost.link import HostLink
from remote_client.ptyhost.places import places_in
from remote_client.ptyhost.protocol import exit_of, info_of
from remote_client.terminals import TerminalInfo
from shared.errors import Conflict, NotFound, SessionEnded, SessionFailed
from shared.terminal_picture import LOOK_BACK_BYTES, Unasking, picture

REPAINT_SECONDS = 0.1
_FOCUS = re.compile(rb"(?:\x1b\[[IO])+")
"""What a terminal says when the person turns to it or away: nobody typed that."""


class HostSession:
    """Found by `find`; closed by whoever found it."""

    is_here = True
    gather_seconds = 0.0

    def __init__(self, link: HostLink, info: TerminalInfo) -> None:
        self._link = link
        self._info = info
        self._by = f"local:{getpass.getuser()}"
        self._repaint = False

    @classmethod
    async def find(cls, states: Sequence[Path], name: str) -> "HostSession | None":
        """The session of that id, or whose id alone begins so, in the hosts below these clients' state folders.

        Raises:
            Conflict: there are several.
        """
        found: list[HostSession] = []
        for place in [place for state in dict.fromkeys(states) for place in places_in(state / "host")]:
            link = await HostLink.open(place)
            if link is None:
                continue
            told, _ = await link.call("list")
            mine = [info for info in map(info_of, told) if str(info.session_id).startswith(name.lower())]
            found += [cls(link, info) for info in mine]
            if not mine:
                await link.close()
        if len(found) > 1:
            for one in found:
                await one.close()
            raise Conflict(f"{len(found)} sessions begin with {name}", advice="give more of its id")
        return found[0] if found else None

    @property
    def name(self) -> str:
        return f"session {self._info.session_id} on this machine"

    def require_alive(self) -> None:
        """
        Raises:
            SessionEnded: it has ended.
        """
        if self._info.exit is not None:
            raise SessionEnded(
                f"session {self._info.session_id} has ended: its program {self._info.exit}",
                advice="what it showed is kept: semo recordings",
            )

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal as it was found; 0 of one that an older host keeps."""
        return self._info.cols, self._info.rows

    async def output(self) -> AsyncGenerator[bytes]:
        """What to show, to the end of the terminal."""
        begin = max(self._info.begin, self._info.end - LOOK_BACK_BYTES)
        before, end = await self._read(begin)
        shown, self._repaint = picture(before, whole=begin == self._info.begin)
        unasking = Unasking()
        yield unasking.feed(shown)
        hooks = self._info.last_hook
        told = self._link.stream("follow", session_id=str(self._info.session_id), offset=end, after_hook=hooks)
        async with aclosing(told) as frames:
            async for frame in frames:
                if "chunk" in frame.header:
                    yield unasking.feed(frame.body)

    async def _read(self, offset: int) -> tuple[bytes, int]:
        pieces: list[bytes] = []
        while offset < self._info.end:
            (start, data) = await self._link.call(
                "read_from", session_id=str(self._info.session_id), offset=offset, limit=self._info.end - offset
            )
            if not data:
                break
            pieces.append(data)
            offset = start + len(data)
        return b"".join(pieces), offset

    async def type(self, data: bytes) -> bool:
        """False when the program does not take it now, or has ended."""
        by = None if _FOCUS.fullmatch(data) else self._by
        try:
            await self._link.call("write", data, session_id=str(self._info.session_id), by=by)
        except (Conflict, NotFound, SessionFailed):
            return False
        return True

    async def fit(self, cols: int, rows: int) -> None:
        """The terminal gets a size that fits, until this person leaves."""
        if self._repaint and rows > 1:
            self._repaint = False
            await self._view(cols, rows - 1)
            await asyncio.sleep(REPAINT_SECONDS)  # else the program sees no change
        await self._view(cols, rows)

    async def _view(self, cols: int, rows: int) -> None:
        with contextlib.suppress(NotFound, SessionFailed):  # it has ended, as its output tells
            await self._link.call("view", session_id=str(self._info.session_id), cols=cols, rows=rows)

    async def ending(self) -> str:
        """How its program ended."""
        try:
            told, _ = await self._link.call("wait", session_id=str(self._info.session_id))
        except NotFound:
            return "its terminal was put away"
        return str(exit_of(told))

    async def close(self) -> None:
        await self._link.close()
