"""What agents ask leave for, as a person sees and answers it on the command line."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, cast

from semo import console
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError

_LOOK_SECONDS = 2.0
_WHOLE_ID = 36
_INPUT_CHARACTERS = 4000


async def show(api: OfficeApi, *, every: bool, as_json: bool) -> None:
    """Those that wait for an answer, or all, the oldest first; then who waits for one that only a terminal can give."""
    listed = await api.get("/approvals", status=None if every else "pending")
    approvals: list[dict[str, Any]] = listed["approvals"][::-1]
    if as_json:
        console.machine(approvals)
        return
    offered = {one["session_id"] for one in approvals if one["status"] == "pending"}
    sessions: list[dict[str, Any]] = (await api.get("/sessions"))["sessions"]
    elsewhere = [one for one in sessions if one["status"] == "needs_permission" and one["id"] not in offered]
    if not approvals and not elsewhere:
        console.good("no agent waits for an answer" if not every else "no agent has asked for anything yet")
    for approval in approvals:
        show_one(approval)
    for session in elsewhere:
        console.out.print(f"{session['id'][:8]}  {session['agent']} of {session['role']}  (waits at its terminal)",
                          style="bold", markup=False)  # fmt: skip
        console.step(
            "it cannot be answered from here: its agent names no exact action, or its machine keeps such requests to"
            f" itself · semo attach {session['id']}"
        )


async def tell_of_new(api: OfficeApi, command_id: str) -> None:
    """Shows what the agent of a command asks leave for, each once, until cancelled."""
    told: set[str] = set()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            listed = await api.get("/approvals", command_id=command_id, status="pending")
        except SemoError:
            continue  # whoever follows the command says that the office is away
        for approval in listed["approvals"]:
            if approval["id"] not in told:
                told.add(approval["id"])
                show_one(approval)
                short = approval["id"][:8]
                console.step(f"it waits for you: semo approve {short} · semo deny {short} --because …")


async def answer(api: OfficeApi, named: str, verb: str, message: str | None) -> None:
    """`verb`: approve or deny. The answer holds for the action that is shown here, and for no other.

    Raises:
        SemoError: there is no such request, or it waits no longer.
    """
    approval = await _find(api, named)
    show_one(approval)
    body = {"digest": approval["digest"], "message": message}
    answered = await api.post(f"/approvals/{approval['id']}/{verb}", body)
    console.good(f"{answered['status']}: the agent is told")


async def _find(api: OfficeApi, named: str) -> dict[str, Any]:
    """By its id, or by the first characters of one that waits."""
    if len(named) == _WHOLE_ID:
        found: dict[str, Any] = await api.get(f"/approvals/{named}")
        return found
    listed = await api.get("/approvals", status="pending", limit=200)
    matching: list[dict[str, Any]] = [one for one in listed["approvals"] if one["id"].startswith(named.lower())]
    if len(matching) != 1:
        what = "nothing that waits for an answer" if not matching else f"{len(matching)} that wait for an answer"
        raise SemoError(f"{named} is the beginning of {what}", do="semo approvals", exit_code=Exit.REFUSED)
    return matching[0]


def show_one(approval: dict[str, Any]) -> None:
    status = approval["status"]
    if status == "pending":
        seconds = (datetime.fromisoformat(approval["expires_at"]) - datetime.now(UTC)).total_seconds()
        status = f"waits, {max(0, round(seconds / 60))} min left"
    elif approval["answered_by"]:
        status = f"{status} by {approval['answered_by']}"
    console.out.print(f"{approval['id'][:8]}  {approval['tool']}  ({status})", style="bold", markup=False)
    asked = approval["input"]
    plain = cast("dict[str, Any]", asked) if isinstance(asked, dict) else {"input": asked}
    for name, value in plain.items():
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for line in said[:_INPUT_CHARACTERS].splitlines() or [""]:
            console.quote(name, line)
        if len(said) > _INPUT_CHARACTERS:
            console.quote(name, f"… {len(said) - _INPUT_CHARACTERS} more characters: semo approvals --json")
    redacted = "; part of it is kept back by the machine's policy" if approval["redacted"] else ""
    console.step(f"in {approval['cwd']} · session {approval['session_id'][:8]}{redacted}")
    if approval["message"]:
        console.step(approval["message"])
