"""The client's own socket: what the person at its machine sees and does, and who else may not."""

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from remote_client.control.link import ControlLink
from remote_client.control.place import SOCKET, control_folder
from shared.errors import Conflict, InvalidPayload, NotFound
from shared.local import Snapshot
from tests.integration.remote_client.office import Machine, Office
from tests.support.running_office import semo

SECONDS = 30

Makes = Callable[..., Awaitable[Machine]]


async def link_to(machine: Machine) -> ControlLink:
    link = await ControlLink.open_to(machine.settings().state)
    assert link is not None, "no client listens there"
    return link


async def until(link: ControlLink, holds: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot that is so, as it is told to those who follow."""
    parts: dict[str, Any] = {}
    async with asyncio.timeout(SECONDS), aclosing(link.follow()) as followed:
        async for news in followed:
            parts |= news
            if holds(snapshot := Snapshot(**parts)):
                return snapshot
    raise AssertionError(f"it ended before: {parts}")


async def test_a_person_sees_what_runs_here_and_what_the_office_asked_for(office: Office, machine: Makes) -> None:
    laptop = await (await machine()).start()
    link = await link_to(laptop)
    state = (await until(link, lambda now: now.state.connection == "live")).state
    assert (state.name, state.places, state.places_taken, state.paused_since) == ("laptop", 6, 0, None)
    assert [one.name for one in state.offices] == [office.name]

    session_id = await office.session("BE", task="login")
    prompt = await office.ask("send_prompt", {"text": "read -r line; echo '[SEMO:DONE]'"}, session_id=session_id)
    at_work = await until(link, lambda now: any(one.status == "executing" for one in now.sessions))
    [session] = at_work.sessions
    assert (session.role, session.agent, session.branch) == ("BE", "shell", "agent/BE-login")
    assert session.doing.startswith("read -r line")
    assert [one.status for one in at_work.asked] == ["running", "done"], "the newest first"

    await office.do("send_text", {"text": "go\n"}, session_id=session_id)
    await office.until(prompt)
    over = await until(link, lambda now: [one.status for one in now.asked] == ["done", "done", "done"])
    assert {one.kind: one.text for one in over.asked}["send_text"] == "go\n"
    assert over.policy.text == (laptop.folder / "policy.toml").read_text()
    assert ("max_sessions", "6") in over.policy.rules
    await link.close()


async def test_a_pause_is_known_to_the_office_and_holds_over_a_restart(office: Office, machine: Makes) -> None:
    laptop = await (await machine()).start()
    link = await link_to(laptop)
    await link.call("pause", paused=True)
    await office.until_true("select 1 from remote_clients where id = %s and paused_since is not null", laptop.client_id)
    waiting = await office.ask("create_session", {"role": "QA"})
    reason = await office.sql("select command_waiting_reason(%s) as why", waiting)
    assert reason[0]["why"]["reason"] == "paused"

    await link.close()
    await laptop.told_to_stop()
    assert await ControlLink.open_to(laptop.settings().state) is None, "nobody listens after the end"
    await laptop.start()
    link = await link_to(laptop)
    assert (await link.snapshot()).state.paused_since is not None
    assert (await office.command(waiting)).status == "pending"

    await link.call("pause", paused=False)
    assert (await office.until(waiting)).status == "completed"
    kinds = await office.sql("select kind from session_events where kind like 'client.paused%%' order by id")
    assert [row["kind"] for row in kinds][-2:] == ["client.paused", "client.paused_no_more"]
    await link.close()


async def test_one_session_is_stopped_and_then_all_of_them(office: Office, machine: Makes) -> None:
    laptop = await (await machine()).start()
    link = await link_to(laptop)
    first, second = await office.session("BE"), await office.session("QA")
    prompt = await office.ask("send_prompt", {"text": "sleep 1000"}, session_id=first)
    await until(link, lambda now: any(one.doing for one in now.sessions))

    await link.call("stop_session", session_id=str(first))
    assert (await office.until(prompt)).status in ("failed", "lost")
    [ended] = await office.until_true(
        "select end_reason from agent_sessions where id = %s and ended_at is not null", first
    )
    assert ended["end_reason"] == "stopped_at_the_machine"
    with pytest.raises(NotFound):
        await link.call("stop_session", session_id=str(first))

    assert (await link.call("stop_all"))[0] == 1
    await office.until_true("select 1 from agent_sessions where id = %s and ended_at is not null", second)
    now = await until(link, lambda now: not now.sessions)
    assert now.state.paused_since is not None, "else the office would begin anew"
    await link.close()


async def test_the_same_is_done_by_commands(office: Office, shared_client: Machine) -> None:
    here = ("--state", str(shared_client.settings().state))
    sessions = [await office.session("BE"), await office.session("QA")]
    shown = await semo("client", "status", *here)
    assert shown.exit_code == 0, shown
    for said in ("laptop", "2 of 6 in use", office.name, str(sessions[0])[:8], "BE"):
        assert said in shown.out
    for command, paused in (("pause", True), ("resume", False)):
        assert (await semo("client", command, *here)).exit_code == 0
        told = (await semo("client", "status", *here, "--json")).last_line
        assert (told["state"]["paused_since"] is not None) is paused
    assert (await semo("client", "stop", "no-such", *here)).exit_code == 2
    assert (await semo("client", "stop", str(sessions[0])[:8], *here)).exit_code == 0
    await office.until_true("select 1 from agent_sessions where id = %s and ended_at is not null", sessions[0])
    every = await semo("client", "stop", "--all", *here)
    assert (every.exit_code, "1 sessions have ended" in every.out) == (0, True), every
    stopped = await semo("client", "stop", *here)
    assert stopped.exit_code == 0, stopped
    await shared_client.ended()
    nobody = await semo("client", "status", *here)
    assert (nobody.exit_code, "no client runs" in nobody.err) == (3, True), nobody


async def test_a_question_of_an_agent_is_answered_here_once(office: Office, shared_client: Machine) -> None:
    link = await link_to(shared_client)
    asks = """semo-agent ask_person '{"text": "Shall it go on?", "options": ["yes", "no"]}'; echo '[SEMO:DONE]'"""
    prompt = await office.ask("send_prompt", {"role": "BE", "text": asks})
    [question] = (await until(link, lambda now: bool(now.questions))).questions
    assert (question.role, question.text, question.options) == ("BE", "Shall it go on?", ["yes", "no"])
    with pytest.raises(InvalidPayload):
        await link.call("answer_question", question_id=question.question_id, answer=" ")
    await link.call("answer_question", question_id=question.question_id, answer="yes")
    with pytest.raises(Conflict):
        await link.call("answer_question", question_id=question.question_id, answer="no")
    answer = await office.until(prompt)
    assert answer.status == "completed", answer
    [row] = await office.sql("select answer, answered_by from questions where id = %s", question.question_id)
    assert (row["answer"], row["answered_by"]) == ("yes", "machine:laptop")
    assert not (await until(link, lambda now: not now.questions)).questions
    await link.close()


async def test_the_client_is_stopped_in_order_and_those_who_follow_are_told(machine: Makes) -> None:
    laptop = await (await machine()).start()
    link = await link_to(laptop)
    await link.call("stop_client")
    await laptop.ended()
    async with asyncio.timeout(SECONDS):
        await link.until_closed()
    await link.close()


async def test_the_socket_is_its_owner_s_alone_also_in_a_deep_folder(machine: Makes) -> None:
    laptop = await (await machine("deep" * 25)).start()
    folder = control_folder(laptop.settings().state)
    address = folder.address()
    assert address is not None
    assert address.stat().st_mode & 0o777 == 0o700
    assert (address / SOCKET).stat().st_mode & 0o777 == 0o600
    await (await link_to(laptop)).close()
    await laptop.told_to_stop()
    assert not (address / SOCKET).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_another_user_who_reaches_the_socket_is_turned_away(machine: Makes) -> None:
    laptop = await (await machine()).start()
    address = control_folder(laptop.settings().state).address()
    assert address is not None
    for path in (address / SOCKET, *(address / SOCKET).parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(0o777)
    script = (
        "import os, socket, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        'h = b\'{"id": 1, "op": "snapshot"}\'\n'
        "try:\n s.sendall(len(h).to_bytes(4, 'big') + bytes(4) + h); print(len(s.recv(100)))\n"
        "except ConnectionError: print(0)\n"
    )
    stranger = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(address / SOCKET), stdout=asyncio.subprocess.PIPE, cwd="/"
    )
    said, _ = await stranger.communicate()
    assert said == b"0\n"
    await (await link_to(laptop)).close()


@pytest.mark.skipif(sys.platform != "linux", reason="only there a socket says whose process it is")
@pytest.mark.parametrize("how", ["", "env -i "], ids=["as it is", "without its environment"])
async def test_what_runs_in_a_session_cannot_answer_for_the_person(
    office: Office, shared_client: Machine, tmp_path: Path, how: str
) -> None:
    address = control_folder(shared_client.settings().state).address()
    assert address is not None
    script = tmp_path / "speak.py"
    script.write_text(
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        'h = b\'{"id": 1, "op": "stop_all"}\'\n'
        "try:\n s.sendall(len(h).to_bytes(4, 'big') + bytes(4) + h); heard = len(s.recv(100))\n"
        "except ConnectionError:\n heard = 0\n"
        "print('heard', heard)\n"
    )
    session_id = await office.session()
    speak = f"{how}{sys.executable} {script} {address / SOCKET}; echo '[SEMO:DONE]'"
    answer = await office.do("send_prompt", {"text": speak}, session_id=session_id)
    assert answer.status == "completed", answer
    rows = await office.sql(
        "select string_agg(text, '' order by start_offset) as text from session_output where session_id = %s",
        session_id,
    )
    assert "heard 0" in rows[0]["text"]
    assert (await office.do("terminate", session_id=session_id)).status == "completed", "nothing was stopped"


def _frame(text: bytes, body: int = 0) -> bytes:
    return struct.pack(">II", len(text), body) + text


GARBAGE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff" * 64,
    _frame(b"[1, 2]"),
    _frame(b"{"),
    _frame(b'{"op": "snapshot"}'),
    _frame(b'{"id": 1, "op": "follow"}') * 2,
    _frame(b'{"id": 1, "op": "snapshot"}')[:9],
)


async def test_garbage_ends_its_own_connection_and_nothing_else(shared_client: Machine) -> None:
    link = await link_to(shared_client)
    address = control_folder(shared_client.settings().state).address()
    assert address is not None
    with capture_logs() as said:
        for garbage in GARBAGE:
            reader, writer = await asyncio.open_unix_connection(address / SOCKET)
            writer.write(garbage)
            writer.write_eof()
            async with asyncio.timeout(SECONDS):
                while await reader.read(65536):  # until it is closed
                    pass
            writer.close()
    assert {one["event"] for one in said if one["log_level"] != "info"} == {"a connection of somebody here was closed"}
    assert (await link.snapshot()).state.client_id == str(shared_client.client_id)
    with pytest.raises(InvalidPayload):
        await link.call("dance")
    with pytest.raises(InvalidPayload):
        await link.call("pause")
    with pytest.raises(NotFound):
        await link.call("answer_approval", approval_id="x", digest="y", allow=True)
    await link.close()


async def test_one_who_follows_and_does_not_read_holds_up_nobody(office: Office, shared_client: Machine) -> None:
    address = control_folder(shared_client.settings().state).address()
    assert address is not None
    deaf = socket.socket(socket.AF_UNIX)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(str(address / SOCKET))
    deaf.sendall(_frame(b'{"id": 1, "op": "follow"}'))
    link = await link_to(shared_client)
    for _ in range(20):
        await link.call("pause", paused=True)
        await link.call("pause", paused=False)
        await link.snapshot()
    assert (await office.do("create_session", {"role": "BE"})).status == "completed"
    deaf.close()
    await link.close()


async def test_a_client_of_another_version_is_not_guessed_at(
    shared_client: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remote_client.control.link.VERSION", 99)
    with pytest.raises(Conflict):
        await ControlLink.open_to(shared_client.settings().state)


@pytest_asyncio.fixture(loop_scope="session")
async def shared_client(machine: Makes) -> Machine:
    return await (await machine()).start()
