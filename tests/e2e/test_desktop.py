"""The window on a real display, driven as a person would: joining an office, watching, approving, pausing, stopping."""

import asyncio
import json
import os
import shlex
import signal
from pathlib import Path

import pytest

from tests.support.claude_cli import ClaudeHome, claude_program
from tests.support.display import Watcher, display
from tests.support.git import new_repository
from tests.support.messages_api import MessagesApi, Use, say
from tests.support.office_events import OfficeEvents
from tests.support.running_office import RunningOffice, semo

PICTURES = os.environ.get("SEMO_PICTURES")


@pytest.mark.timeout(300)
async def test_a_person_lends_their_machine_watches_answers_pauses_and_stops(tmp_path: Path) -> None:
    repository, state, policy = new_repository(tmp_path / "web"), tmp_path / "state", tmp_path / "policy.toml"
    office = await RunningOffice.open(tmp_path / "data")
    try:
        async with MessagesApi.serving() as api, display() as screen:
            home = ClaudeHome.make(tmp_path / "home", api.url, [repository])
            variables = [name for name in home.environment if name not in ("HOME", "LANG")]
            policy.write_text(
                f'allowed_roots = ["{tmp_path}"]\ndefault_agent = "shell"\n\n'
                f'[[repositories]]\npath = "{repository}"\n\n[agents.shell]\n\n'
                f'[agents.claude]\ncommand = ["{claude_program()}"]\nenvironment = {json.dumps(variables)}\n'
            )
            environment = os.environ | home.environment | {
                "SEMO_CLIENT_LEASE_SECONDS": "10", "XDG_CONFIG_HOME": str(tmp_path / "config"),
                "PATH": f"{_editor(tmp_path)}:{os.environ['PATH']}",
            }  # fmt: skip
            try:
                async with (
                    Watcher.before(state, policy, screen, environment) as person,
                    OfficeEvents.of(office) as events,
                ):
                    await _a_day(office, events, api, person, state)
                    await _the_policy(person, policy, tmp_path / "edited")
                    await person.do("page", "machine")
                    await person.do("check", "Start at login")
                    await person.do("click", "Stop the client")
                    await person.until(lambda seen: seen["standing"] == "Not running")
                await _the_next_login(tmp_path / "config", environment | {"DISPLAY": screen}, state)
            finally:
                await semo("client", "stop", "--state", str(state))
            ended = await semo("client", "status", "--state", str(state))
            assert ended.exit_code != 0, ended
    finally:
        await office.close()


