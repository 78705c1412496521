"""A session's terminal on any machine of the office, through its API: output as the office has it, keys as commands."""

import codecs
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError, SessionOver
from shared.terminal_picture import LOOK_BACK_BYTES, Unasking, picture

_PAGE_BYTES = 262_144
_UNTIL_MORE_SECONDS = 20
_SENT_AT_ONCE = 65_536
_TRIES = 3
_LEAST, _MOST = (20, 5), (500, 300)
"""The sizes that an office can ask for."""


class OfficeSession:
    """Found by `find`. Typing needs the role operator in the office, watching viewer."""

    is_here = False
    gather_seconds = 0.03

    def __init__(self, api: OfficeApi, session: dict[str, Any], machine: str) -> None:
        self._api = api
        self._session = session
        self._path = f"/sessions/{session['id']}"
        self._machine = machine
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._size = (session["cols"], session["rows"])

    @classmethod
    async def find(cls, api: OfficeApi, name: str) -> "OfficeSession":
        """The session of that id, or the one of the latest whose id begins so.

        Raises:
            SemoError: there is none, or several; it has ended; its machine is offline.
        """
        listed = (await api.get("/sessions", limit=500))["sessions"]
        found = [one for one in listed if str(one["id"]).startswith(name.lower())]
        if len(found) > 1:
            raise SemoError(f"{len(found)} sessions begin with {name}", do="give more of its id")
        if not found:
            raise SemoError(f"there is no session {name} on this machine or in the office")
        [session] = found
        if session["ended_at"] is not None:
            raise SemoError(
                f"session {session['id']} ended at {session['ended_at']} ({session['end_reason']})",
                do="on its machine, what it showed is kept: semo recordings",
            )
        machines = (await api.get("/clients"))["clients"]
        machine = next((one for one in machines if one["id"] == session["client_id"]), None)
        if machine is None or not machine["online"]:
            who = machine["name"] if machine else session["client_id"]
            since = f" since {machine['last_seen_at']}" if machine else ""
            raise SemoError(
                f"the machine of this session, {who}, is offline{since}",
                do="on that machine itself `semo attach` works without the office",
                exit_code=Exit.UNREACHABLE,
            )
        return cls(api, session, machine["name"])

    @property
    def name(self) -> str:
        return f"session {self._session['id']} ({self._session['role']}, {self._session['agent']}) on {self._machine}"

    def require_alive(self) -> None:
        """`find` finds no other."""

    async def output(self) -> AsyncGenerator[bytes]:
        """What to show, to the end of the session."""
        end: int = (await self._api.get(self._path))["output_bytes"]
        begin = max(0, end - LOOK_BACK_BYTES)
        before: list[str] = []
        offset, status = begin, ""
        while offset < end:
            page = await self._page(offset, wait=0)
            if page["next"] == offset:
                break
            before.append(page["output"])
            offset = page["next"]
        shown, _ = picture("".join(before).encode(), whole=begin == 0)
        unasking = Unasking()
        yield unasking.feed(shown)
        while status != "terminated":
            page = await self._page(offset, wait=_UNTIL_MORE_SECONDS)
            offset, status = page["next"], page["status"] if not page["output"] else ""
            if page["output"]:
                yield unasking.feed(page["output"].encode())

    async def _page(self, offset: int, wait: float) -> dict[str, Any]:
        return await self._api.get(f"{self._path}/output", after=offset, limit=_PAGE_BYTES, wait=wait)

    async def type(self, data: bytes) -> bool:
        """Returns when it is on its way. What a text cannot hold (a NUL) is left out, and False returned; so when the
        session is over.
        """
        text = self._decoder.decode(data)
        sent = text.replace("\0", "")
        for start in range(0, len(sent), _SENT_AT_ONCE):
            if not await self._ask("send_text", {"text": sent[start : start + _SENT_AT_ONCE]}):
                return False
        return sent == text

    async def fit(self, cols: int, rows: int) -> None:
        """The terminal gets this size, or what comes near it."""
        cols, rows = min(max(cols, _LEAST[0]), _MOST[0]), min(max(rows, _LEAST[1]), _MOST[1])
        if (cols, rows) != self._size:
            await self._ask("resize", {"cols": cols, "rows": rows})
            self._size = (cols, rows)

    async def _ask(self, command_type: str, payload: dict[str, Any]) -> bool:
        """Once, however often it is tried. Returns False when the session is over."""
        key = str(uuid4())
        body = {"command_type": command_type, "payload": payload, "session_id": self._session["id"]}
        for left in reversed(range(_TRIES)):
            try:
                await self._api.post("/commands", body, key=key)
            except SessionOver:
                return False
            except SemoError as error:
                if error.exit_code is not Exit.UNREACHABLE or not left:
                    raise
            else:
                break
        return True

    async def ending(self) -> str:
        """How it ended."""
        return str((await self._api.get(self._path))["end_reason"])

    async def close(self) -> None:
        """Gives the terminal its own size back."""
        await self.fit(self._session["cols"], self._session["rows"])
