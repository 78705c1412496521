"""Who typed by hand into a session: evidence of the turn that it happened in, and an event when somebody takes over.

A turn does not fail by it. What was typed is not kept.
"""

import time
from datetime import UTC, datetime

from remote_client.agents.adapter import Evidence
from remote_client.office_records import Happening
from remote_client.uplink import Uplink
from shared.ids import ByteOffset, OfficeId, SessionId

TAKEN_OVER = "taken_over"
ANEW_SECONDS = 60.0
"""Somebody who typed nothing for so long takes over anew."""


class Touches:
    """Of one session."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._in_turn: dict[str, ByteOffset] = {}

    def begin_turn(self) -> None:
        self._in_turn.clear()

    def note(self, by: str, at: ByteOffset, now: float) -> bool:
        """`by` types when the output stands at `at`. Returns whether this is taking over, and not going on with it.

        `now`: seconds that never go back.
        """
        anew = by not in self._in_turn or now - self._last.get(by, now) >= ANEW_SECONDS
        self._last[by] = now
        self._in_turn.setdefault(by, at)
        return anew

    def evidence(self) -> list[Evidence]:
        """Of the turn that began last."""
        return [{"kind": "touched", "by": by, "offset": at} for by, at in self._in_turn.items()]


def note_touch(
    uplink: Uplink, touches: Touches, office_id: OfficeId, session_id: SessionId, by: str, at: ByteOffset
) -> None:
    """Notes it, hurries what they will see of it, and tells the office when somebody takes over."""
    uplink.hurry(session_id)
    if touches.note(by, at, time.monotonic()):
        detail = {"by": by, "at": at}
        uplink.event(Happening(office_id, TAKEN_OVER, detail, datetime.now(UTC), session_id))
