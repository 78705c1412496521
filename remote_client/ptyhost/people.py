"""People at terminals, beside the client: whose typing its follower is told of, and whose windows a terminal must fit.

The terminal's own size is the client's affair; it holds while nobody looks, and comes back when the last one leaves.
"""

import contextlib
import time

from remote_client.ptyhost.host import InProcessTerminals
from remote_client.terminals import TOUCHED
from shared.errors import NotFound, SessionFailed
from shared.ids import SessionId

TOLD_AGAIN_SECONDS = 1.0
INTERRUPTS = (b"\x1b", b"\x03")
"""The only keys that are told: what else a person types may be a secret."""

Size = tuple[int, int]


class People:
    """Of all terminals of a host. A viewer is any object that stands for one window of one person."""

    def __init__(self, terminals: InProcessTerminals) -> None:
        self._terminals = terminals
        self._told: dict[tuple[SessionId, str, bytes], float] = {}
        self._own: dict[SessionId, Size] = {}
        self._views: dict[SessionId, dict[object, Size]] = {}

    def type(self, session_id: SessionId, by: str, keys: bytes) -> None:
        """Somebody is about to type `keys`; told once a second."""
        keys = keys if keys in INTERRUPTS else b""
        now = time.monotonic()
        if now - self._told.get((session_id, by, keys), -TOLD_AGAIN_SECONDS) < TOLD_AGAIN_SECONDS:
            return
        self._terminals.note(session_id, TOUCHED, {"by": by, "keys": keys.decode()})
        self._told[session_id, by, keys] = now

    async def resize(self, session_id: SessionId, cols: int, rows: int) -> None:
        """Sets the terminal's own size."""
        if session_id in self._own:
            self._own[session_id] = (cols, rows)
        else:
            await self._terminals.resize(session_id, cols, rows)

    async def view(self, viewer: object, session_id: SessionId, cols: int, rows: int) -> None:
        """A person's window has this size now: the terminal gets what fits into every window."""
        self._own.setdefault(session_id, self._terminals.size(session_id))
        self._views.setdefault(session_id, {})[viewer] = (cols, rows)
        await self._fit(session_id)

    async def leave(self, viewer: object) -> None:
        for session_id in [one for one, views in self._views.items() if viewer in views]:
            del self._views[session_id][viewer]
            with contextlib.suppress(NotFound, SessionFailed):  # it has ended, and needs no size
                await self._fit(session_id)
            if not self._views[session_id]:
                self.forget(session_id)

    def forget(self, session_id: SessionId) -> None:
        """There is another terminal for the session, or nobody looks."""
        self._own.pop(session_id, None)
        self._views.pop(session_id, None)
        self._told = {told: at for told, at in self._told.items() if told[0] != session_id}

    async def _fit(self, session_id: SessionId) -> None:
        views = list(self._views[session_id].values())
        size = (min(cols for cols, _ in views), min(rows for _, rows in views)) if views else self._own[session_id]
        if size != self._terminals.size(session_id):
            await self._terminals.resize(session_id, *size)
