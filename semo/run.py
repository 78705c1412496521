"""`semo run`: one prompt to one role, shown live, with an exit code that tells how it ended."""

import asyncio
from typing import Any

from semo import console
from semo.approvals import tell_of_new
from semo.follow import exit_code_of, follow
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError


async def run_prompt(api: OfficeApi, prompt: str, role: str, agent: str | None, timeout_s: float | None, *,
                     as_json: bool) -> Exit:  # fmt: skip
    """Sends the prompt and follows it to its end. Ctrl-C interrupts the agent, or withdraws what nobody took yet."""
    stored = await api.post("/prompts", {"text": prompt, "role": role, "agent": agent, "timeout_s": timeout_s})
    command_id: str = stored["command_id"]
    try:
        command = await _show(api, command_id, role, as_json=as_json)
    except asyncio.CancelledError:
        await _stop(api, command_id)
        return Exit.INTERRUPTED
    if as_json:
        console.machine(command)
    else:
        _conclude(command)
    return exit_code_of(command)


async def _show(api: OfficeApi, command_id: str, role: str, *, as_json: bool) -> dict[str, Any]:
    asking = None if as_json else asyncio.create_task(tell_of_new(api, command_id))
    try:
        return await _follow(api, command_id, role, as_json=as_json)
    finally:
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


async def _follow(api: OfficeApi, command_id: str, role: str, *, as_json: bool) -> dict[str, Any]:
    command: dict[str, Any] = {}
    async for said in follow(api, command_id):
        command = said.command or command
        if as_json:
            continue
        match said.kind:
            case "waiting":
                console.step(said.text)
                console.step(f"kept as command {command_id} · semo command cancel {command_id} to withdraw it")
            case "started":
                console.step(f"{role} works in session {command['session_id']}")
            case "output":
                console.out.print(said.text, end="", markup=False)
            case _:
                pass
    return command


def _conclude(command: dict[str, Any]) -> None:
    result: dict[str, Any] = command.get("result") or {}
    if command["status"] == "completed":
        known_by = ", ".join(str(evidence.get("kind")) for evidence in result.get("evidence", []))
        console.good(f"done in {result['duration_s']:.2f} s · known by: {known_by}")
        for commit in result.get("commits", []):
            console.step(f"commit {commit}")
        for url in result.get("pull_requests", []):
            console.step(f"pull request {url}")
        return
    reason = command.get("error") or f"the command is {command['status']}"
    console.bad(SemoError(f"not done: {reason}", do=f"all that is known: semo command show {command['id']}"))


async def _stop(api: OfficeApi, command_id: str) -> None:
    command = await api.get(f"/commands/{command_id}")
    if command["status"] == "pending":
        await api.post(f"/commands/{command_id}/cancel", {})
        console.step("withdrawn: nobody had taken it")
    elif command["status"] == "processing" and command["session_id"]:
        await api.post(f"/sessions/{command['session_id']}/cancel", {})
        console.step("the agent was interrupted")
