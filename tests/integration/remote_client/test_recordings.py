"""Every session leaves a recording and a transcript on its machine, whatever ended it."""

import asyncio
import json
import time
from uuid import UUID

from remote_client.monitor.recording import read_recording
from remote_client.monitor.screen import Screen
from remote_client.recordings.shelf import Recording, listed
from tests.integration.remote_client.office import WAIT_SECONDS, Machine, MakeMachine, Office
from tests.support.running_office import semo

DRAWS = "tput clear; tput cup 3 10; printf '\\033[31mgrün\\033[0m 🚀'; tput cup 6 0; echo '[SEMO:DONE]'"


async def recording_of(machine: Machine, session_id: UUID, count: int = 1) -> list[Recording]:
    """The recordings of a session, as soon as there are so many."""
    shelf = machine.folder / "state" / "recordings"
    deadline = time.monotonic() + WAIT_SECONDS
    while len(found := [one for one in listed(shelf) if one.session_id == session_id]) < count:
        assert time.monotonic() < deadline, f"no recording of {session_id} in {list(shelf.rglob('*'))}"
        await asyncio.sleep(0.05)
    return found


def screen_after(output: bytes) -> list[str]:
    screen = Screen(40)
    screen.feed(output)
    return screen.lines()


async def test_an_ended_session_leaves_what_its_terminal_showed(office: Office, machine: MakeMachine) -> None:
    laptop = await (await machine()).start()
    session_id = await office.session()
    await office.do("send_prompt", {"text": DRAWS}, session_id=session_id)
    await office.do("resize", {"cols": 70, "rows": 20}, session_id=session_id)
    await office.do("terminate", session_id=session_id)
    [found] = await recording_of(laptop, session_id)

    recording = read_recording(found.cast.read_text())
    shown = b"".join(event.data for event in recording.events if event.kind == "output")
    told = (await office.output_of(session_id)).encode()
    assert shown == told, "byte for byte what the office was told"
    assert screen_after(shown) == screen_after(told)
    assert (recording.cols, recording.rows) == (120, 40)
    assert [event.data for event in recording.events if event.kind == "resize"] == [b"70x20"]
    assert "          grün 🚀" in found.transcript.read_text().splitlines()
    assert "\x1b" not in found.transcript.read_text()
    assert [path.stat().st_mode & 0o777 for path in (found.cast, found.transcript)] == [0o600, 0o600]
    assert found.cast.parent.stat().st_mode & 0o777 == 0o700
    assert found.role == "BE"

    replayed = await semo("monitor", "replay", str(found.cast), "--agent", "claude")
    assert replayed.exit_code == 0, replayed
    told_of = await semo("recordings", "--state", str(laptop.folder / "state"), "--json")
    assert [one["session_id"] for one in json.loads(told_of.out)] == [str(session_id)]


async def test_a_session_that_is_reset_leaves_one_for_each_use(office: Office, machine: MakeMachine) -> None:
    laptop = await (await machine()).start()
    first = await office.do("send_prompt", {"role": "BE", "text": "echo first-$((1 + 1)); echo '[SEMO:DONE]'"})
    session_id = UUID(first.result["session_id"])

    [found] = await recording_of(laptop, session_id)

    assert "first-2" in found.transcript.read_text().split()


async def test_what_a_killed_client_left_is_made_at_the_next_start(office: Office, machine: MakeMachine) -> None:
    laptop = await machine()
    await laptop.start_process()
    session_id = await office.session()
    await laptop.kill()
    await office.sql("update agent_sessions set status = 'terminated', ended_at = now(), end_reason = 'test' "
                     "where id = %s", session_id)  # fmt: skip

    await laptop.start()

    [found] = await recording_of(laptop, session_id)
    assert found.role == "BE"


async def test_a_policy_without_recordings_leaves_none(office: Office, machine: MakeMachine) -> None:
    laptop = await machine()
    policy = laptop.folder / "policy.toml"
    policy.write_text(policy.read_text() + "[recordings]\nenabled = false\n")
    await laptop.start()
    session_id = await office.session()
    await office.do("terminate", session_id=session_id)
    await laptop.stop()

    assert not (laptop.folder / "state" / "recordings").exists()
