"""How a command is followed to its end, and what the exit code of `semo run` says of it."""

import asyncio
from typing import Any

import pytest

from semo.follow import exit_code_of, follow
from semo.office_api import OfficeApi
from semo.problems import Exit


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ({"status": "completed"}, Exit.DONE),
        ({"status": "failed", "error_code": "turn_error"}, Exit.NOT_DONE),
        ({"status": "failed", "error_code": "policy_forbids"}, Exit.REFUSED),
        ({"status": "lost"}, Exit.LOST),
        ({"status": "expired"}, Exit.NOT_TAKEN),
        ({"status": "cancelled"}, Exit.NOT_TAKEN),
    ],
    ids=lambda value: str(value) if isinstance(value, Exit) else value["status"],
)
def test_only_a_completed_command_exits_with_zero(command: dict[str, str], expected: Exit):
    assert exit_code_of(command) is expected


class SilentTerminal(OfficeApi):
    """An office in which a command runs until `ends` is set, in a session that has nothing more to say."""

    def __init__(self) -> None:
        super().__init__("http://nowhere.invalid", "token", "office")
        self.ends = asyncio.Event()
        self.said = "hello\n"

    async def get(self, path: str, **params: Any) -> Any:
        if path == "/sessions/s":
            return {"agent": "other"}
        if path == "/sessions/s/output":
            if not params.get("wait"):
                return {"output": self.said[params["after"] :], "next": len(self.said)}
            self.ends.set()
            await asyncio.Event().wait()  # for more, which never comes
        if "wait" in params:
            await self.ends.wait()
            return {"status": "completed", "output_start": 0, "session_id": "s", "result": {"output_end": 6}}
        return {"status": "processing", "output_start": 0, "session_id": "s", "result": None}


async def test_a_command_that_ends_is_not_kept_waiting_by_its_silent_terminal():
    async with asyncio.timeout(30), SilentTerminal() as api:
        said = [said async for said in follow(api, "c")]
    assert [one.kind for one in said] == ["stored", "started", "output", "ended"]
    assert said[2].text == "hello\n"
