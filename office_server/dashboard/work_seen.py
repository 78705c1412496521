"""Asks a session's machine what lies in its worktree, and waits for the answer; the machine's policy decides."""

from datetime import UTC, datetime, timedelta
from typing import Any

from office_server.dashboard.visit import Visit
from office_server.routes import commands
from office_server.routes.answers import Accepted
from office_server.routes.commands import CommandDetail
from shared.errors import Unavailable
from shared.ids import SessionId
from shared.states import CommandType

_WAIT_SECONDS = 25.0


async def look_at_work(visit: Visit, session: SessionId, picture: str | None = None) -> dict[str, Any]:
    """The diff, the files and the names of the pictures; or one picture.

    Raises:
        Unavailable: the machine refused, or did not answer in time.
        OfficeError: as the route says.
    """
    body = commands.NewCommand(
        command_type=CommandType.READ_WORK, payload={"picture": picture} if picture is not None else {},
        session_id=session, deadline=datetime.now(UTC) + timedelta(seconds=_WAIT_SECONDS),
    )  # fmt: skip
    asked: Accepted = await visit.do(commands.insert_command, body=body)
    found: CommandDetail = await visit.do(commands.get_command, command_id=asked.command_id, wait=_WAIT_SECONDS)
    if found.success and found.result is not None:
        return found.result
    waiting = visit.words.of("waiting", found.waiting.reason) if found.waiting is not None else None
    raise Unavailable(found.error or waiting or visit.words("work.late"))