async def _a_day(office: RunningOffice, events: OfficeEvents, api: MessagesApi, person: Watcher, state: Path) -> None:
    await person.until(lambda seen: seen["standing"] == "In no office")
    async with office.api() as rest:
        the_office = str(rest.base_url).rstrip("/")
        (await rest.patch(the_office, json={"warm_roles": []})).raise_for_status()  # no sessions but those asked for
        invitation = (await rest.post("enrollments", json={})).raise_for_status().json()
    await person.do("page", "machine")
    await person.do("fill", "Code or link", invitation["link"])
    await person.do("fill", "What to call this machine", "desk")
    await person.do("click", "Join")
    await person.until(lambda seen: seen["standing"] == "Live")  # it was started, too
    [machine] = await office.rows("remote_clients", name="desk")
    here = {"client_id": machine["id"]}

    # Watching and approving
    wanted = {"role": "BE", "agent": "claude", "task": "login"}
    created = await office.final(await office.insert("create_session", wanted, **here))
    assert created["status"] == "completed", created
    session = created["result"]["session_id"]
    worktree = Path(created["result"]["worktree_path"])
    api.script("APPROVED", Use("Bash", {"command": "touch approved.txt"}), say("It is there. [SEMO:DONE]"))
    prompt = await office.insert("send_prompt", {"text": "APPROVED, please"}, session_id=session)
    seen = await person.until(lambda seen: "BE wants to use Bash" in seen["notices"])
    await person.do("notice")
    seen = await person.until(lambda seen: seen["page"] == "waiting" and bool(seen["exact"]))
    assert "command: touch approved.txt" in seen["exact"][0]
    assert not (worktree / "approved.txt").exists()
    await _picture(person, "desktop-waiting")
    await person.do("click", "Approve")
    done = await office.final(prompt)
    assert done["status"] == "completed", done
    assert (worktree / "approved.txt").exists()
    [approval] = await office.rows("approvals", session_id=session)
    assert (approval["status"], approval["answered_by"]) == ("approved", "machine:desk")
    await person.until_text("Nothing waits for you.")
    await person.do("terminal", session)
    await person.until(lambda seen: "It is there." in seen["terminal"])
    await _picture(person, "desktop-sessions", "dark")

    # Pausing
    await person.do("click", "Pause")
    await person.until(lambda seen: seen["standing"] == "Paused")
    kept = await office.insert("create_session", {"role": "QA"}, **here)
    async with office.api() as rest:
        waiting = (await rest.get(f"commands/{kept}")).raise_for_status().json()
    assert (waiting["status"], waiting["waiting"]["reason"]) == ("pending", "paused"), waiting
    await person.do("click", "Resume")
    assert (await office.final(kept))["status"] == "completed"

    # The client dies: its terminals go on, and the window starts it again
    status = (await semo("client", "status", "--state", str(state), "--json")).last_line
    assert len(status["sessions"]) == 2, status
    os.kill(status["state"]["pid"], signal.SIGKILL)
    await person.until(lambda seen: seen["standing"] == "Not running")
    await person.do("page", "machine")
    await person.do("click", "Start the client")
    await person.until(lambda seen: seen["standing"] == "Live")
    await _picture(person, "desktop-machine")

    # Stopping one, then all, which is asked twice
    await person.do("page", "sessions")
    await person.do("terminal", session)
    await person.do("click", "Stop this session…")
    await person.do("click", "Stop it")
    await _ended(office, events, session)
    await person.do("click", "Stop all…")
    await person.do("click", "Stop all…")
    await person.do("click", "Once more: stop all 1 now")
    await person.until_text("No sessions. They begin when the office asks for work.")
    [*_, last] = await office.rows("agent_sessions", role="QA", client_id=machine["id"])
    await _ended(office, events, last["id"])
    await person.do("page", "hour")
    await _picture(person, "desktop-hour")
    assert (await person.do("look"))["standing"] == "Paused"


def _editor(place: Path) -> Path:
    """What opens files in this person's desktop: it only notes which."""
    folder = place / "bin"
    folder.mkdir()
    program = folder / "xdg-open"
    program.write_text(f'#!/bin/sh\necho "$1" > {place / "edited"}\n')
    program.chmod(0o755)
    return folder


async def _the_policy(person: Watcher, policy: Path, edited: Path) -> None:
    """It is shown, opened in the editor, and shown as it is in force once the person has saved it."""
    await person.do("page", "policy")
    await person.until(lambda seen: seen["policy"] == policy.read_text())
    await person.do("click", "Open in the editor")
    await person.until(lambda _: edited.exists() and edited.read_text().strip() in (str(policy), policy.as_uri()))
    policy.write_text(policy.read_text() + '[checks.tidy]\nrun = ["true"]\n')
    await person.until(lambda seen: "[checks.tidy]" in seen["policy"])
    await person.until_text("tidy")


async def _the_next_login(config: Path, environment: dict[str, str], state: Path) -> None:
    """The system starts what was left for it, and that starts the client."""
    [entry] = (config / "autostart").iterdir()
    [command] = [line.removeprefix("Exec=") for line in entry.read_text().splitlines() if line.startswith("Exec=")]
    window = await asyncio.create_subprocess_exec(*shlex.split(command), env=environment)
    try:
        async with asyncio.timeout(60):
            while (await semo("client", "status", "--state", str(state))).exit_code != 0:
                assert window.returncode is None
        window.terminate()
        assert await window.wait() == 0
    finally:
        if window.returncode is None:
            window.kill()
            await window.wait()


async def _ended(office: RunningOffice, events: OfficeEvents, session: str) -> None:
    async def told() -> bool:
        return (await office.rows("agent_sessions", id=session))[0]["ended_at"] is not None

    await events.when(told, seconds=60)


async def _picture(person: Watcher, name: str, scheme: str = "light") -> None:
    if PICTURES:
        await person.do("scheme", scheme)
        await person.do("shoot", f"{PICTURES}/{name}.png")
        await person.do("scheme", "light")
