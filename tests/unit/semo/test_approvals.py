"""What agents ask leave for, on the command line: shown, named by its first characters, answered as it was seen."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from semo import approvals as module
from semo.approvals import answer, show, tell_of_new
from semo.office_api import OfficeApi
from semo.problems import SemoError


def asked(approval_id: str, **more: Any) -> dict[str, Any]:
    expires = (datetime.now(UTC) + timedelta(minutes=14)).isoformat()
    said = {"id": approval_id, "tool": "Bash", "input": {"command": "git push", "timeout": 3}, "cwd": "/src"}
    state = {"status": "pending", "answered_by": None, "message": None, "redacted": False, "expires_at": expires}
    return said | state | {"session_id": "5e551011-0000", "digest": f"digest of {approval_id}"} | more


class Office(OfficeApi):
    """An office in which these wait for an answer."""

    def __init__(self, *approvals: dict[str, Any]) -> None:
        super().__init__("http://nowhere.invalid", "token", "office")
        self.approvals = {one["id"]: one for one in approvals}
        self.sessions: list[dict[str, Any]] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []

    async def get(self, path: str, **params: Any) -> Any:
        if path == "/approvals":
            return {"approvals": list(self.approvals.values())}
        if path == "/sessions":
            return {"sessions": self.sessions}
        return self.approvals[path.removeprefix("/approvals/")]

    async def post(self, path: str, body: dict[str, Any], key: str | None = None, **params: Any) -> Any:
        self.posted.append((path, body))
        return {"status": "denied"}


FIRST, SECOND = "aaaa1111-0000-0000-0000-000000000000", "aaaa2222-0000-0000-0000-000000000000"


async def test_what_waits_is_shown_whole(capsys: pytest.CaptureFixture[str]):
    async with Office(asked(FIRST), asked(SECOND, redacted=True, status="denied", answered_by="token:ann")) as office:
        await show(office, every=False, as_json=False)
    shown = capsys.readouterr().out
    for words in ("aaaa1111  Bash  (waits, 14 min left)", "command │ git push", "timeout │ 3", "in /src",
                  "denied by token:ann", "kept back by the machine's policy"):  # fmt: skip
        assert words in shown


async def test_an_answer_is_for_what_was_shown():
    async with Office(asked(FIRST), asked(SECOND)) as office:
        await answer(office, "aaaa2", "deny", "not on a Friday")
        assert office.posted == [
            (f"/approvals/{SECOND}/deny", {"digest": f"digest of {SECOND}", "message": "not on a Friday"})
        ]
        for named, what in (("aaaa", "2 that wait"), ("b", "nothing that waits")):
            with pytest.raises(SemoError) as refused:
                await answer(office, named, "approve", None)
            assert what in refused.value.what


async def test_who_follows_a_command_is_told_of_each_request_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    looks = asyncio.Semaphore(0)

    class Counted(Office):
        async def get(self, path: str, **params: Any) -> Any:
            looks.release()
            return await super().get(path, **params)

    async with Counted(asked(FIRST)) as office:
        telling = asyncio.create_task(tell_of_new(office, "c"))
        for _ in range(5):
            await looks.acquire()
        telling.cancel()
        await asyncio.wait({telling})
    assert capsys.readouterr().out.count("semo approve aaaa1111") == 1


async def test_who_waits_for_an_answer_that_only_a_terminal_can_give_is_not_passed_over(
    capsys: pytest.CaptureFixture[str],
):
    async with Office(asked(FIRST)) as office:
        asks = {"agent": "claude", "role": "BE", "status": "needs_permission"}
        gemini = "11110000-0000-0000-0000-000000000000"
        office.sessions = [
            {**asks, "id": "5e551011-0000"}, {**asks, "id": gemini, "agent": "gemini"},
            {**asks, "id": "2222", "status": "executing"},
        ]  # fmt: skip
        await show(office, every=False, as_json=False)
        told = capsys.readouterr().out
        office.approvals.clear()
        office.sessions = []
        await show(office, every=False, as_json=False)
    assert told.count("waits at its terminal") == 1
    assert "11110000  gemini of BE" in told
    assert f"semo attach {gemini}" in " ".join(told.split())
    assert "no agent waits for an answer" in capsys.readouterr().out
